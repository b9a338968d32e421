#pragma once

#include <cstdint>
#include <span>

#include "backend/operations/classifier_operations.h"
#include "backend/operations/shapes.hpp"
#include "backend/operations/velocity_operations.h"

// The part of the compute contract (backend.hpp) that one kind of head needs alone.
namespace sklar {

// A classifier of noise levels.
template <class T>
class ClassifierOperations {
 public:
  void draw_batch(const BatchDraw<T>& b) {
    const std::size_t rows = b.x.rows, dim = b.data.columns;
    Shapes("draw_batch")
        .that(b.data.rows > 0, "rows of data")
        .matrix("data", b.data, b.data.rows, dim)
        .matrix("x", b.x, rows, dim + 1)
        .matrix("noise", b.noise, rows, dim)
        .values("level", b.level, rows)
        .values("state", b.state, 1)
        .that(b.active <= rows, "no more active rows than x has")
        .that(b.levels.count >= 3 && b.levels.alpha && b.levels.sigma, "three levels or more");
    draw_batch_impl(b);
  }
  // cotangent[i] = e_level(i) - e_last, zero where level is last
  void level_cotangent(MatrixView<T> cotangent, const std::int32_t* level) {
    Shapes("level_cotangent")
        .wide("cotangent", cotangent, cotangent.rows, 1)
        .values("level", level, cotangent.rows);
    level_cotangent_impl(cotangent, level);
  }
  void classifier_loss(const ClassifierLoss<T>& loss) {
    const std::size_t rows = loss.logits.rows, dim = loss.noise.columns, levels = loss.levels.count;
    Shapes("classifier_loss")
        .matrix("logits", loss.logits, rows, levels)
        .matrix("logit_adjoint", loss.logit_adjoint, rows, levels)
        .matrix("x", loss.x, rows, dim + 1)
        .matrix("noise", loss.noise, rows, dim)
        .matrix("predicted_noise", loss.predicted_noise, rows, dim)
        .that(loss.active <= rows, "no more active rows than the logits have")
        .matrix("gradient", loss.gradient, loss.active, dim)
        .matrix("gradient_adjoint", loss.gradient_adjoint, loss.active, dim + 1)
        .values("level", loss.level, rows)
        .values("row_losses", loss.row_losses, 2 * rows)
        .values("state", loss.state, 1);
    classifier_loss_impl(loss);
  }
  // Draw, four passes, loss and gradient of each model in one operation; false, and nothing is done, where
  // the device has none for this network. No models ask whether it has. A model's results do not depend on
  // the others.
  bool classifier_step(const ClassifierStep<T>& step, std::span<const TrainedModel<T>> models) {
    Shapes("classifier_step").that(models.size() <= most_models, "at most 16 models");
    return classifier_step_impl(step, models);
  }
  // host[i] = logits[i][level] - logits[i][last], host memory
  void log_ratio(double* host, MatrixView<const T> logits, std::size_t level) {
    Shapes("log_ratio").values("host", host, logits.rows).wide("logits", logits, logits.rows, level + 1);
    log_ratio_impl(host, logits, level);
  }
  // cotangent . logits = F of the mixture, each level's F being its logit minus the last; reference[i] =
  // weight of the part that is known at the last level
  void interpolate_levels(MatrixView<T> cotangent, double* reference, const LevelInterpolation& m) {
    Shapes("interpolate_levels")
        .matrix("cotangent", cotangent, cotangent.rows, m.count)
        .that(m.count >= 2 && m.w, "two levels or more")
        .values("theta", m.theta, cotangent.rows)
        .values("reference", reference, cotangent.rows);
    interpolate_levels_impl(cotangent, reference, m);
  }

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
  void draw_velocity(const VelocityDraw<T>& b) {
    const std::size_t rows = b.y.rows, dim = b.head.dim;
    Shapes("draw_velocity")
        .that(b.data.rows > 0, "rows of data")
        .matrix("data", b.data, b.data.rows, dim)
        .matrix("y", b.y, rows, dim + 1)
        .matrix("target", b.target, rows, dim)
        .values("time", b.time, rows)
        .values("state", b.state, 1);
    draw_velocity_impl(b);
  }
  // x = what the network reads of states y at times; x ends in a column of ones
  void velocity_features(const VelocityHead& head, MatrixView<const T> y, const double* time,
                         MatrixView<T> x) {
    Shapes("velocity_features")
        .wide("y", y, y.rows, head.dim)
        .values("time", time, y.rows)
        .matrix("x", x, y.rows, velocity_inputs(head) + 1);
    velocity_features_impl(head, y, time, x);
  }
  void velocity_loss(const VelocityLoss<T>& loss) {
    const std::size_t rows = loss.y.rows, dim = loss.head.dim;
    Shapes("velocity_loss")
        .wide("y", loss.y, rows, dim)
        .matrix("output", loss.output, rows, dim)
        .matrix("target", loss.target, rows, dim)
        .matrix("output_adjoint", loss.output_adjoint, rows, dim)
        .values("time", loss.time, rows)
        .values("row_losses", loss.row_losses, rows)
        .values("state", loss.state, 1);
    if (loss.slope_weight > 0)
      Shapes("velocity_loss")
          .matrix("value", loss.value, rows, 1)
          .matrix("value_adjoint", loss.value_adjoint, rows, 1)
          .matrix("time_gradient", loss.time_gradient, rows, velocity_time_features)
          .matrix("time_gradient_adjoint", loss.time_gradient_adjoint, rows, velocity_time_features);
    velocity_loss_impl(loss);
  }
  // as classifier_step
  bool velocity_step(const VelocityStep<T>& step, std::span<const TrainedModel<T>> models) {
    Shapes("velocity_step").that(models.size() <= most_models, "at most 16 models");
    return velocity_step_impl(step, models);
  }
  // out = the field, from the network's output n
  void velocity_output(const VelocityForm& form, MatrixView<const T> y, const double* time,
                       MatrixView<const T> n, MatrixView<T> out) {
    const std::size_t dim = form.head.dim;
    Shapes("velocity_output")
        .wide("y", y, y.rows, dim)
        .values("time", time, y.rows)
        .matrix("n", n, y.rows, dim)
        .wide("out", out, y.rows, dim);
    velocity_output_impl(form, y, time, n, out);
  }
  // cotangent of n whose adjoint is that of direction . field / scale
  void velocity_cotangent(const VelocityHead& head, MatrixView<const T> y, MatrixView<const T> direction,
                          MatrixView<T> e) {
    Shapes("velocity_cotangent")
        .matrix("e", e, e.rows, head.dim)
        .wide("y", y, e.rows, head.dim)
        .wide("direction", direction, e.rows, head.dim);
    velocity_cotangent_impl(head, y, direction, e);
  }
  // From the adjoint of that cotangent: product = (d field / d y)^T direction, or, of the unit vector
  // `column`, its own element of that alone, added to sum[i].
  void velocity_product(const VelocityForm& form, MatrixView<const T> y, const double* time,
                        MatrixView<const T> n, MatrixView<const T> x_adjoint, MatrixView<const T> direction,
                        MatrixView<T> product) {
    const std::size_t dim = form.head.dim;
    Shapes("velocity_product")
        .wide("y", y, y.rows, dim)
        .values("time", time, y.rows)
        .matrix("n", n, y.rows, dim)
        .wide("x_adjoint", x_adjoint, y.rows, velocity_state_features(form.head))
        .wide("direction", direction, y.rows, dim)
        .wide("product", product, y.rows, dim);
    velocity_product_impl(form, y, time, n, x_adjoint, direction, product);
  }
  void velocity_diagonal(const VelocityForm& form, MatrixView<const T> y, const double* time,
                         MatrixView<const T> n, MatrixView<const T> x_adjoint, std::size_t column,
                         double* sum) {
    const std::size_t dim = form.head.dim;
    Shapes("velocity_diagonal")
        .that(column < dim, "a column of the states")
        .wide("y", y, y.rows, dim)
        .values("time", time, y.rows)
        .matrix("n", n, y.rows, dim)
        .wide("x_adjoint", x_adjoint, y.rows, velocity_state_features(form.head))
        .values("sum", sum, y.rows);
    velocity_diagonal_impl(form, y, time, n, x_adjoint, column, sum);
  }

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
