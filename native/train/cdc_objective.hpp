#pragma once

#include <memory>

#include "fields/noise_levels.hpp"
#include "nn/network.hpp"
#include "train/objective.hpp"

namespace sklar {

// How the two parts of the CDC's loss average over the rows of a batch: shares of one row.
struct LossShares {
  double cross_entropy_weight;  // lambda_CE
  double active_row, passive_row;
  double active_error, passive_error;
};

// The loss of the classification-diffusion copula on one batch, and its gradient by the network's four
// passes:
//   lambda_CE E[-log p(k | z)] + E|sigma (z - S G) - noise|^2 / d,   G = d(logit_k - logit_last)/dz
// (Huk and Damoulas 2025; docs/mathematics.md, A.6). Rows [0, active) take part in the second term's
// derivative; the others have k = 0 or k = last, where it does not depend on the network.
template <class T>
class CdcObjective final : public Objective<T> {
 public:
  // covariance: d x d, S of the reference Gaussian in the network's coordinates, or empty for the identity
  CdcObjective(Backend<T>& backend, SecondOrderNetwork<T>& network, const OuLevels& levels, std::size_t batch,
               const std::vector<T>& covariance);

  std::size_t batch() const override { return batch_; }
  std::size_t active_rows() const { return active_; }

  // Stratified: every step has the same number of rows in the inner levels, so that the rest can be left out
  // of the adjoint and tangent passes. Published: levels independent and uniform, both losses averaged over
  // all rows.
  void use_stratified_levels(double cross_entropy_weight);
  void use_published_levels(double cross_entropy_weight);

  void draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) override;
  // Rows, levels and noise from the host; active rows must come first.
  void set_batch(const T* x0, const T* noise, const std::int32_t* level, std::size_t active,
                 const LossShares& shares);

  void evaluate(TrainState* state) override;
  void differentiate(TrainState* state, T* gradient) override;
  bool draw_and_differentiate(std::span<const TrainedModel<T>> models) override;
  double gradient_scale() const override;
  double loss(const TrainState& state) const override {
    return shares_.cross_entropy_weight * state.cross_entropy + state.squared_error;
  }

  MatrixView<const T> x() const { return x_; }
  MatrixView<const T> logits() const { return logits_; }
  MatrixView<const T> denoised() const { return denoised_; }
  // r . G and its value through the tangent pass: equal up to rounding, for every active row (a free
  // self-check)
  void tangent_check(std::vector<double>& direct, std::vector<double>& through_tangent);

 private:
  BatchDraw<T> batch_draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) const;
  ClassifierLoss<T> classifier_loss(TrainState* state) const;
  void losses(TrainState* state, Pass pass);

  Backend<T>& backend_;
  SecondOrderNetwork<T>& network_;
  std::size_t batch_, dim_, active_;
  LevelTable<T> levels_;
  Buffer<T> covariance_;
  LossShares shares_{};
  Matrix<T> x_, noise_, logits_, cotangent_, gradient_, logit_adjoint_, gradient_adjoint_, denoised_;
  Buffer<std::int32_t> level_;
  Buffer<double> row_losses_;
};

}  // namespace sklar
