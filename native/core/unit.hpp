#pragma once

#include <algorithm>
#include <cmath>

#include "core/normal.h"

namespace sklar {

// p and q = 1 - p, the smaller of them to full relative precision: nothing is lost near either end of [0, 1].
struct Unit {
  double p, q;

  Unit flipped() const { return {q, p}; }
  double log_p() const { return p < 0.5 ? std::log(p) : std::log1p(-q); }
  double log_q() const { return q < 0.5 ? std::log(q) : std::log1p(-p); }
};

inline Unit unit_of(double p) { return {p, 1 - p}; }
inline Unit unit_above(double q) { return {1 - q, q}; }
inline Unit unit_of_logit(double t) { return {1 / (1 + std::exp(-t)), 1 / (1 + std::exp(t))}; }
inline Unit unit_of_log(double log_p) { return {std::exp(log_p), -std::expm1(log_p)}; }
inline Unit unit_of_normal(double z) {
  const double tail = normal_cdf(-std::fabs(z));
  return z < 0 ? unit_of(tail) : unit_above(tail);
}
// The farthest score whose level has full precision on either side, and a finite inverse.
inline constexpr double greatest_score = 37.5;
inline double normal_of(Unit u) { return u.p < u.q ? normal_quantile(u.p) : -normal_quantile(u.q); }

}  // namespace sklar
