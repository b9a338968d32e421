#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/cancel.hpp"

namespace sklar {

// Log-odds of label 1 for each row of z (rows x dim), by a logistic regression on a constant, all columns
// z_i, all products z_i z_j and the squares (z_i^2 - 1) / sqrt 2, fitted to the rows of the other folds:
// minimised is the sum of -log likelihood plus ridge / 2 times the squared coefficients but the constant's,
// by Newton's method with conjugate gradients. Folds are numbered from 0; every row has one. Results do not
// depend on the number of threads (0: one for each processor).
std::vector<double> quadratic_scores(std::size_t threads, const double* z, std::size_t rows, std::size_t dim,
                                     const std::vector<std::int32_t>& labels,
                                     const std::vector<std::int32_t>& folds, std::size_t fold_count,
                                     double ridge, const CancelFlag& cancel);

}  // namespace sklar
