#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/threads/cancel.hpp"

namespace sklar {

// Correlation matrix of the normal scores quantile(u); u rows x dim, dense, in (0, 1). weights: of the rows;
// null: all are 1.
std::vector<double> normal_scores_correlation(std::size_t threads, const double* u, const double* weights,
                                              std::size_t rows, std::size_t dim, const CancelFlag& cancel);

// Log density of the Gaussian copula with correlation L L^T at rows of u (or of z, with from_gaussian).
void gaussian_log_pdf(std::size_t threads, const std::vector<double>& l, const double* u, bool from_gaussian,
                      std::size_t rows, std::size_t dim, double* out, const CancelFlag& cancel);

// Rows first_row.. of the sample of `seed`, dense; on the copula scale or (to_gaussian) the Gaussian scale.
void gaussian_sample(std::size_t threads, const std::vector<double>& l, std::size_t dim, std::size_t rows,
                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian, double* out,
                     const CancelFlag& cancel);

}  // namespace sklar
