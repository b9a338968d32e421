#pragma once

#include "classical/bivariate.hpp"
#include "classical/numeric.hpp"
#include "classical/stable_tail.hpp"

namespace sklar {

// C(u, v) = psi(l(phi(u), phi(v))): Caperaa, Fougeres and Genest (2000). With l = x + y it is Archimedean,
// with psi(s) = e^-s an extreme-value copula.
template <class Generator, class Tail>
class Archimax final : public Bivariate {
 public:
  // lower: psi(s) varies at infinity like s^(-1/lower), 0 if faster than any power; upper: 1 - psi(s) at 0
  // like s^(1/upper).
  Archimax(Generator generator, Tail tail, double lower, double upper)
      : generator_(generator), tail_(tail), lower_(lower), upper_(upper) {}

  double log_pdf(Unit u, Unit v) const override {
    const TailSlopes l = tail_.at(generator_.phi(u), generator_.phi(v));
    return log_add_exp(generator_.log_curvature(l.value) + l.log_x + l.log_y,
                       generator_.log_slope(l.value) + l.log_mixed) +
           generator_.log_phi_slope(u) + generator_.log_phi_slope(v);
  }

  // tau = tau_l + (1 - tau_l) tau_phi, tau_phi = 1 - 4 int phi / |phi'|
  double tau() const override {
    const double area =
        integrate_unit([&](Unit u) { return std::exp(generator_.phi(u).log - generator_.log_phi_slope(u)); });
    return 1 - (1 - tau_of(tail_)) * 4 * area;
  }

  TailDependence tails() const override {
    const Positive one{1, 0};
    const double log_l = tail_.at(one, one).value.log;
    return {std::exp(-log_l / lower_), 0, 0, -2 * std::expm1(log_l / upper_ - std::log(2.0))};
  }

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    return generator_.psi(tail_.at(generator_.phi(u), generator_.phi(v)).value).p;
  }
  Unit h1_inside(Unit u, Unit v) const override {
    const Positive x = generator_.phi(u), y = generator_.phi(v);
    if (u.p == 0) return far(y, tail_.at(positive_of_log(remote), y).log_y);
    const TailSlopes l = tail_.at(x, y);
    return unit_of_log(std::fmin(0, generator_.log_slope(l.value) + l.log_x + generator_.log_phi_slope(u)));
  }
  Unit h2_inside(Unit u, Unit v) const override {
    const Positive x = generator_.phi(u), y = generator_.phi(v);
    if (v.p == 0) return far(x, tail_.at(x, positive_of_log(remote)).log_x);
    const TailSlopes l = tail_.at(x, y);
    return unit_of_log(std::fmin(0, generator_.log_slope(l.value) + l.log_y + generator_.log_phi_slope(v)));
  }

 private:
  // psi'(s + slope y) / psi'(s) as s -> inf: where one variable is 0 and l grows in the other by its slope
  // there
  Unit far(Positive y, double log_slope) const {
    const double rate = generator_.decay() * std::exp(log_slope);
    return rate == 0 ? Unit{1, 0} : unit_of_log(-rate * y.value);
  }

  static constexpr double remote = 1e6;  // log of an x that stands for infinity

  Generator generator_;
  Tail tail_;
  double lower_, upper_;
};

}  // namespace sklar
