#pragma once

#include <cmath>

#include "core/unit.hpp"

// Special functions of parametric margins.
namespace sklar {

// The regularised incomplete gamma functions P(a, x) and Q(a, x).
Unit gamma_level(double a, double x);
// The regularised incomplete beta functions I_x(a, b) and I_(1 - x)(b, a); y: 1 - x.
Unit beta_level(double x, double y, double a, double b);
// log B(a, b)
inline double log_beta(double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); }

// Solves f(t) = target for an increasing f with derivative `slope`, by Newton steps inside a bracket that is
// widened from `start` first.
template <class F, class S>
double invert(F&& f, S&& slope, double target, double start) {
  double low = start, high = start;
  for (double step = 1; f(low) > target && step < 1e4; step *= 2) low -= step;
  for (double step = 1; f(high) < target && step < 1e4; step *= 2) high += step;
  double t = (low + high) / 2;
  for (int k = 0; k < 200; ++k) {
    const double difference = f(t) - target;
    if (difference > 0)
      high = t;
    else
      low = t;
    const double newton = t - difference / slope(t);
    const double next = newton > low && newton < high ? newton : (low + high) / 2;
    if (std::fabs(next - t) <= 1e-15 * std::fmax(1, std::fabs(t))) return next;
    t = next;
  }
  return t;
}

}  // namespace sklar
