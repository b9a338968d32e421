#pragma once

#include "classical/pairs/bivariate.hpp"
#include "classical/pairs/numeric.hpp"
#include "classical/pairs/stable_tail.hpp"

namespace sklar {

// C(u, v) = psi(l(phi(u), phi(v))): Caperaa, Fougeres and Genest (2000; docs/mathematics.md, M.1). With l = x
// + y it is Archimedean, with psi(s) = e^-s an extreme-value copula.
template <class Generator, class Tail>
class Archimax final : public Bivariate {
  using Place = typename Generator::Place;

 public:
  // lower: psi(s) varies at infinity like s^(-1/lower), 0 if faster than any power; upper: 1 - psi(s) at 0
  // like s^(1/upper).
  Archimax(Generator generator, Tail tail, double lower, double upper)
      : generator_(generator), tail_(tail), swapped_(tail.swapped()), lower_(lower), upper_(upper) {}

  // from the variable whose phi is larger, where psi' falls least
  double log_pdf(Unit u, Unit v) const override {
    const Place a = generator_.at(u), b = generator_.at(v);
    const Positive r = generator_.ratio(b, a);
    return r.log <= 0 ? log_density(a, b, tail_, r) : log_density(b, a, swapped_, generator_.ratio(a, b));
  }

  double tau() const override { return 1 - (1 - tau_of(tail_)) * (1 - generator_.tau()); }

  TailDependence tails() const override {
    const double log_l = log1p_of(tail_.at(positive_of_log(0)).rise).value;
    return {std::exp(-log_l / lower_), 0, 0, -2 * std::expm1(log_l / upper_ - std::log(2.0))};
  }

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    const Place a = generator_.at(u), b = generator_.at(v);
    const Positive r = generator_.ratio(b, a);
    return (r.log <= 0 ? generator_.moved(a, tail_.at(r).rise)
                       : generator_.moved(b, swapped_.at(generator_.ratio(a, b)).rise))
        .p;
  }
  Unit h1_inside(Unit u, Unit v) const override { return h(u, v, tail_); }
  Unit h2_inside(Unit u, Unit v) const override { return h(v, u, swapped_); }

 private:
  // psi'' l_x l_y - psi' l_xy over psi'(x) psi'(y), at s = l(x, y) = x (1 + rise)
  double log_density(const Place& a, const Place& b, const Tail& tail, Positive r) const {
    const TailSlopes l = tail.at(r);
    const double bend = generator_.log_elasticity(a, l.rise) + r.log - log1p_of(l.rise).value;
    return log_add_exp(bend + l.log_x + l.log_y, l.log_mixed) - generator_.fall(a, l.rise).value -
           generator_.log_reach(b);
  }

  // l_x psi'(s) / psi'(x), and 1 - that as a sum of positive terms
  Unit h(Unit u, Unit v, const Tail& tail) const {
    if (u.at_side()) return u.p == 0 ? h_at_zero(v, tail) : h_at_one(v, tail);
    const Place a = generator_.at(u);
    const TailSlopes l = tail.at(generator_.ratio(generator_.at(v), a));
    return unit_of_fall(l, generator_.fall(a, l.rise));
  }
  static Unit unit_of_fall(const TailSlopes& l, Positive fall) {
    return unit_of_logs(l.log_x - fall.value, log_add_exp(l.log_rest, l.log_x + one_minus_exp(fall).log));
  }
  // psi'(s + slope y) / psi'(s) as s -> inf: l grows in y by its slope at (inf, y)
  Unit h_at_zero(Unit v, const Tail& tail) const {
    const double rate = generator_.decay() * std::exp(tail.at(positive_of_log(-remote)).log_y);
    return rate == 0 ? Unit{1, 0} : unit_of_log(-rate * generator_.phi(v).value);
  }
  // psi'(y) / psi'(0), which is 0 where psi is steep at 0
  Unit h_at_one(Unit v, const Tail& tail) const {
    if (upper_ > 1) return {0, 1};
    const Place a = generator_.at({1, 1e-30});
    const Positive rise = generator_.ratio(generator_.at(v), a);
    return unit_of_fall(tail.at(positive_of_log(remote)), generator_.fall(a, rise));
  }

  static constexpr double remote = 1e100;  // log of a ratio that stands for infinity

  Generator generator_;
  Tail tail_, swapped_;
  double lower_, upper_;
};

}  // namespace sklar
