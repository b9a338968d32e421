#pragma once

#include <map>
#include <vector>

#include "classical/cells/cells.hpp"
#include "classical/cells/lattice.hpp"
#include "special/student_t.hpp"

namespace sklar {

// Effort of an integral of four variables or more: relative standard error, points of a shift at most.
struct LatticeEffort {
  double tolerance;
  std::size_t most;
};

// The standard normal distribution, or Student's t.
class EllipticalLaw {
 public:
  explicit EllipticalLaw(double degrees) : degrees_(degrees), t_(std::isinf(degrees) ? 1 : degrees) {}

  double degrees() const { return degrees_; }
  bool normal() const { return std::isinf(degrees_); }
  Unit cdf(double x) const { return normal() ? unit_of_normal(x) : t_.cdf(x); }
  double quantile(Unit u) const { return normal() ? normal_of(u) : t_.quantile(u); }
  double log_pdf(double x) const { return normal() ? -0.5 * x * x - half_log_two_pi : t_.log_pdf(x); }
  // log P(a < X <= b)
  double log_interval(double a, double b) const;

 private:
  double degrees_;
  StudentT t_;
};

// sqrt(chi2_n / n), the radius of a t distribution of n degrees: its logarithm at levels, tabled on the
// normal scale and cubic between.
class RadiusLaw {
 public:
  RadiusLaw() = default;
  explicit RadiusLaw(double degrees);
  double quantile(double p) const;

 private:
  static constexpr double reach = 8.5, step = 1.0 / 32;
  std::vector<double> log_;
};

// log P(lower < X <= upper) in every variable, X normal or Student's t about 0 with scale matrix `scale` (k x
// k, dense): in up to two variables, and in three where the tolerance is below 1e-4, to ten digits or more,
// else by separation of variables (Genz 1992; Genz and Bretz 2002) in the order of Gibson, Glasbey and Elston
// (1994). radius: of `degrees`, where these are finite and variables four or more.
LogEstimate elliptical_cells(std::vector<double> lower, std::vector<double> upper, std::vector<double> scale,
                             double degrees, const RadiusLaw& radius, LatticeEffort effort);

// The copula of L L^T (factor: dim x dim), normal or Student's t. Of a row of dim cells the log density in
// the columns that have a level times the probability of the others.
class EllipticalCells {
 public:
  EllipticalCells(const std::vector<double>& factor, std::size_t dim, double degrees);

  // What depends on which columns have a level, kept from row to row.
  struct Split {
    std::vector<std::size_t> levels, cells;
    std::vector<double> factor;               // of the scale of the levels, m x m
    std::vector<double> slope;                // of the cells on L^-1 of the levels, k x m
    std::vector<double> scale;                // what is left of the cells, k x k
    double log_root = 0, front = 0;           // log det of the factor; of the density of the levels at 0
    std::map<std::size_t, RadiusLaw> radius;  // by the number of levels
  };

  LogEstimate row(const Cell* cells, LatticeEffort effort, Split& split) const;

 private:
  void renew(Split& split) const;

  std::size_t dim_;
  EllipticalLaw law_;
  std::vector<double> correlation_;
};

}  // namespace sklar
