#include "backend/head_operations.hpp"

#include "backend/shapes.hpp"

namespace sklar {

// ---- classifiers of noise levels

template <class T>
void ClassifierOperations<T>::draw_batch(const BatchDraw<T>& b) {
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

template <class T>
void ClassifierOperations<T>::level_cotangent(MatrixView<T> cotangent, const std::int32_t* level) {
  Shapes("level_cotangent")
      .wide("cotangent", cotangent, cotangent.rows, 1)
      .values("level", level, cotangent.rows);
  level_cotangent_impl(cotangent, level);
}

template <class T>
void ClassifierOperations<T>::classifier_loss(const ClassifierLoss<T>& loss) {
  const std::size_t rows = loss.logits.rows, dim = loss.noise.columns, levels = loss.levels.count;
  Shapes("classifier_loss")
      .matrix("logits", loss.logits, rows, levels)
      .matrix("logit_adjoint", loss.logit_adjoint, rows, levels)
      .matrix("x", loss.x, rows, dim + 1)
      .matrix("noise", loss.noise, rows, dim)
      .matrix("denoised", loss.denoised, rows, dim)
      .that(loss.active <= rows, "no more active rows than the logits have")
      .matrix("gradient", loss.gradient, loss.active, dim)
      .matrix("gradient_adjoint", loss.gradient_adjoint, loss.active, dim + 1)
      .values("level", loss.level, rows)
      .values("row_losses", loss.row_losses, 2 * rows)
      .values("state", loss.state, 1);
  classifier_loss_impl(loss);
}

template <class T>
bool ClassifierOperations<T>::classifier_step(const ClassifierStep<T>& step,
                                              std::span<const TrainedModel<T>> models) {
  Shapes("classifier_step").that(models.size() <= most_models, "at most 16 models");
  return classifier_step_impl(step, models);
}

template <class T>
void ClassifierOperations<T>::log_ratio(double* host, MatrixView<const T> logits, std::size_t level) {
  Shapes("log_ratio").values("host", host, logits.rows).wide("logits", logits, logits.rows, level + 1);
  log_ratio_impl(host, logits, level);
}

template <class T>
void ClassifierOperations<T>::interpolate_levels(MatrixView<T> cotangent, double* reference,
                                                 const LevelInterpolation& m) {
  Shapes("interpolate_levels")
      .matrix("cotangent", cotangent, cotangent.rows, m.count)
      .that(m.count >= 2 && m.w, "two levels or more")
      .values("theta", m.theta, cotangent.rows)
      .values("reference", reference, cotangent.rows);
  interpolate_levels_impl(cotangent, reference, m);
}

// ---- velocity heads

template <class T>
void VelocityOperations<T>::draw_velocity(const VelocityDraw<T>& b) {
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

template <class T>
void VelocityOperations<T>::velocity_features(const VelocityHead& head, MatrixView<const T> y,
                                              const double* time, MatrixView<T> x) {
  Shapes("velocity_features")
      .wide("y", y, y.rows, head.dim)
      .values("time", time, y.rows)
      .matrix("x", x, y.rows, velocity_inputs(head) + 1);
  velocity_features_impl(head, y, time, x);
}

template <class T>
void VelocityOperations<T>::velocity_loss(const VelocityLoss<T>& loss) {
  const std::size_t rows = loss.y.rows, dim = loss.head.dim;
  Shapes("velocity_loss")
      .wide("y", loss.y, rows, dim)
      .matrix("output", loss.output, rows, dim)
      .matrix("target", loss.target, rows, dim)
      .matrix("output_adjoint", loss.output_adjoint, rows, dim)
      .values("time", loss.time, rows)
      .values("row_losses", loss.row_losses, rows)
      .values("state", loss.state, 1);
  velocity_loss_impl(loss);
}

template <class T>
bool VelocityOperations<T>::velocity_step(const VelocityStep<T>& step,
                                          std::span<const TrainedModel<T>> models) {
  Shapes("velocity_step").that(models.size() <= most_models, "at most 16 models");
  return velocity_step_impl(step, models);
}

template <class T>
void VelocityOperations<T>::velocity_output(const VelocityForm& form, MatrixView<const T> y,
                                            const double* time, MatrixView<const T> n, MatrixView<T> out) {
  const std::size_t dim = form.head.dim;
  Shapes("velocity_output")
      .wide("y", y, y.rows, dim)
      .values("time", time, y.rows)
      .matrix("n", n, y.rows, dim)
      .wide("out", out, y.rows, dim);
  velocity_output_impl(form, y, time, n, out);
}

template <class T>
void VelocityOperations<T>::velocity_cotangent(const VelocityHead& head, MatrixView<const T> y,
                                               MatrixView<const T> direction, MatrixView<T> e) {
  Shapes("velocity_cotangent")
      .matrix("e", e, e.rows, head.dim)
      .wide("y", y, e.rows, head.dim)
      .wide("direction", direction, e.rows, head.dim);
  velocity_cotangent_impl(head, y, direction, e);
}

template <class T>
void VelocityOperations<T>::velocity_product(const VelocityForm& form, MatrixView<const T> y,
                                             const double* time, MatrixView<const T> n,
                                             MatrixView<const T> x_adjoint, MatrixView<const T> direction,
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

template <class T>
void VelocityOperations<T>::velocity_diagonal(const VelocityForm& form, MatrixView<const T> y,
                                              const double* time, MatrixView<const T> n,
                                              MatrixView<const T> x_adjoint, std::size_t column,
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

template class ClassifierOperations<float>;
template class ClassifierOperations<double>;
template class VelocityOperations<float>;
template class VelocityOperations<double>;

}  // namespace sklar
