#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "classical/pairs/bivariate.hpp"
#include "classical/pairs/numeric.hpp"
#include "special/positive.hpp"

// Variables of which it is known only that they lie in a cell (docs/mathematics.md, M.7).
namespace sklar {

// A variable at a level, or in (lower, upper].
struct Cell {
  Unit lower, upper;
  bool level;

  bool whole() const { return !level && lower.p == 0 && upper.q == 0; }
};

// v - u without cancellation where both are next to 1
inline double distance(Unit u, Unit v) { return u.p < 0.5 ? v.p - u.p : u.q - v.q; }

// Whether distance(low, high) keeps this share of the digits of what it is taken from.
inline bool keeps_digits(Unit low, Unit high, double share) {
  return distance(low, high) > share * (low.p < 0.5 ? high.p : low.q);
}

// log_f at the place t of (a, b) in the variable of the tanh-sinh rule, times its slope: ends may be
// singular.
template <class F>
double log_at_place(F&& log_f, Unit a, Unit b, double width, double t) {
  const double angle = M_PI * std::sinh(t);
  const Unit x = unit_of_logit(angle);
  // log of pi cosh(t) p q, where p q may underflow
  const double log_weight =
      std::log(M_PI * std::cosh(t)) - std::fabs(angle) - 2 * std::log1p(std::exp(-std::fabs(angle)));
  const double value = log_f(Unit{a.p + width * x.p, b.q + width * x.q}) + log_weight;
  return std::isnan(value) ? -infinity : value;
}

// log of the integral of e^log_f over (a, b), relative to its largest value, so that nothing underflows.
// Where it is smooth inside: the tanh-sinh rule.
template <class F>
double log_smooth_integral(F&& log_f, Unit a, Unit b) {
  constexpr int half = 30;
  constexpr double step = 0.125;
  const double width = distance(a, b);
  if (!(width > 0)) return -infinity;
  std::array<double, 2 * half + 1> value;
  double top = -infinity, sum = 0;
  for (int k = -half; k <= half; ++k) {
    value[k + half] = log_at_place(log_f, a, b, width, k * step);
    top = std::fmax(top, value[k + half]);
  }
  if (!std::isfinite(top)) return top;
  for (const double log : value) sum += std::exp(log - top);
  return std::log(sum * step) + top + std::log(width);
}

// Where it may have a ridge: the rule of Gauss and Kronrod in that variable, to `share` of the integral, or
// what rounding leaves of log_f: the steepest densities fall within a few values of a level.
template <class F>
double log_integral(F&& log_f, Unit a, Unit b, double share = 1e-9) {
  constexpr double reach = 3.8;
  constexpr int panels = 8, looks = 4 * panels;
  const double width = distance(a, b);
  if (!(width > 0)) return -infinity;
  const auto log_at = [&](double t) { return log_at_place(log_f, a, b, width, t); };
  double top = -infinity, at_top = 0;
  for (int k = 0; k < looks; ++k) {
    const double t = reach * (2 * (k + 0.5) / looks - 1), value = log_at(t);
    if (value > top) at_top = t;
    top = std::fmax(top, value);
  }
  if (!std::isfinite(top)) return top;
  std::vector<double> edges(panels + 1);
  for (int k = 0; k <= panels; ++k) edges[k] = reach * (2.0 * k / panels - 1);
  const Unit x = unit_of_logit(M_PI * std::sinh(at_top));
  const Unit peak{a.p + width * x.p, b.q + width * x.q};
  const Unit beside = peak.p < 0.5 ? Unit{peak.p * (1 - 4e-16), peak.q} : Unit{peak.p, peak.q * (1 - 4e-16)};
  const double bend = std::fabs(log_f(peak) - log_f(beside));
  const double rounding = std::fmax(4e-16 * std::fabs(top), bend < infinity ? bend : 0);
  const double sum = integrate_panels([&](double t) { return std::exp(std::fmin(log_at(t) - top, 700)); },
                                      edges, share + rounding, 0, 10 * share + 1e3 * rounding);
  return std::log(sum) + top + std::log(width);
}

// log of P(V in (a, b]) of a distribution function h with the logarithm of its density, by h as long as ten
// of its digits are left: next to 0 and 1 some families know it to 1e-16 and no better.
template <class H, class Density>
double log_edge(H&& h, Density&& log_density, Unit a, Unit b) {
  const Unit low = h(a), high = h(b);
  if (distance(low, high) > 1e-6 && keeps_digits(low, high, 1e-4)) return std::log(distance(low, high));
  return log_smooth_integral(log_density, a, b);
}

// Distribution functions have about 15 digits after the point: a sum of four that is larger than this has
// ten.
inline constexpr double safe_sum = 1e-5;

// Of a cell (a1, b1] x (a2, b2] its probability, of a level and a cell the density there integrated over the
// cell, of levels the density; all as logarithms.
double log_cell(const Bivariate& copula, const Cell& x, const Cell& y);

}  // namespace sklar
