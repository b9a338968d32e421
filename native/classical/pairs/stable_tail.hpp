#pragma once

#include "classical/pairs/numeric.hpp"
#include "special/positive.hpp"

// Stable tail dependence functions l(x, y), homogeneous of degree one with l(x, 0) = x: the copula
// psi(l(phi(u), phi(v))) is Archimax (docs/mathematics.md, M.1). Joe (2014), chapter 4. Being homogeneous
// they are functions of r = y / x.
namespace sklar {

// l(1, r) - 1, and the logarithms of dl/dx, 1 - dl/dx, dl/dy and -y d2l/dxdy
struct TailSlopes {
  Positive rise;
  double log_x, log_rest, log_y, log_mixed;
};

// Where the dependence is along log r, and how narrow.
struct TailPeak {
  double centre, width;
};

// l = x + y: the copula is Archimedean
struct SumTail {
  TailSlopes at(Positive r) const { return {r, 0, -infinity, 0, -infinity}; }
  SumTail swapped() const { return {}; }
};

// l = x + y - (x^-delta + y^-delta)^(-1/delta)
struct GalambosTail {
  double delta;

  TailSlopes at(Positive r) const {
    const double log_r = r.log;
    // minus the logarithms of the shares of x^-delta and y^-delta in their sum
    const double odds = delta * log_r, power = 1 + 1 / delta;
    const Positive a = softplus(-odds), b = softplus(odds);
    const Positive joint = quotient_of(b, positive_of(delta));
    return {product_of(r, one_minus_exp(joint)), one_minus_exp(product_of(a, positive_of(power))).log,
            -power * a.value, one_minus_exp(product_of(b, positive_of(power))).log,
            std::log1p(delta) - b.value - power * a.value};
  }
  GalambosTail swapped() const { return *this; }
  TailPeak peak() const { return {0, 2 / (1 + delta)}; }
};

// l = x Phi(a) + y Phi(b), a = 1/lambda + lambda/2 log(x/y), b = 1/lambda + lambda/2 log(y/x)
struct HuslerReissTail {
  double lambda;

  TailSlopes at(Positive r) const {
    const double log_r = r.log;
    const double bend = 0.5 * lambda * log_r, a = 1 / lambda - bend, b = 1 / lambda + bend;
    const double log_x = log_normal_cdf(a), log_rest = log_normal_cdf(-a), log_y = log_normal_cdf(b);
    // r Phi(b) - Phi(-a), where r phi(b) = phi(a)
    const double above = log_r + log_y, share = std::fmin(log_rest - above, 0);
    return {positive_of_log(above + log1m_exp(share)), log_x, log_rest, log_y,
            std::log(0.5 * lambda) - 0.5 * a * a - half_log_two_pi};
  }
  HuslerReissTail swapped() const { return *this; }
  TailPeak peak() const { return {0, 2 / (1 + 0.5 * lambda)}; }
};

// l = (1 - a) x + (1 - b) y + ((a x)^theta + (b y)^theta)^(1/theta): Tawn's asymmetric logistic
struct TawnTail {
  double a, b, theta;

  TailSlopes at(Positive r) const {
    const double log_r = r.log;
    const double odds = theta * (log_r + std::log(b / a)), power = (theta - 1) / theta;
    // minus the logarithms of the shares of (a x)^theta and (b y)^theta in their sum
    const Positive x = softplus(odds), y = softplus(-odds);
    const double kept_x = std::exp(-power * x.value), kept_y = std::exp(-power * y.value);
    const Positive joint = expm1_of(quotient_of(x, positive_of(theta)));
    return {sum_of(product_of(positive_of(1 - b), r), product_of(positive_of(a), joint)),
            std::log((1 - a) + a * kept_x),
            std::log(a) + one_minus_exp(product_of(x, positive_of(power))).log,
            std::log((1 - b) + b * kept_y), std::log((theta - 1) * a) - y.value - power * x.value};
  }
  TawnTail swapped() const { return {b, a, theta}; }
  TailPeak peak() const { return {std::log(a / b), 2 / theta}; }
};

// tau of the extreme-value copula of l: with A(w) = l(1 - w, w), int w (1 - w) A'' / A dw, which along log r
// is the integral of -y l_xy / l(1, r)
template <class Tail>
double tau_of(const Tail& tail) {
  const auto [centre, width] = tail.peak();
  std::vector<double> edges = panels_about(centre, width, 100 * width);
  // the two margins part at r = 1
  for (const double edge : panels_about(0, 1, 100)) edges.push_back(edge);
  std::sort(edges.begin(), edges.end());
  return integrate_panels(
      [&](double log_r) {
        const TailSlopes l = tail.at(positive_of_log(log_r));
        return std::exp(l.log_mixed - log1p_of(l.rise).value);
      },
      edges);
}

inline double tau_of(const SumTail&) { return 0; }

}  // namespace sklar
