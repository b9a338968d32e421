#pragma once

#include "nn/mean_network.hpp"
#include "train/objective.hpp"

namespace sklar {

// E|v(x_t, t) - V_t|^2 / d along the paths of a process (docs/mathematics.md, B.2 and C). The law of the
// times is the weight of the loss: 1/t (reflection) or cot(theta) (trigonometric) make it a bound on the
// log-likelihood (D.3). Of a potential the velocity is the input gradient of the network's output, and the
// derivative of the loss takes its four passes (L).
template <class T>
class VelocityObjective final : public Objective<T> {
 public:
  // `batch` rows, a multiple of the number of members; slope_weight: of a potential, see VelocityLoss
  VelocityObjective(Backend<T>& backend, MeanNetwork<T>& network, const VelocityHead& head,
                    const TimeLaw& law, std::size_t batch, double slope_weight = 0);

  std::size_t batch() const override { return y_.rows(); }
  void draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) override;
  // of the mean of the members
  void evaluate(TrainState* state) override;
  // Each member learns from its own equal share of the batch: what it errs is its own.
  void differentiate(TrainState* state, T* gradient) override;
  bool draw_and_differentiate(std::span<const TrainedModel<T>> models) override;
  double gradient_scale() const override;
  double loss(const TrainState& state) const override { return state.squared_error; }

  // What the backend is told of a batch and of its loss.
  VelocityDraw<T> batch_draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) const;
  VelocityLoss<T> velocity_loss(TrainState* state) const;

 private:
  std::size_t share() const;  // rows of a batch for each member
  // Columns of gradients of a potential's output: those of the state, then those of the time. Velocities have
  // no others.
  MatrixView<T> velocity(const Matrix<T>& m) const { return {m.data(), m.rows(), head_.dim, m.stride()}; }
  MatrixView<T> of_time(const Matrix<T>& m) const {
    return {m.data() + head_.dim, m.rows(), velocity_time_features, m.stride()};
  }

  Backend<T>& backend_;
  MeanNetwork<T>& network_;
  VelocityHead head_;
  TimeLaw law_;
  Matrix<T> y_, target_, x_, output_, output_adjoint_;
  double slope_weight_;
  Matrix<T> value_, one_, value_adjoint_;  // of a potential: the network's output, and cotangents of it
  Buffer<double> time_, row_losses_;
};

}  // namespace sklar
