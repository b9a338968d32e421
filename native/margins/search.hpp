#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

// Searching ascending numbers, and linear interpolation between neighbours.
namespace sklar {

// The position of the first of so many values that is not below x; their number if there is none, 0 for NaN.
inline std::size_t lower_bound(const double* values, std::size_t count, double x) {
  // without branches, so that the searches of neighbouring rows overlap
  const double* base = values;
  while (count > 1) {
    const std::size_t half = count / 2;
    base = base[half - 1] < x ? base + half : base;
    count -= half;
  }
  return static_cast<std::size_t>(base - values) + (count == 1 && *base < x ? 1 : 0);
}

// The same of so many x at once, whose searches then overlap.
template <std::size_t lanes>
void lower_bounds(const double* values, std::size_t count, const double* x, std::size_t* out) {
  const double* base[lanes];
  for (std::size_t l = 0; l < lanes; ++l) base[l] = values;
  std::size_t left = count;
  while (left > 1) {
    const std::size_t half = left / 2;
    for (std::size_t l = 0; l < lanes; ++l) base[l] = base[l][half - 1] < x[l] ? base[l] + half : base[l];
    left -= half;
  }
  for (std::size_t l = 0; l < lanes; ++l)
    out[l] = static_cast<std::size_t>(base[l] - values) + (count > 0 && *base[l] < x[l] ? 1 : 0);
}

// Of one x, searched in growing steps away from a guess: fast when the guess is near.
inline std::size_t lower_bound_near(const double* values, std::size_t count, double x, std::size_t guess) {
  if (count == 0) return 0;
  guess = std::min(guess, count - 1);
  std::size_t low = 0, high = guess, step = 1;
  if (values[guess] < x) {
    for (low = guess + 1; low + step <= count && values[low + step - 1] < x; step *= 2) low += step;
    high = std::min(count, low + step);
  } else {
    while (step <= high && !(values[high - step] < x)) {
      high -= step;
      step *= 2;
    }
    low = step <= high ? high - step + 1 : 0;
  }
  return low + lower_bound(values + low, high - low, x);
}

// Where x lies between lower and upper, from 0 to 1. Halves, because the difference of large values can
// overflow.
inline double position(double x, double lower, double upper) {
  const double span = upper - lower;
  return std::isfinite(span) ? (x - lower) / span : (x / 2 - lower / 2) / (upper / 2 - lower / 2);
}

// The inverse of position: increases with the fraction also under rounding, and stays between lower and
// upper.
inline double interpolate(double fraction, double lower, double upper) {
  const double span = upper - lower;
  if (std::isfinite(span)) return std::min(upper, lower + fraction * span);
  return std::min(upper, 2 * (lower / 2 + fraction * (upper / 2 - lower / 2)));
}

}  // namespace sklar
