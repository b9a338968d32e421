#pragma once

#include <math.h>

#include "backend/operations/velocity_operations.h"
#include "backend/rows/lanes.h"
#include "core/random/philox.h"
#include "core/random/shuffle.h"
#include "heads/potential.h"

// The operations of velocity heads (docs/mathematics.md, B.1, B.2 and D.2), row by row, for host and device.
namespace sklar::rows {

SKLAR_HD_INLINE double draw_time(const TimeLaw& law, double u) {
  switch (law.kind) {
    case TimeLaw::Kind::uniform:
      return law.low + (law.high - law.low) * u;
    case TimeLaw::Kind::quartic:
      return law.high * u * u * u * u;
    case TimeLaw::Kind::logarithmic:
      return law.low * pow(law.high / law.low, u);
    case TimeLaw::Kind::log_sine:
      return asin(pow(law.low, u));
  }
  return 0;
}

// The row of the data from which row i of a batch starts; `order` is that of the epoch to which it belongs.
template <class T>
SKLAR_HD_INLINE const T* start_of_row(const VelocityDraw<T>& b, size_t i, const ShuffleKey& order) {
  const size_t n = b.data.rows;
  return b.data.row(shuffled((b.state->step * b.y.rows + i) % n, n, order));
}
// One time in each of `batch` equal parts: every batch sees the whole path.
template <class T>
SKLAR_HD_INLINE double time_of_row(const VelocityDraw<T>& b, size_t i) {
  const uint32_t tag = time_tag(b.head.process);
  const PhiloxBlock random = philox(philox_counter(i, 0, b.state->step, tag), philox_key(b.seed));
  const double u = static_cast<double>(philox_uniform(random.x));
  return draw_time(b.law, (static_cast<double>(i) + u) / static_cast<double>(b.y.rows));
}

template <class T>
SKLAR_HD_INLINE PathDraw path_draw(const VelocityDraw<T>& b, size_t i, size_t j) {
  return {b.seed, i, b.state->step, static_cast<uint32_t>(j)};
}

// Coordinates [first, end) of the path of row i; their noise begins at `noise` and may be where velocities
// go.
template <class T>
SKLAR_HD_INLINE void path_of_row(const VelocityDraw<T>& b, size_t i, size_t first, size_t end, double time,
                                 const T* from, const T* noise) {
  with_process(b.head.process, [&](auto process) {
    for (size_t j = first; j < end; ++j)
      process.path(time, from[j], noise[j - first], path_draw(b, i, j), b.y.row(i) + j, b.target.row(i) + j);
  });
}

// One coordinate, in a kernel of whole training steps.
template <class T>
SKLAR_HD_INLINE void path_in_kernel(Process process, double time, T start, T noise, T* state, T* velocity) {
  with_process_of_kernels(process, [&](auto p) { p.path(time, start, noise, PathDraw{}, state, velocity); });
}

// `features`: velocity_time of the row's time
template <class T>
SKLAR_HD_INLINE void velocity_features(const VelocityHead& head, const T* y, const double* features, T* x) {
  const size_t d = head.dim, states = velocity_state_features(head), inputs = velocity_inputs(head);
  for (size_t j = 0; j < d; ++j) velocity_lift(head, static_cast<double>(y[j]), x + j, d);
  for (size_t k = states; k < inputs; ++k) x[k] = static_cast<T>(features[k - states]);
  x[inputs] = 1;
}

// The squared error of dF / d theta, whose target is that of log N(state; alpha start, sigma^2 I), times
// sigma^2 (docs/mathematics.md, A.11), and its adjoints.
template <class T, class Lanes>
SKLAR_HD_INLINE double potential_slope_loss(const VelocityLoss<T>& l, size_t i, const Lanes& lanes) {
  const size_t d = l.head.dim;
  const PotentialTime time(l.head, l.time[i]);
  const double a = time.alpha, noise = time.noise;
  const T* y = l.y.row(i);
  const T* velocity = l.target.row(i);
  double excess = 0, products = 0;  // |epsilon|^2 - d, epsilon . start
  for (size_t j = lanes.first; j < d; j += lanes.count) {
    const double state = static_cast<double>(y[j]), along = static_cast<double>(velocity[j]);
    const double start = a * state - noise * along, epsilon = noise * state + a * along;
    excess += epsilon * epsilon - 1;
    products += epsilon * start;
  }
  excess = lanes.sum(excess);
  products = lanes.sum(products);
  const T* n = l.time_gradient.row(i);
  double slope = 0;
  for (size_t k = lanes.first; k < velocity_time_features; k += lanes.count)
    slope += time.feature_slope(k) * static_cast<double>(n[k]);
  slope = lanes.sum(slope);
  slope = time.scale_slope * static_cast<double>(l.value.row(i)[0]) + time.scale * slope;
  const double error = noise * slope - (a * excess - noise * products);
  const double weight = l.slope_weight * l.row_weight;
  const double adjoint = l.adjoint_scale * 2 * weight * error * noise;
  T* to = l.time_gradient_adjoint.row(i);
  for (size_t k = lanes.first; k < velocity_time_features; k += lanes.count)
    to[k] = static_cast<T>(adjoint * time.scale * time.feature_slope(k));
  if (lanes.first == 0) l.value_adjoint.row(i)[0] = static_cast<T>(adjoint * time.scale_slope);
  return weight * error * error;
}

template <class T, class Lanes>
SKLAR_HD_INLINE void velocity_loss(const VelocityLoss<T>& l, size_t i, const Lanes& lanes) {
  const size_t d = l.head.dim;
  const T* n = l.output.row(i);
  const T* y = l.y.row(i);
  const T* target = l.target.row(i);
  T* c = l.output_adjoint.row(i);
  const double scale = velocity_scale(l.head, velocity_form(l.head), l.time[i]);
  double sum = 0;
  for (size_t j = lanes.first; j < d; j += lanes.count) {
    const double at = static_cast<double>(y[j]);
    const double factor = velocity_factor(l.head, scale, at), weight = velocity_weight(l.head, at);
    const double error = factor * static_cast<double>(n[j]) - static_cast<double>(target[j]);
    sum += weight * error * error;
    c[j] = static_cast<T>(l.adjoint_scale * (2 * l.row_weight * factor * weight * error));
  }
  sum = l.row_weight * lanes.sum(sum);
  if (l.slope_weight > 0) sum += potential_slope_loss(l, i, lanes);
  if (lanes.first == 0) l.row_losses[i] = sum;
}

template <class T>
SKLAR_HD_INLINE void velocity_output(const VelocityForm& f, const T* y, double time, const T* n, T* out) {
  const double scale = f.scale(time);
  for (size_t j = 0; j < f.head.dim; ++j)
    out[j] =
        static_cast<T>(velocity_factor(f.head, scale, static_cast<double>(y[j])) * static_cast<double>(n[j]));
}

template <class T>
SKLAR_HD_INLINE void velocity_cotangent(const VelocityHead& head, const T* y, const T* direction, T* e) {
  for (size_t j = 0; j < head.dim; ++j)
    e[j] = static_cast<T>(static_cast<double>(direction[j]) * velocity_face(head, static_cast<double>(y[j])));
}

// Element j of (d field / d y)^T xi over the field's scale: y_j moves the network's input, and what the
// output is multiplied by.
template <class T>
SKLAR_HD_INLINE double velocity_pull(const VelocityHead& head, double u, double xi, double n,
                                     const T* x_adjoint) {
  return velocity_lift_slope(head, u, x_adjoint, head.dim) + xi * velocity_face_slope(head, u) * n;
}

template <class T>
SKLAR_HD_INLINE void velocity_product(const VelocityForm& f, const T* y, double time, const T* n,
                                      const T* x_adjoint, const T* direction, T* product) {
  const double scale = f.scale(time);
  for (size_t j = 0; j < f.head.dim; ++j)
    product[j] = static_cast<T>(scale * velocity_pull(f.head, static_cast<double>(y[j]),
                                                      static_cast<double>(direction[j]),
                                                      static_cast<double>(n[j]), x_adjoint + j));
}

template <class T>
SKLAR_HD_INLINE double velocity_diagonal(const VelocityForm& f, const T* y, double time, const T* n,
                                         const T* x_adjoint, size_t column) {
  return f.scale(time) * velocity_pull(f.head, static_cast<double>(y[column]), 1,
                                       static_cast<double>(n[column]), x_adjoint + column);
}

}  // namespace sklar::rows
