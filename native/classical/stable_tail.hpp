#pragma once

#include "classical/numeric.hpp"
#include "classical/unit.hpp"

// Stable tail dependence functions l(x, y), homogeneous of degree one with l(x, 0) = x: the copula
// psi(l(phi(u), phi(v))) is Archimax. Joe (2014), chapter 4.
namespace sklar {

// l, and the logarithms of dl/dx, dl/dy and -d2l/dxdy
struct TailSlopes {
  Positive value;
  double log_x, log_y, log_mixed;
};

// l = x + y: the copula is Archimedean
struct SumTail {
  TailSlopes at(Positive x, Positive y) const { return {sum_of(x, y), 0, 0, -infinity}; }
};

// l = x + y - (x^-delta + y^-delta)^(-1/delta)
struct GalambosTail {
  double delta;

  TailSlopes at(Positive x, Positive y) const {
    // shares of x^-delta and y^-delta in their sum
    const double log_a = -log_add_exp(0, delta * (x.log - y.log));
    const double log_b = -log_add_exp(0, delta * (y.log - x.log));
    const bool less = x.log < y.log;
    const double low = (less ? x : y).log, rest = low + log1m_exp((less ? log_a : log_b) / delta);
    const double log_mean = low + (less ? log_a : log_b) / delta, slope = 1 + 1 / delta;
    return {positive_of_log(log_add_exp((less ? y : x).log, rest)), log1m_exp(slope * log_a),
            log1m_exp(slope * log_b),
            std::log1p(delta) + (1 + 2 * delta) * log_mean - (1 + delta) * (x.log + y.log)};
  }
};

// l = x Phi(a) + y Phi(b), a = 1/lambda + lambda/2 log(x/y), b = 1/lambda + lambda/2 log(y/x)
struct HuslerReissTail {
  double lambda;

  TailSlopes at(Positive x, Positive y) const {
    const double bend = 0.5 * lambda * (x.log - y.log), a = 1 / lambda + bend, b = 1 / lambda - bend;
    const double log_x = log_normal_cdf(a), log_y = log_normal_cdf(b);
    return {positive_of_log(log_add_exp(x.log + log_x, y.log + log_y)), log_x, log_y,
            std::log(0.5 * lambda) - y.log - 0.5 * a * a - half_log_two_pi};
  }
};

// l = (1 - a) x + (1 - b) y + ((a x)^theta + (b y)^theta)^(1/theta): Tawn's asymmetric logistic
struct TawnTail {
  double a, b, theta;

  TailSlopes at(Positive x, Positive y) const {
    const double log_x = std::log(a) + x.log, log_y = std::log(b) + y.log;
    const double log_r = log_add_exp(theta * log_x, theta * log_y) / theta;
    const auto slope = [&](double weight, double log_term) {
      return std::log((1 - weight) + weight * std::exp(times(theta - 1, log_term - log_r)));
    };
    const double loose = log_add_exp(std::log1p(-a) + x.log, std::log1p(-b) + y.log);
    return {positive_of_log(log_add_exp(loose, log_r)), slope(a, log_x), slope(b, log_y),
            std::log((theta - 1) * a * b) + (theta - 1) * (log_x + log_y) + (1 - 2 * theta) * log_r};
  }
};

// tau of the extreme-value copula of l: with A(w) = l(1 - w, w), int w (1 - w) A'' / A
template <class Tail>
double tau_of(const Tail& tail) {
  return integrate_unit([&](Unit w) {
    const TailSlopes l = tail.at({w.q, w.log_q()}, {w.p, w.log_p()});
    return std::exp(l.log_mixed - l.value.log);
  });
}

inline double tau_of(const SumTail&) { return 0; }

}  // namespace sklar
