#pragma once

#include <stddef.h>

#include "core/host_device.h"

// Solves with a lower triangular L (dim x dim, dense), a row at a time, for host and device.
namespace sklar {

// Row i of x in L x = b, from the rows before it; `row` of L, b of that row, rows of x `stride` apart.
SKLAR_HD double solve_row(const double* row, size_t i, double b, const double* x, size_t stride = 1) {
  for (size_t k = 0; k < i; ++k) b -= row[k] * x[k * stride];
  return b / row[i];
}

// x <- L^-1 x
SKLAR_HD void solve_lower(const double* l, size_t dim, double* x, size_t stride = 1) {
  for (size_t i = 0; i < dim; ++i) x[i * stride] = solve_row(l + i * dim, i, x[i * stride], x, stride);
}

// x <- L^-T x
SKLAR_HD void solve_lower_transposed(const double* l, size_t dim, double* x) {
  for (size_t i = dim; i-- > 0;) {
    for (size_t k = i + 1; k < dim; ++k) x[i] -= l[k * dim + i] * x[k];
    x[i] /= l[i * dim + i];
  }
}

}  // namespace sklar
