#pragma once

#include <cstddef>
#include <vector>

#include "core/threads/cancel.hpp"

// Dependence of pairs of columns as their ranks show it (docs/mathematics.md, E): x rows x dim, dense,
// finite; at least two rows. weights: of the rows, positive; null: all are 1. A row of weight k counts as k
// equal ones. Results do not depend on the number of threads (0: one for each processor).
namespace sklar {

// Kendall's tau-b, dim x dim. In O(rows log rows) a pair: Knight (1966). NaN where a column is constant.
std::vector<double> kendall_tau(std::size_t threads, const double* x, const double* weights, std::size_t rows,
                                std::size_t dim, const CancelFlag& cancel);

// Asymptotic variances of Kendall's tau by the rows' own concordances h_i = mean over j of the sign of (x_i -
// x_j) (y_i - y_j): 4 var(h) / rows (Hoeffding 1948); of weighted rows 4 sum w^2 (h - mean)^2 / (sum w)^2. Of
// every pair of columns, dim x dim with 0 on the diagonal, and of the mean over the pairs.
struct KendallVariance {
  std::vector<double> pairs;
  double mean;
};
KendallVariance kendall_variance(std::size_t threads, const double* x, const double* weights,
                                 std::size_t rows, std::size_t dim, const CancelFlag& cancel);

// Spearman's rho, dim x dim: the correlation of ranks, ties at their mean rank. NaN where a column is
// constant.
std::vector<double> spearman_rho(std::size_t threads, const double* x, const double* weights,
                                 std::size_t rows, std::size_t dim, const CancelFlag& cancel);

// Blomqvist's beta, dim x dim: the correlation of sides of the medians, 0 at the median itself. NaN where a
// column is constant.
std::vector<double> blomqvist_beta(std::size_t threads, const double* x, const double* weights,
                                   std::size_t rows, std::size_t dim, const CancelFlag& cancel);

// Each q.size() x dim x dim. With u the levels of the ranks: lower = P(u_i < q, u_j < q) / q, upper = P(u_i >
// q, u_j > q) / (1 - q), at most 1: a row fills its share 1 / rows, rows of equal values that of their block,
// in which columns are independent. And their binomial standard errors, with (count + 1) / (rows + 2) for the
// probability, so that an empty corner has one too; of weighted rows with the (sum w)^2 / sum w^2 that they
// are worth in place of rows there.
struct TailCurves {
  std::vector<double> lower, lower_error, upper, upper_error;
};
TailCurves tail_curves(std::size_t threads, const double* x, const double* weights, std::size_t rows,
                       std::size_t dim, const std::vector<double>& q, const CancelFlag& cancel);

}  // namespace sklar
