#include <cmath>

#include "classical/pairs/bivariate.hpp"
#include "classical/pairs/numeric.hpp"

namespace sklar {
namespace {

// C = u v (1 + theta (1 - u)(1 - v)): Farlie, Gumbel and Morgenstern (docs/mathematics.md, M.1).
class Fgm final : public Bivariate {
 public:
  explicit Fgm(double theta) : theta_(theta) {}
  // 1 + theta (1 - 2u)(1 - 2v); where that is small, a sum of positive terms
  double log_pdf(Unit u, Unit v) const override {
    const double slope = theta_ * (u.q - u.p) * (v.q - v.p);
    if (slope > -0.5) return std::log1p(slope);
    // 1 - (1 - 2a)(1 - 2b) = 2 (a + b - 2 a b), a and b the smaller sides
    const double log_a = std::fmin(u.log_p(), u.log_q()), log_b = std::fmin(v.log_p(), v.log_q());
    const double log_gap = std::log(2.0) + log_add_exp(log_a + std::log1p(-std::exp(log_b)),
                                                       log_b + std::log1p(-std::exp(log_a)));
    const double size = std::fabs(theta_);
    return log_add_exp(std::log1p(-size), std::log(size) + log_gap);
  }
  double tau() const override { return 2 * theta_ / 9; }
  TailDependence tails() const override { return {0, 0, 0, 0}; }

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    const double factor = theta_ < 0 ? (1 + theta_) - theta_ * (u.p + u.q * v.p) : 1 + theta_ * u.q * v.q;
    return u.p * v.p * factor;
  }
  // v (1 + tilt (1 - v)) and (1 - v)(1 - tilt v), tilt = theta (1 - 2u)
  Unit h1_inside(Unit u, Unit v) const override {
    const double tilt = theta_ * (u.q - u.p), size = std::fabs(theta_);
    const double left = (1 - size) + 2 * size * std::fmin(u.p, u.q);  // 1 - |tilt|
    const double low = tilt < 0 ? left - tilt * v.p : 1 + tilt * v.q;
    const double high = tilt > 0 ? left + tilt * v.q : 1 - tilt * v.p;
    if (v.p > 1e-290 && v.q > 1e-290) return {v.p * low, v.q * high};
    // the smaller side by logarithms
    const double log_v = std::fmin(v.log_p(), v.log_q()), log_u = std::fmin(u.log_p(), u.log_q());
    const double own = v.p < v.q ? tilt : -tilt;
    const double log_factor =
        own > 0
            ? std::log1p(own)
            : log_add_exp(log_add_exp(std::log1p(-size), std::log(2 * size) + log_u), std::log(-own) + log_v);
    const Unit near = unit_of_log(log_v + log_factor);
    return v.p < v.q ? near : near.flipped();
  }
  Unit h2_inside(Unit u, Unit v) const override { return h1_inside(v, u); }

 private:
  double theta_;
};

// The copula whose odds ratio C (1 - u - v + C) / ((u - C)(v - C)) is theta everywhere, theta >= 1: Plackett.
class Plackett final : public Bivariate {
 public:
  explicit Plackett(double theta) : theta_(theta), e_(theta - 1) {}
  double log_pdf(Unit u, Unit v) const override {
    return std::log(theta_) + std::log1p(e_ * off_diagonal(u, v)) - 3 * std::log(root(u, v));
  }
  // 1 - 4 int dC/du dC/dv. With s = u + v - 1, d = u - v and r the root, 4 times the product is
  // 1 + (s^2 - theta^2 d^2) / r^2 and a term odd in s, and r^2 = theta + e theta d^2 - e s^2; the integral
  // over s is elementary.
  double tau() const override {
    if (e_ < 0.1) {
      return 2 * integrate_panels(
                     [&](double d) {
                       return integrate_panels(
                           [&](double s) {
                             return (theta_ * theta_ * d * d - s * s) /
                                    (theta_ + e_ * theta_ * d * d - e_ * s * s);
                           },
                           {0, 1 - d}, 1e-14, 1);
                     },
                     {0, 1}, 1e-14, 1);
    }
    std::vector<double> edges{0};
    for (double edge = std::fmin(1, 0.25 / e_); edge < 1; edge *= 4) edges.push_back(edge);
    edges.push_back(1);
    return 2 * integrate_panels(
                   [&](double d) {
                     const double p = std::sqrt(theta_ / e_ + theta_ * d * d), across = e_ * d;
                     const double ratio = (1 - d) / p;  // 1 - ratio^2 = ((1 + e d) / p)^2 / e
                     const double log_term = ratio < 0.5
                                                 ? std::atanh(ratio)
                                                 : std::log((1 + ratio) * p * std::sqrt(e_) / (1 + across));
                     return (1 - d) / e_ + theta_ * (across - 1) / e_ * ((across + 1) / e_) / p * log_term;
                   },
                   edges);
  }
  TailDependence tails() const override { return {0, 0, 0, 0}; }

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    return 2 * theta_ * u.p * v.p / (1 + e_ * (u.p + v.p) + root(u, v));
  }
  Unit h1_inside(Unit u, Unit v) const override {
    const double r = root(u, v);
    // 1 + e u - (theta + 1) v, which is -1 - e (1 - u) + (theta + 1)(1 - v)
    const double b = v.p < 0.5 ? 1 + e_ * u.p - (theta_ + 1) * v.p : (theta_ + 1) * v.q - 1 - e_ * u.q;
    const double small = 2 * theta_ * v.p * v.q / (r * (r + std::fabs(b))),
                 large = 0.5 * (1 + std::fabs(b) / r);
    const Unit h =
        small > 1e-290
            ? Unit{small, large}
            : unit_of_log(std::log(2 * theta_) + v.log_p() + v.log_q() - std::log(r * (r + std::fabs(b))));
    return b > 0 ? h : h.flipped();
  }
  Unit h2_inside(Unit u, Unit v) const override { return h1_inside(v, u); }

 private:
  static double off_diagonal(Unit u, Unit v) { return u.p * v.q + v.p * u.q; }
  double root(Unit u, Unit v) const {
    const double across = u.p < 0.5 ? u.p - v.p : v.q - u.q;
    return std::sqrt(1 + 2 * e_ * off_diagonal(u, v) + e_ * e_ * across * across);
  }

  double theta_, e_;
};

}  // namespace

std::unique_ptr<Bivariate> make_fgm_bivariate(double theta) { return std::make_unique<Fgm>(theta); }
std::unique_ptr<Bivariate> make_plackett_bivariate(double theta) { return std::make_unique<Plackett>(theta); }

}  // namespace sklar
