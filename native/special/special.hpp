#pragma once

#include <cmath>

#include "core/unit.hpp"

// Special functions of parametric margins.
namespace sklar {

// log(1 + x) - x without their cancellation.
double log1p_less(double x);
// log Gamma(a) less Stirling's (a - 1/2) log a - a + log(2 pi) / 2.
double stirling_rest(double a);

// From these shapes on a law is nearly normal, and its levels are integrals of its density.
inline constexpr double large_shape = 1e4;

// The regularised incomplete gamma functions P(a, x) and Q(a, x).
Unit gamma_level(double a, double x);
// log of x^a e^-x / Gamma(a): the density in log x
double log_gamma_density(double a, double x);
// The x with these P and Q.
double gamma_inverse(double a, Unit level);

// The regularised incomplete beta functions I_x(a, b) and I_y(b, a), y = 1 - x.
Unit beta_level(double x, double y, double a, double b);
// log of x^a y^b / B(a, b), y = 1 - x: the density in log(x / y)
double log_beta_density(double x, double y, double a, double b);
double beta_inverse(double a, double b, Unit level);

// Solves f(t) = target for an increasing f with derivative `slope`, by Newton steps inside a bracket that is
// widened from `start` first.
template <class F, class S>
double invert(F&& f, S&& slope, double target, double start) {
  double low = start, high = start;
  for (double step = 1; f(low) > target && step < 1e9; step *= 2) low -= step;
  for (double step = 1; f(high) < target && step < 1e9; step *= 2) high += step;
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
