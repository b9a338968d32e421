#pragma once

#include "special/positive.hpp"

namespace sklar {

// A number by its sign and the logarithm of its size, which may overflow.
struct Signed {
  double sign;
  Positive size;

  double value() const { return sign * size.value; }
};

inline Signed signed_of(double value, double log_scale) {  // value e^log_scale
  return {value < 0 ? -1.0 : 1.0, log_scale == 0 ? positive_of(std::fabs(value))
                                                 : positive_of_log(std::log(std::fabs(value)) + log_scale)};
}
// x e^-log_scale
inline double scaled(Signed x, double log_scale) {
  return log_scale == 0 ? x.value() : x.sign * std::exp(x.size.log - log_scale);
}
// The logarithm of what numbers up to this one are divided by, so that their squares stay in range.
inline double scale_of(double largest_log) { return std::fmax(0, largest_log - 300); }

// Student's t distribution with any positive number of degrees of freedom.
class StudentT {
 public:
  explicit StudentT(double degrees);

  double degrees() const { return degrees_; }
  double log_pdf(double x) const { return log_pdf(positive_of(std::fabs(x))); }
  double log_pdf(Positive size) const { return log_scale_ - 0.5 * (degrees_ + 1) * log1p_form(size); }
  // log(1 + x^2 / degrees)
  double log1p_form(Positive size) const;
  // P(T <= x), the smaller of it and its complement to about 1e-14 relative: the continued fraction of the
  // incomplete beta function (Lentz).
  Unit cdf(double x) const { return cdf(Signed{x < 0 ? -1.0 : 1.0, positive_of(std::fabs(x))}); }
  Unit cdf(Signed x) const;
  // x with P(T <= x) = u: Hill's expansion (1970), then Halley's iteration on log P; infinite at 0 and 1.
  double quantile(Unit u) const { return signed_quantile(u).value(); }
  Signed signed_quantile(Unit u) const;

 private:
  Unit tail(Positive x) const;                           // P(T > x)
  Positive tail_quantile(double p, double log_p) const;  // of the upper tail

  double degrees_, log_scale_;  // log of the density at 0
};

}  // namespace sklar
