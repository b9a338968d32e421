#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/unit.hpp"

// Numbers in [0, 1] and (0, inf) held so that nothing is lost near the ends of their ranges.
namespace sklar {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// The number whose smaller side is known by the logarithms of both.
inline Unit unit_of_logs(double log_p, double log_q) {
  return log_p < log_q ? unit_of_log(log_p) : unit_of_log(log_q).flipped();
}

// A positive number with its logarithm; the number itself may underflow or overflow.
struct Positive {
  double value, log;
};

inline Positive positive_of(double value) { return {value, std::log(value)}; }
inline Positive positive_of_log(double log) { return {std::exp(log), log}; }

// The value is that of the operation where it stays in range, which spares it the rounding of a logarithm.
inline Positive positive_of(double value, double log) {
  return {value > 1e-290 && value < 1e290 ? value : std::exp(log), log};
}
inline Positive product_of(Positive a, Positive b) { return positive_of(a.value * b.value, a.log + b.log); }
inline Positive quotient_of(Positive a, Positive b) { return positive_of(a.value / b.value, a.log - b.log); }

// log(1 - e^x) for x <= 0
inline double log1m_exp(double x) {
  return x > -0.6931471805599453 ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x));
}

// log(1 + x)
inline Positive log1p_of(Positive x) {
  if (x.log > 37) return positive_of(x.log);
  if (x.log < -37) return x;
  return positive_of(std::log1p(x.value));
}

// e^x - 1
inline Positive expm1_of(Positive x) {
  if (x.log < -37) return x;
  if (x.value < 1) return positive_of(std::expm1(x.value));
  const double log = x.value + std::log1p(-std::exp(-x.value));
  return {std::expm1(x.value), log};
}

// 1 - e^-x
inline Positive one_minus_exp(Positive x) {
  if (x.log < -37) return x;
  return {-std::expm1(-x.value), log1m_exp(-x.value)};
}

// -log(1 - e^x) for x <= 0
inline Positive minus_log1m_exp(double x) {
  return x < -37 ? positive_of_log(x) : positive_of(-log1m_exp(x));
}

// -log p
inline Positive minus_log_p(Unit u) {
  return u.q < 1e-17 ? Positive{u.q, u.log_q()} : positive_of(-u.log_p());
}

// log(1 + e^x), the complement of a share in log odds
inline Positive softplus(double x) { return log1p_of(positive_of_log(x)); }

inline double log_add_exp(double a, double b) {
  const double top = std::max(a, b), low = std::min(a, b);
  return low == -infinity || top == infinity ? top : top + std::log1p(std::exp(low - top));
}

inline Positive sum_of(Positive a, Positive b) { return {a.value + b.value, log_add_exp(a.log, b.log)}; }

// a log(x), which is 0 for a = 0 whatever x
inline double times(double a, double log_x) { return a == 0 ? 0 : a * log_x; }

// log((e^x - 1) / x), 0 at 0
inline double log_expm1_ratio(double x) {
  if (std::fabs(x) < 1e-3) return x * (0.5 + x * (1.0 / 24 - x * x / 2880));
  return x > 37 ? x - std::log(x) : std::log(std::expm1(x) / x);
}

}  // namespace sklar
