#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/backend.hpp"
#include "core/philox.h"
#include "core/shuffle.h"

// Rows [begin, end) of the operations of velocity heads, on the host.
namespace sklar::cpu {

inline double draw_time(const TimeLaw& law, double u) {
  switch (law.kind) {
    case TimeLaw::Kind::uniform:
      return law.low + (law.high - law.low) * u;
    case TimeLaw::Kind::quartic:
      return law.high * u * u * u * u;
    case TimeLaw::Kind::logarithmic:
      return law.low * std::pow(law.high / law.low, u);
    case TimeLaw::Kind::log_sine:
      return std::asin(std::pow(law.low, u));
  }
  return 0;
}

template <class T>
void draw_velocity(const VelocityDraw<T>& b, std::size_t begin, std::size_t end) {
  const std::size_t batch = b.y.rows, d = b.head.dim, n = b.data.rows;
  const std::uint64_t step = b.state->step, first = step * batch;
  const PhiloxKey key = philox_key(b.seed);
  const std::uint32_t time_tag =
      b.head.kind == VelocityKind::trigonometric ? kTagTrainTime : kTagReflectionTime;
  std::uint64_t epoch = (first + begin) / n;
  ShuffleKey order = shuffle_key(b.seed, epoch);
  for (std::size_t i = begin; i < end; ++i) {
    if ((first + i) / n != epoch) order = shuffle_key(b.seed, epoch = (first + i) / n);
    const T* from = b.data.row(shuffled((first + i) % n, n, order));
    // one time in each of `batch` equal parts: every batch sees the whole path
    const double u = static_cast<double>(philox_uniform(philox(philox_counter(i, 0, step, time_tag), key).x));
    const double time = b.time[i] =
        draw_time(b.law, (static_cast<double>(i) + u) / static_cast<double>(batch));
    T* y = b.y.row(i);
    T* target = b.target.row(i);  // holds the noise
    for (std::size_t j = 0; j < d; ++j) velocity_path(b.head, time, from[j], target[j], &y[j], &target[j]);
    y[d] = 1;
  }
}

template <class T>
void velocity_features(const VelocityHead& head, MatrixView<const T> y, const double* time, MatrixView<T> x,
                       std::size_t begin, std::size_t end) {
  const std::size_t d = head.dim, states = velocity_state_features(head), inputs = velocity_inputs(head);
  double features[velocity_time_features];
  for (std::size_t i = begin; i < end; ++i) {
    const T* from = y.row(i);
    T* to = x.row(i);
    for (std::size_t j = 0; j < d; ++j) velocity_lift(head, static_cast<double>(from[j]), to + j, d);
    if (i == begin || time[i] != time[i - 1]) velocity_time(head, time[i], features);
    for (std::size_t k = states; k < inputs; ++k) to[k] = static_cast<T>(features[k - states]);
    to[inputs] = 1;
  }
}

template <class T>
void velocity_loss(const VelocityLoss<T>& l, std::size_t begin, std::size_t end) {
  const std::size_t d = l.head.dim;
  for (std::size_t i = begin; i < end; ++i) {
    const T* n = l.output.row(i);
    const T* y = l.y.row(i);
    const T* target = l.target.row(i);
    T* c = l.output_adjoint.row(i);
    const double scale = velocity_scale(l.head, velocity_form(l.head), l.time[i]);
    double sum = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const double factor = scale * velocity_boundary(l.head, static_cast<double>(y[j]));
      const double error = factor * static_cast<double>(n[j]) - static_cast<double>(target[j]);
      sum += error * error;
      c[j] = static_cast<T>(2 * l.row_weight * factor * error);
    }
    l.row_losses[i] = l.row_weight * sum;
  }
}

template <class T>
void velocity_output(const VelocityForm& f, MatrixView<const T> y, const double* time, MatrixView<const T> n,
                     MatrixView<T> out, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    const double scale = f.scale(time[i]);
    for (std::size_t j = 0; j < f.head.dim; ++j)
      out.row(i)[j] = static_cast<T>(scale * velocity_boundary(f.head, static_cast<double>(y.row(i)[j])) *
                                     static_cast<double>(n.row(i)[j]));
  }
}

template <class T>
void velocity_cotangent(const VelocityHead& head, MatrixView<const T> y, MatrixView<const T> direction,
                        MatrixView<T> e, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i)
    for (std::size_t j = 0; j < head.dim; ++j)
      e.row(i)[j] = static_cast<T>(static_cast<double>(direction.row(i)[j]) *
                                   velocity_boundary(head, static_cast<double>(y.row(i)[j])));
}

// Element j of (d field / d y)^T xi over the field's scale: y_j moves the network's input, and what the
// output is multiplied by.
template <class T>
double velocity_pull(const VelocityHead& head, double u, double xi, double n, const T* x_adjoint) {
  return velocity_lift_slope(head, u, x_adjoint, head.dim) + xi * velocity_boundary_slope(head, u) * n;
}

template <class T>
void velocity_product(const VelocityForm& f, MatrixView<const T> y, const double* time, MatrixView<const T> n,
                      MatrixView<const T> x_adjoint, MatrixView<const T> direction, MatrixView<T> product,
                      std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    const double scale = f.scale(time[i]);
    for (std::size_t j = 0; j < f.head.dim; ++j)
      product.row(i)[j] =
          static_cast<T>(scale * velocity_pull(f.head, static_cast<double>(y.row(i)[j]),
                                               static_cast<double>(direction.row(i)[j]),
                                               static_cast<double>(n.row(i)[j]), x_adjoint.row(i) + j));
  }
}

template <class T>
void velocity_diagonal(const VelocityForm& f, MatrixView<const T> y, const double* time,
                       MatrixView<const T> n, MatrixView<const T> x_adjoint, std::size_t column, double* sum,
                       std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i)
    sum[i] +=
        f.scale(time[i]) * velocity_pull(f.head, static_cast<double>(y.row(i)[column]), 1,
                                         static_cast<double>(n.row(i)[column]), x_adjoint.row(i) + column);
}

}  // namespace sklar::cpu
