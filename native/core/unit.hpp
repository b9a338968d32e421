#pragma once

#include <algorithm>
#include <cmath>

#include "core/normal.h"

namespace sklar {

// p and q = 1 - p, the smaller of them to full relative precision: nothing is lost near either end of [0, 1].
struct Unit {
  double p, q;
  double deep = 0;  // the logarithm of the smaller where that underflows; 0: it is log of it

  Unit flipped() const { return {q, p, deep}; }
  bool at_side() const { return (p == 0 || q == 0) && deep == 0; }
  double log_p() const { return p < 0.5 ? log_of(p) : std::log1p(-q); }
  double log_q() const { return q < 0.5 ? log_of(q) : std::log1p(-p); }

 private:
  double log_of(double small) const { return small < 1e-290 && deep != 0 ? deep : std::log(small); }
};

inline Unit unit_of(double p) { return {p, 1 - p}; }
inline Unit unit_above(double q) { return {1 - q, q}; }
inline Unit unit_of_log(double log_p) {
  return {std::exp(log_p), -std::expm1(log_p), log_p < -660 && log_p > -HUGE_VAL ? log_p : 0};
}
inline Unit unit_of_logit(double t) {
  if (std::fabs(t) > 660) return t < 0 ? unit_of_log(t) : unit_of_log(-t).flipped();
  return {1 / (1 + std::exp(-t)), 1 / (1 + std::exp(t))};
}
inline Unit unit_of_normal(double z) {
  const double tail = normal_cdf(-std::fabs(z));
  const double deep = std::fabs(z) > 36 ? log_normal_cdf(-std::fabs(z)) : 0;
  return z < 0 ? Unit{tail, 1 - tail, deep} : Unit{1 - tail, tail, deep};
}
// The z < 0 with log P(Z <= z) = log_p, far out: Newton's method.
inline double normal_quantile_of_log(double log_p) {
  double z = -std::sqrt(-2 * log_p);
  if (z < -1e9) return z;  // to rounding
  for (int i = 0; i < 20; ++i) {
    const double at = log_normal_cdf(z);
    const double step = (at - log_p) * std::exp(at + 0.5 * z * z + half_log_two_pi);
    z -= step;
    if (!(std::fabs(step) > 1e-15 * -z)) break;
  }
  return z;
}
// The farthest score whose level has full precision on either side, and a finite inverse.
inline constexpr double greatest_score = 37.5;

inline double normal_of(Unit u) {
  const double small = u.p < u.q ? u.p : u.q;
  if (small < 1e-290 && u.deep != 0) {
    const double z = normal_quantile_of_log(u.deep);
    return u.p < u.q ? z : -z;
  }
  return u.p < u.q ? normal_quantile(u.p) : -normal_quantile(u.q);
}

}  // namespace sklar
