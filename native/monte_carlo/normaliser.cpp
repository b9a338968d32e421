#include "monte_carlo/normaliser.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random/philox.h"

namespace sklar {
namespace {

double logistic(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

struct Balance {
  const double* reference;
  const double* target;
  const double* weights;
  std::size_t rows;

  // Means of both sides at C; the first falls, the second rises with C.
  double at_reference(double c) const {
    double sum = 0;
    for (std::size_t i = 0; i < rows; ++i) sum += logistic(reference[i] - c);
    return sum / static_cast<double>(rows);
  }
  double at_target(double c) const {
    double sum = 0, total = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      sum += weights[i] * logistic(c - target[i]);
      total += weights[i];
    }
    return sum / total;
  }
  double solve() const {
    // the root lies where F does: outside all values one side is larger
    double low = *std::min_element(reference, reference + rows),
           high = *std::max_element(target, target + rows);
    low = std::min(low, *std::min_element(target, target + rows)) - 1;
    high = std::max(high, *std::max_element(reference, reference + rows)) + 1;
    for (int i = 0; i < 200 && high - low > 1e-13 * std::max(1.0, std::abs(low)); ++i) {
      const double middle = 0.5 * (low + high);
      (at_reference(middle) > at_target(middle) ? low : high) = middle;
    }
    return 0.5 * (low + high);
  }
};

}  // namespace

NormaliserEstimate monte_carlo_normaliser(const std::vector<double>& f) {
  const double n = static_cast<double>(f.size()), mean = log_mean_exp(f.data(), f.size());
  double squares = 0;
  for (double x : f) squares += std::exp(2 * (x - mean));
  const double variance = std::max(0.0, squares / n - 1) * n / (n - 1);
  return {mean, std::sqrt(variance / n), n * n / squares};
}

NormaliserEstimate bennett_normaliser(const std::vector<double>& at_reference,
                                      const std::vector<double>& at_target,
                                      const std::vector<double>& weights, std::size_t islands) {
  const Balance all{at_reference.data(), at_target.data(), weights.data(), at_target.size()};
  NormaliserEstimate estimate;
  estimate.log_z = all.solve();
  estimate.effective = 2 * all.at_reference(estimate.log_z);
  if (islands < 2) {
    estimate.standard_error = std::numeric_limits<double>::infinity();
    return estimate;
  }
  const std::size_t rows = at_target.size() / islands;
  double squares = 0, mean = 0;
  std::vector<double> parts(islands);
  for (std::size_t m = 0; m < islands; ++m) {
    const std::size_t at = m * rows;
    parts[m] = Balance{&at_reference[at], &at_target[at], &weights[at], rows}.solve();
    mean += parts[m] / static_cast<double>(islands);
  }
  for (double c : parts) squares += (c - mean) * (c - mean);
  const double n = static_cast<double>(islands);
  estimate.standard_error = std::sqrt(squares / (n - 1) / n);
  return estimate;
}

template <class T>
Normaliser estimate_normaliser(Backend<T>& backend, LevelPath<T>& path, const SmcOptions& options,
                               const CancelFlag& cancel, const Fraction& progress) {
  const SmcResult<T> smc = annealed_smc(backend, path, options, cancel, progress);
  Normaliser result;
  result.smc = {smc.log_z, smc.standard_error, smc.effective};
  result.stages = smc.stages;
  const std::size_t rows = smc.log_density.size();
  Matrix<T> y = matrix_with_ones(backend, rows, path.dim());
  backend.normals(without_ones(y.view()), options.seed, 0, 0, kTagNormaliserReference);
  std::vector<double> above(rows), f(rows);
  path.evaluate(y, 0, 1, above.data(), f.data(), {});
  result.monte_carlo = monte_carlo_normaliser(f);
  result.bennett = bennett_normaliser(f, smc.log_density, smc.weights, options.islands);
  return result;
}

template Normaliser estimate_normaliser(Backend<float>&, LevelPath<float>&, const SmcOptions&,
                                        const CancelFlag&, const Fraction&);
template Normaliser estimate_normaliser(Backend<double>&, LevelPath<double>&, const SmcOptions&,
                                        const CancelFlag&, const Fraction&);

}  // namespace sklar
