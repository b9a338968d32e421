#pragma once

// A strictly increasing map of the real line through given knots: monotone cubic Hermite between them (slopes
// of Fritsch and Butland 1984), a shift beyond them. Compiles for host and device.

#include <stddef.h>

#include "core/host_device.h"

namespace sklar {

// x and y increasing; m: slope dy/dx at each of the `knots` (at least 2) knots
SKLAR_HD_INLINE double monotone_map(const double* x, const double* y, const double* m, size_t knots,
                                    double at) {
  if (at <= x[0]) return y[0] + (at - x[0]);
  if (at >= x[knots - 1]) return y[knots - 1] + (at - x[knots - 1]);
  size_t low = 0, high = knots - 1;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    if (at < x[middle])
      high = middle;
    else
      low = middle;
  }
  const double h = x[low + 1] - x[low], t = (at - x[low]) / h, s = 1 - t;
  return s * s * ((1 + 2 * t) * y[low] + t * h * m[low]) +
         t * t * ((3 - 2 * t) * y[low + 1] - s * h * m[low + 1]);
}

// Slopes that keep the interpolant increasing; the end slopes are 1, those of the shift.
inline void monotone_slopes(const double* x, const double* y, double* m, size_t knots) {
  m[0] = m[knots - 1] = 1;
  for (size_t i = 1; i + 1 < knots; ++i) {
    const double left = x[i] - x[i - 1], right = x[i + 1] - x[i];
    const double a = (y[i] - y[i - 1]) / left, b = (y[i + 1] - y[i]) / right;
    const double share = (left + 2 * right) / (3 * (left + right));
    m[i] = a * b / (share * b + (1 - share) * a);
  }
  // a slope above three times a neighbouring secant would turn the cubic around
  const double first = 3 * (y[1] - y[0]) / (x[1] - x[0]);
  const double last = 3 * (y[knots - 1] - y[knots - 2]) / (x[knots - 1] - x[knots - 2]);
  if (m[0] > first) m[0] = first;
  if (m[knots - 1] > last) m[knots - 1] = last;
}

}  // namespace sklar
