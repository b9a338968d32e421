#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/threads/cancel.hpp"

namespace sklar {

// Log-odds of label 1 for each row of z (rows x dim), by a logistic regression that is fitted to the rows of
// the other folds. Its features: a constant, the columns z_i, the squares (z_i^2 - 1) / sqrt 2, all products
// z_i z_j, and the log-odds log((a + 1/2) / (k - a + 1/2)) of the row's neighbours, a of whose k have label
// 1. Neighbours are rows of the other folds, never the row itself: of the 4 k nearest rows the k nearest
// such, the one with the lower number where two are as far. Minimised is the sum of -log likelihood plus
// ridge / 2 times the squared coefficients of the quadratic features plus half the square of that of the
// neighbours, by Newton's method with conjugate gradients. Folds are numbered from 0. Results do not depend
// on the number of threads (0: one for each processor).
std::vector<double> classifier_scores(std::size_t threads, const double* z, std::size_t rows, std::size_t dim,
                                      const std::vector<std::int32_t>& labels,
                                      const std::vector<std::int32_t>& folds, std::size_t fold_count,
                                      double ridge, std::size_t neighbours, const CancelFlag& cancel);

}  // namespace sklar
