#include <cmath>

#include "classical/bivariate.hpp"
#include "classical/numeric.hpp"

namespace sklar {
namespace {

double off_diagonal(Unit u, Unit v) { return u.p * v.q + v.p * u.q; }

// C = u v (1 + theta (1 - u)(1 - v)): Farlie, Gumbel and Morgenstern.
class Fgm final : public Bivariate {
 public:
  explicit Fgm(double theta) : theta_(theta) {}
  double log_pdf(Unit u, Unit v) const override { return std::log1p(theta_ * (u.q - u.p) * (v.q - v.p)); }
  double tau() const override { return 2 * theta_ / 9; }
  TailDependence tails() const override { return {0, 0, 0, 0}; }

 protected:
  double cdf_inside(Unit u, Unit v) const override { return u.p * v.p * (1 + theta_ * u.q * v.q); }
  Unit h1_inside(Unit u, Unit v) const override {
    const double tilt = theta_ * (u.q - u.p);
    return {v.p * (1 + tilt * v.q), v.q * (1 - tilt * v.p)};
  }
  Unit h2_inside(Unit u, Unit v) const override { return h1_inside(v, u); }

 private:
  double theta_;
};

// The copula whose odds ratio C (1 - u - v + C) / ((u - C)(v - C)) is theta everywhere: Plackett.
class Plackett final : public Bivariate {
 public:
  explicit Plackett(double theta) : theta_(theta), e_(theta - 1) {}
  double log_pdf(Unit u, Unit v) const override {
    return std::log(theta_) + std::log1p(e_ * off_diagonal(u, v)) - 3 * std::log(root(u, v));
  }
  // 1 - 4 int dC/du dC/dv
  double tau() const override {
    constexpr double step = 1.0 / 20;
    return 1 - 4 * integrate_unit(
                       [&](Unit u) {
                         return integrate_unit([&](Unit v) { return h1_inside(u, v).p * h1_inside(v, u).p; },
                                               step);
                       },
                       step);
  }
  TailDependence tails() const override { return {0, 0, 0, 0}; }

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    return 2 * theta_ * u.p * v.p / (1 + e_ * (u.p + v.p) + root(u, v));
  }
  Unit h1_inside(Unit u, Unit v) const override {
    const double r = root(u, v), b = 1 + e_ * u.p - (theta_ + 1) * v.p;
    const double small = 2 * theta_ * v.p * v.q / (r * (r + std::fabs(b))),
                 large = 0.5 * (1 + std::fabs(b) / r);
    return b > 0 ? Unit{small, large} : Unit{large, small};
  }
  Unit h2_inside(Unit u, Unit v) const override { return h1_inside(v, u); }

 private:
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
