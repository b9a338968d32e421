#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/threads/cancel.hpp"

// How far two samples are apart (docs/mathematics.md, G.3). Both stand in one array x, rows x dim, dense and
// finite: the first `first` rows are one sample, the others the second. Results do not depend on the number
// of threads (0: one for each processor).
namespace sklar {

// Each row of x as seen by the columns of base (base_rows x dim): z = quantile((less + equal / 2 + 1/2) /
// (base_rows + 1)), with the counts of values of the column that are less than the row's and equal to it. Of
// base itself without ties these are its normal scores. rows x dim.
std::vector<double> normal_scores(std::size_t threads, const double* base, std::size_t base_rows,
                                  const double* x, std::size_t rows, std::size_t dim,
                                  const CancelFlag& cancel);

// One for each column: the largest difference of the two empirical distributions, and the statistic T of
// Cramer and von Mises for two samples (Anderson, 1962), ties at their mean rank.
struct MarginDistances {
  std::vector<double> kolmogorov, cramer;
};
MarginDistances margin_distances(std::size_t threads, const double* x, std::size_t rows, std::size_t first,
                                 std::size_t dim, const CancelFlag& cancel);

// The sums that make the energy distance and the maximum mean discrepancy. The value of a pair is its
// Euclidean distance where there are no bandwidths, else the mean over the bandwidths h of
// exp(-distance^2 / (2 h^2)).
struct PairSums {
  std::vector<double> to_first, to_second;  // of each row, over the other rows of either sample
  // Under relabelling p, `first` rows drawn without replacement as the first sample: the sum over its pairs,
  // and over the pairs of a row of it and one of the others.
  std::vector<double> within_first, between;
};
PairSums pair_sums(std::size_t threads, const double* x, std::size_t rows, std::size_t first, std::size_t dim,
                   const std::vector<double>& bandwidths, std::size_t relabellings, std::uint64_t seed,
                   const CancelFlag& cancel, const Fraction& progress);

// The median of the distances of all pairs of rows, the upper one of an even number.
double median_distance(const double* x, std::size_t rows, std::size_t dim, const CancelFlag& cancel);

// For each of so many directions, uniform on the sphere: the integral over p of |F^-1(p) - G^-1(p)|^order of
// the two samples projected on it, order 1 or 2.
std::vector<double> sliced_wasserstein(std::size_t threads, const double* x, std::size_t rows,
                                       std::size_t first, std::size_t dim, std::size_t directions,
                                       std::size_t order, std::uint64_t seed, const CancelFlag& cancel,
                                       const Fraction& progress);

// For each row of x the distance to the nearest row of base, both dense: the mean over the columns of the
// absolute differences, of those in `labels` (0 or 1, one for each column) of whether they differ (Gower,
// 1971).
std::vector<double> nearest_distances(std::size_t threads, const double* base, std::size_t base_rows,
                                      const double* x, std::size_t rows, std::size_t dim,
                                      const std::vector<std::uint32_t>& labels, const CancelFlag& cancel);

}  // namespace sklar
