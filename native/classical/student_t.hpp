#pragma once

#include "classical/unit.hpp"

namespace sklar {

// Student's t distribution with any positive number of degrees of freedom.
class StudentT {
 public:
  explicit StudentT(double degrees);

  double degrees() const { return degrees_; }
  double log_pdf(double x) const;
  // P(T <= x), the smaller of it and its complement to about 1e-14 relative: the continued fraction of the
  // incomplete beta function (Lentz).
  Unit cdf(double x) const;
  // x with P(T <= x) = u: Hill's expansion (1970), then Halley's iteration on log P; infinite at 0 and 1.
  double quantile(Unit u) const;

 private:
  double tail(double x) const;  // P(T > x) for x >= 0
  double tail_quantile(double p) const;

  double degrees_, log_scale_;  // log of the density at 0
};

}  // namespace sklar
