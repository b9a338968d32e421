#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/unit.hpp"

namespace sklar {

using Support = std::pair<double, double>;

// Where a level without probability on one side of it lies; NaN of none.
inline double end_of(const Support& support, Unit level) {
  return level.p == 0   ? support.first
         : level.q == 0 ? support.second
                        : std::numeric_limits<double>::quiet_NaN();
}

// A univariate distribution F as it was fitted in lib/margins, where its formulas are documented.
class Margin {
 public:
  virtual ~Margin() = default;
  virtual Support support() const = 0;
  // P(X <= x) and P(X > x), the smaller of them relatively exact; NaN of NaN.
  virtual Unit level(double x) const = 0;
  // P(X < x) and P(X >= x).
  virtual Unit level_before(double x) const { return level(x); }
  // The least x with F(x) >= p; NaN outside [0, 1].
  virtual double inverse(Unit level) const = 0;
  // Of so many levels.
  virtual void inverse_of(const Unit* levels, std::size_t count, double* out) const {
    for (std::size_t i = 0; i < count; ++i) out[i] = inverse(levels[i]);
  }
  // The standard normal quantile of F(x), and the x that has it: a law that knows them in closed form keeps
  // them where both levels would underflow.
  virtual double score(double x) const {
    return std::clamp(normal_of(level(x)), -greatest_score, greatest_score);
  }
  virtual double at_score(double z) const {
    return inverse(unit_of_normal(std::clamp(z, -greatest_score, greatest_score)));
  }
  // Of the density; of the probability at values that have one.
  virtual double log_pdf(double x) const = 0;
  virtual bool has_atoms() const { return false; }
  // Whether P(X = x) > 0; elsewhere F(x) = P(X < x).
  virtual bool is_atom(double) const { return false; }
  // F of so many values.
  virtual void cdf_of(const double* x, std::size_t count, double* out) const {
    for (std::size_t i = 0; i < count; ++i) out[i] = cdf(x[i]);
  }

  double cdf(double x) const { return level(x).p; }
  double cdf_before(double x) const { return level_before(x).p; }
  double survival(double x) const { return level(x).q; }
  double quantile(double u) const { return inverse(unit_of(u)); }
  // The x with P(X > x) = q.
  double quantile_above(double q) const { return inverse(unit_above(q)); }
};

using SharedMargin = std::shared_ptr<const Margin>;

// levels: F at the ascending values, both at least two.
SharedMargin make_empirical(Support support, double rows, double lower_scale, double upper_scale,
                            std::vector<double> values, std::vector<double> levels);

// last: for each of the ascending values, how many rows are not above it.
SharedMargin make_discrete(std::vector<double> values, std::vector<double> last);

// The grid y = asinh((x - location) / scale) of a kernel estimate, from, from + step, ... and the scales of
// the exponential tails in y beside it.
struct KdeGrid {
  double location, scale, from, step, lower_scale, upper_scale;
};
// heights: density in y at the points of the grid
SharedMargin make_kde(Support support, KdeGrid grid, std::vector<double> heights);
// The integral of that density and its tails.
double kde_integral(Support support, KdeGrid grid, const std::vector<double>& heights);

// Ascending values of positive probability, and a continuous rest.
SharedMargin make_zero_inflated(std::vector<double> atoms, std::vector<double> masses, SharedMargin rest);

// The values of a continuous margin, or of one with atoms, as they are recorded: to the nearest of origin + k
// step.
SharedMargin make_rounded(SharedMargin of, double origin, double step);

// The law of excesses y over a threshold: P(Y > y) = (1 + shape y / scale)^(-1 / shape). mass: the
// probability beyond the threshold; NaN: what the body has there.
struct ParetoTail {
  double threshold, scale, shape, mass;
};
// Tails are cut off where the support ends. Null: the body goes on there.
SharedMargin make_pareto_tails(SharedMargin body, Support support, const ParetoTail* lower,
                               const ParetoTail* upper);

// A formula, by its name and parameters in the order of lib/margins/types/families.ts; or
// `generalised-pareto`.
SharedMargin make_law(const std::string& family, const std::vector<double>& parameters);
// The mean of minus log f over values that occur `counts` times; infinity where one is impossible. With a
// positive step they are rounded to multiples of it: P(x - step / 2 < X <= x + step / 2) takes the place of
// f(x).
double law_loss(const std::string& family, const std::vector<double>& parameters,
                const std::vector<double>& values, const std::vector<double>& counts, double step);

}  // namespace sklar
