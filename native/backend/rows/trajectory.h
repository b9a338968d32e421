#pragma once

#include <math.h>

#include "backend/operations/classifier_operations.h"
#include "core/random/brownian.h"
#include "process/level_interpolation.h"

// What the integrators ask of a backend, row by row, for host and device.
namespace sklar::rows {

template <class T>
SKLAR_HD_INLINE void keep_finite(T* y, T* good, size_t columns, int32_t& failed, int32_t mark) {
  T sum = 0;
  for (size_t j = 0; j < columns; ++j) sum += y[j] * T(0);
  if (!(sum == T(0)) && failed == 0) failed = mark;
  for (size_t j = 0; j < columns; ++j) {
    if (failed)
      y[j] = good[j];
    else
      good[j] = y[j];
  }
}

template <class T>
SKLAR_HD_INLINE double error_of_row(const ErrorNorm<T>& n, size_t i) {
  double sum = 0;
  auto add = [&](double error, double a, double b) {
    const double scaled = error / (n.absolute + n.relative * fmax(fabs(a), fabs(b)));
    sum += scaled * scaled;
  };
  const size_t columns = n.error.columns;
  for (size_t j = 0; j < columns; ++j)
    add(static_cast<double>(n.error.row(i)[j]), static_cast<double>(n.a.row(i)[j]),
        static_cast<double>(n.b.row(i)[j]));
  for (size_t k = 0; k < n.extra; ++k) {
    const double value = n.extra_value[i * n.extra + k];
    add(n.extra_error[i * n.extra + k], value, value);
  }
  return sqrt(sum / static_cast<double>(columns + n.extra));
}

// Columns 2 pair and 2 pair + 1 of row i, between from[i] and to[i].
template <class T>
SKLAR_HD_INLINE void brownian_pair(MatrixView<T> w, MatrixView<T> h, const BrownianPath& path, size_t i,
                                   uint32_t pair, double from, double to) {
  BrownianIncrement step[2] = {{0, 0}, {0, 0}};
  if (to > from) {
    const PhiloxKey key = philox_key(path.seed);
    const uint64_t row = path.first_row + (path.rows ? path.rows[i] : i);
    BrownianPoint before[2] = {}, at[2] = {};
    SKLAR_ROLLED
    for (int end = 0; end < 2; ++end) {
      for (int k = 0; k < 2; ++k) before[k] = at[k];
      brownian_at(key, row, pair, kTagBrownian, path.span, end ? to : from, at);
    }
    for (int k = 0; k < 2; ++k) step[k] = brownian_between(before[k], at[k], from, to);
  }
  for (size_t k = 0; k < 2 && 2 * pair + k < w.columns; ++k) {
    w.row(i)[2 * pair + k] = static_cast<T>(step[k].w);
    h.row(i)[2 * pair + k] = static_cast<T>(step[k].h);
  }
}

template <class T>
SKLAR_HD_INLINE void signs_of_row(T* out, size_t columns, uint64_t seed, uint64_t row, uint64_t step,
                                  uint32_t tag) {
  const PhiloxKey key = philox_key(seed);
  for (size_t j = 0; j < columns; j += 4) {
    const PhiloxBlock random = philox(philox_counter(row, static_cast<uint32_t>(j / 4), step, tag), key);
    const uint32_t word[4] = {random.x, random.y, random.z, random.w};
    for (size_t k = 0; k < 4 && j + k < columns; ++k) out[j + k] = word[k] >> 31 ? T(1) : T(-1);
  }
}

// Row i of `count` matrices q; the area holds all these vectors, its elements `stride` apart.
template <class T>
SKLAR_HD_INLINE void orthonormalise_row(const MatrixView<T>* q, size_t count, size_t i, double* area,
                                        size_t stride) {
  const size_t d = q[0].columns;
  // 64 roundings
  constexpr double rounding = sizeof(T) == sizeof(float) ? 0x1p-17 : 0x1p-46;
  for (size_t k = 0; k < count; ++k) {
    double* const v = area + k * d * stride;
    double square = 0;
    for (size_t j = 0; j < d; ++j) {
      v[j * stride] = static_cast<double>(q[k].row(i)[j]);
      square += v[j * stride] * v[j * stride];
    }
    const double before = sqrt(square);
    for (int pass = 0; pass < 2; ++pass)  // the second takes away what the first left by rounding
      for (size_t m = 0; m < k; ++m) {
        const double* const earlier = area + m * d * stride;
        double along = 0;
        for (size_t j = 0; j < d; ++j) along += earlier[j * stride] * v[j * stride];
        SKLAR_ROLLED
        for (size_t j = 0; j < d; ++j) v[j * stride] -= along * earlier[j * stride];
      }
    square = 0;
    for (size_t j = 0; j < d; ++j) square += v[j * stride] * v[j * stride];
    const double length = sqrt(square), scale = length > rounding * before ? 1 / length : 0;
    for (size_t j = 0; j < d; ++j) q[k].row(i)[j] = static_cast<T>(v[j * stride] *= scale);
  }
}

// The cotangent of the logits of row i, and the weight of the part that is known at the last level.
template <class T>
SKLAR_HD_INLINE double interpolate_levels_row(T* cotangent, size_t columns, const LevelInterpolation& m,
                                              size_t i) {
  const LevelWeights mix = sklar::interpolate_levels(m.w, m.count, m.known_reference, m.theta[i], m.form);
  for (size_t j = 0; j < columns; ++j) cotangent[j] = 0;
  cotangent[mix.near] += static_cast<T>(mix.near_weight);
  cotangent[mix.far] += static_cast<T>(mix.far_weight);
  cotangent[m.count - 1] -= static_cast<T>(mix.near_weight + mix.far_weight);
  return mix.reference_weight;
}

}  // namespace sklar::rows
