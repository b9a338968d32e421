#pragma once

#include <cstddef>

namespace sklar {

// Sum of a_k b_k, in eight sums side by side.
inline double dot(const double* a, const double* b, std::size_t count) {
  constexpr std::size_t lanes = 8;
  double part[lanes] = {};
  std::size_t k = 0;
  for (; k + lanes <= count; k += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) part[lane] += a[k + lane] * b[k + lane];
  double sum = 0;
  for (double value : part) sum += value;
  for (; k < count; ++k) sum += a[k] * b[k];
  return sum;
}

}  // namespace sklar
