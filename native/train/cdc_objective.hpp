#pragma once

#include <memory>

#include "fields/noise_levels.hpp"
#include "nn/network.hpp"
#include "train/objective.hpp"

namespace sklar {

// The loss of the classification-diffusion copula on one batch, and its gradient by the network's four
// passes:
//   lambda_CE E[-log p(k | z)] + E|sigma (z - G) - noise|^2 / d,   G = d(logit_k - logit_last)/dz
// (Huk and Damoulas 2025; docs/mathematics.md, A.6). Rows [0, active) take part in the second term's
// derivative; the others have k = 0 or k = last, where it does not depend on the network.
template <class T>
class CdcObjective final : public Objective<T> {
 public:
  CdcObjective(Backend<T>& backend, SecondOrderNetwork<T>& network, const OuLevels& levels,
               std::size_t batch);

  std::size_t batch() const override { return batch_; }

  // Stratified: every step has the same number of rows in the inner levels, so that the rest can be left out
  // of the adjoint and tangent passes. Published: levels independent and uniform, both losses averaged over
  // all rows.
  void use_stratified_levels(double cross_entropy_weight);
  void use_published_levels(double cross_entropy_weight);

  void draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) override;

  void evaluate(TrainState* state) override;
  void differentiate(TrainState* state, T* gradient) override;
  bool draw_and_differentiate(std::span<const TrainedModel<T>> models) override;
  double gradient_scale() const override;
  double loss(const TrainState& state) const override {
    return shares_.cross_entropy_weight * state.cross_entropy + state.squared_error;
  }

  // What the backend is told of a batch and of its loss.
  BatchDraw<T> batch_draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) const;
  ClassifierLoss<T> classifier_loss(TrainState* state) const;

 private:
  void losses(TrainState* state, Pass pass);

  Backend<T>& backend_;
  SecondOrderNetwork<T>& network_;
  std::size_t batch_, dim_, active_;
  LevelTable<T> levels_;
  // How the two parts of the loss average over the rows of a batch: shares of one row.
  struct {
    double cross_entropy_weight;  // lambda_CE
    double active_row, passive_row;
    double active_error, passive_error;
  } shares_{};
  Matrix<T> x_, noise_, logits_, cotangent_, gradient_, logit_adjoint_, gradient_adjoint_, predicted_noise_;
  Buffer<std::int32_t> level_;
  Buffer<double> row_losses_;
};

}  // namespace sklar
