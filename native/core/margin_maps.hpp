#pragma once

#include <vector>

namespace sklar {

// One increasing map for each column, from what an integrator makes of the column on the Gaussian scale to
// the standard normal it should be: z -> quantile(H(z)), H the distribution of the column in a pilot sample.
// By Sklar's theorem the dependence of the sample stays what it was.
struct MarginMaps {
  static constexpr std::size_t knots = 33;  // at normal quantiles -3.2, -3, ..., 3.2
  static constexpr std::size_t fewest_rows = 4096;

  std::vector<double> from, slope;  // dim x knots
  std::vector<double> to;           // knots

  explicit MarginMaps(std::vector<double> from_knots);

  // pilot: rows x dim, dense, on the Gaussian scale. Returns dim x knots: its quantiles at the probabilities
  // of the knots. Throws Error("VALUE") for fewer than fewest_rows rows.
  static std::vector<double> estimate(const double* pilot, std::size_t rows, std::size_t dim);

  double operator()(std::size_t column, double z) const;
};

}  // namespace sklar
