#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "core/cancel.hpp"
#include "core/symmetric.hpp"

namespace sklar {

double log_determinant_of_cholesky(const std::vector<double>& l, std::size_t dim);

// Correlation matrix of the normal scores quantile(u); u rows x dim, dense, in (0, 1).
std::vector<double> normal_scores_correlation(std::size_t threads, const double* u, std::size_t rows,
                                              std::size_t dim, const CancelFlag& cancel);

// The same of scores z, followed by a column of ones.
std::vector<double> correlation_of_scores(Backend<double>& backend, MatrixView<const double> z);

// Log density of the Gaussian copula with correlation L L^T at rows of u (or of z, with from_gaussian).
void gaussian_log_pdf(std::size_t threads, const std::vector<double>& l, const double* u, bool from_gaussian,
                      std::size_t rows, std::size_t dim, double* out, const CancelFlag& cancel);

// Rows first_row.. of the sample of `seed`, dense; on the copula scale or (to_gaussian) the Gaussian scale.
void gaussian_sample(std::size_t threads, const std::vector<double>& l, std::size_t dim, std::size_t rows,
                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian, double* out,
                     const CancelFlag& cancel);

// Rows must be finite and, on the copula scale, inside (0, 1); throws Error("VALUE") naming row and column.
void check_rows(const double* u, bool from_gaussian, std::size_t rows, std::size_t dim);

}  // namespace sklar
