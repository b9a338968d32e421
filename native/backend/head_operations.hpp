#pragma once

#include <cstdint>
#include <span>

#include "backend/classifier_operations.h"
#include "backend/velocity_operations.h"

// The part of the compute contract (backend.hpp) that one kind of head needs alone.
namespace sklar {

// A classifier of noise levels.
template <class T>
class ClassifierOperations {
 public:
  void draw_batch(const BatchDraw<T>& draw);
  // cotangent[i] = e_level(i) - e_last, zero where level is last
  void level_cotangent(MatrixView<T> cotangent, const std::int32_t* level);
  void classifier_loss(const ClassifierLoss<T>& loss);
  // Draw, four passes, loss and gradient of each model in one operation; false, and nothing is done, where
  // the device has none for this network. No models ask whether it has. A model's results do not depend on
  // the others.
  bool classifier_step(const ClassifierStep<T>& step, std::span<const TrainedModel<T>> models);
  // host[i] = logits[i][level] - logits[i][last], host memory
  void log_ratio(double* host, MatrixView<const T> logits, std::size_t level);
  // cotangent . logits = F of the mixture, each level's F being its logit minus the last; reference[i] =
  // weight of the part that is known at the last level
  void interpolate_levels(MatrixView<T> cotangent, double* reference, const LevelInterpolation& at);

 protected:
  ~ClassifierOperations() = default;
  virtual void draw_batch_impl(const BatchDraw<T>&) = 0;
  virtual void level_cotangent_impl(MatrixView<T> cotangent, const std::int32_t* level) = 0;
  virtual void classifier_loss_impl(const ClassifierLoss<T>&) = 0;
  virtual bool classifier_step_impl(const ClassifierStep<T>&, std::span<const TrainedModel<T>>) {
    return false;
  }
  virtual void log_ratio_impl(double* host, MatrixView<const T> logits, std::size_t level) = 0;
  virtual void interpolate_levels_impl(MatrixView<T> cotangent, double* reference,
                                       const LevelInterpolation&) = 0;
};

// A network that predicts velocities. y: states, whether a column of ones follows or not.
template <class T>
class VelocityOperations {
 public:
  void draw_velocity(const VelocityDraw<T>& draw);
  // x = what the network reads of states y at times; x ends in a column of ones
  void velocity_features(const VelocityHead& head, MatrixView<const T> y, const double* time,
                         MatrixView<T> x);
  void velocity_loss(const VelocityLoss<T>& loss);
  // as classifier_step
  bool velocity_step(const VelocityStep<T>& step, std::span<const TrainedModel<T>> models);
  // out = the field, from the network's output n
  void velocity_output(const VelocityForm& form, MatrixView<const T> y, const double* time,
                       MatrixView<const T> n, MatrixView<T> out);
  // cotangent of n whose adjoint is that of direction . field / scale
  void velocity_cotangent(const VelocityHead& head, MatrixView<const T> y, MatrixView<const T> direction,
                          MatrixView<T> e);
  // From the adjoint of that cotangent: product = (d field / d y)^T direction, or, of the unit vector
  // `column`, its own element of that alone, added to sum[i].
  void velocity_product(const VelocityForm& form, MatrixView<const T> y, const double* time,
                        MatrixView<const T> n, MatrixView<const T> x_adjoint, MatrixView<const T> direction,
                        MatrixView<T> product);
  void velocity_diagonal(const VelocityForm& form, MatrixView<const T> y, const double* time,
                         MatrixView<const T> n, MatrixView<const T> x_adjoint, std::size_t column,
                         double* sum);

 protected:
  ~VelocityOperations() = default;
  virtual void draw_velocity_impl(const VelocityDraw<T>&) = 0;
  virtual void velocity_features_impl(const VelocityHead&, MatrixView<const T> y, const double* time,
                                      MatrixView<T> x) = 0;
  virtual void velocity_loss_impl(const VelocityLoss<T>&) = 0;
  virtual bool velocity_step_impl(const VelocityStep<T>&, std::span<const TrainedModel<T>>) { return false; }
  virtual void velocity_output_impl(const VelocityForm&, MatrixView<const T> y, const double* time,
                                    MatrixView<const T> n, MatrixView<T> out) = 0;
  virtual void velocity_cotangent_impl(const VelocityHead&, MatrixView<const T> y,
                                       MatrixView<const T> direction, MatrixView<T> e) = 0;
  virtual void velocity_product_impl(const VelocityForm&, MatrixView<const T> y, const double* time,
                                     MatrixView<const T> n, MatrixView<const T> x_adjoint,
                                     MatrixView<const T> direction, MatrixView<T> product) = 0;
  virtual void velocity_diagonal_impl(const VelocityForm&, MatrixView<const T> y, const double* time,
                                      MatrixView<const T> n, MatrixView<const T> x_adjoint,
                                      std::size_t column, double* sum) = 0;
};

}  // namespace sklar
