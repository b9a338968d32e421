#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "backend/backend.hpp"
#include "core/brownian.h"
#include "core/fold.h"
#include "process/level_interpolation.h"

// What the integrators ask of a backend, row by row.
namespace sklar::cpu {

template <class T>
void keep_finite(T* y, T* good, std::size_t columns, std::int32_t& failed, std::int32_t mark) {
  T sum = 0;
  for (std::size_t j = 0; j < columns; ++j) sum += y[j] * T(0);
  if (!(sum == T(0)) && failed == 0) failed = mark;
  if (failed)
    std::copy(good, good + columns, y);
  else
    std::copy(y, y + columns, good);
}

template <class T>
double error_of_row(const ErrorNorm<T>& n, std::size_t i) {
  double sum = 0;
  auto add = [&](double error, double a, double b) {
    const double scaled = error / (n.absolute + n.relative * std::max(std::abs(a), std::abs(b)));
    sum += scaled * scaled;
  };
  const std::size_t columns = n.error.columns;
  for (std::size_t j = 0; j < columns; ++j)
    add(static_cast<double>(n.error.row(i)[j]), static_cast<double>(n.a.row(i)[j]),
        static_cast<double>(n.b.row(i)[j]));
  for (std::size_t k = 0; k < n.extra; ++k) {
    const double value = n.extra_value[i * n.extra + k];
    add(n.extra_error[i * n.extra + k], value, value);
  }
  return std::sqrt(sum / static_cast<double>(columns + n.extra));
}

template <class T>
void brownian_row(T* w, T* h, std::size_t columns, const BrownianPath& path, std::uint64_t row, double from,
                  double to) {
  const PhiloxKey key = philox_key(path.seed);
  for (std::size_t j = 0; j < columns; j += 2) {
    BrownianIncrement step[2] = {{0, 0}, {0, 0}};
    if (to > from) {
      const auto pair = static_cast<std::uint32_t>(j / 2);
      BrownianPoint at[2], end[2];
      brownian_at(key, path.first_row + row, pair, kTagBrownian, path.span, from, at);
      brownian_at(key, path.first_row + row, pair, kTagBrownian, path.span, to, end);
      for (int k = 0; k < 2; ++k) step[k] = brownian_between(at[k], end[k], from, to);
    }
    for (std::size_t k = 0; k < 2 && j + k < columns; ++k) {
      w[j + k] = static_cast<T>(step[k].w);
      h[j + k] = static_cast<T>(step[k].h);
    }
  }
}

template <class T>
void signs_of_row(T* out, std::size_t columns, std::uint64_t seed, std::uint64_t row, std::uint64_t step,
                  std::uint32_t tag) {
  const PhiloxKey key = philox_key(seed);
  for (std::size_t j = 0; j < columns; j += 4) {
    const PhiloxBlock random = philox(philox_counter(row, static_cast<std::uint32_t>(j / 4), step, tag), key);
    const std::uint32_t word[4] = {random.x, random.y, random.z, random.w};
    for (std::size_t k = 0; k < 4 && j + k < columns; ++k) out[j + k] = word[k] >> 31 ? T(1) : T(-1);
  }
}

// area: for all vectors of the row
template <class T>
void orthonormalise_row(std::span<const MatrixView<T>> q, std::size_t i, double* area) {
  const std::size_t d = q[0].columns;
  const auto dot = [d](const double* a, const double* b) {
    double sum = 0;
    for (std::size_t j = 0; j < d; ++j) sum += a[j] * b[j];
    return sum;
  };
  constexpr double rounding = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t k = 0; k < q.size(); ++k) {
    double* v = area + k * d;
    for (std::size_t j = 0; j < d; ++j) v[j] = static_cast<double>(q[k].row(i)[j]);
    const double before = std::sqrt(dot(v, v));
    for (int pass = 0; pass < 2; ++pass)  // the second takes away what the first left by rounding
      for (const double* earlier = area; earlier < v; earlier += d) {
        const double along = dot(earlier, v);
        for (std::size_t j = 0; j < d; ++j) v[j] -= along * earlier[j];
      }
    const double length = std::sqrt(dot(v, v));
    const double scale = length > rounding * before ? 1 / length : 0;
    for (std::size_t j = 0; j < d; ++j) q[k].row(i)[j] = static_cast<T>(v[j] *= scale);
  }
}

}  // namespace sklar::cpu
