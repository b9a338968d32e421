#pragma once

#include "classical/unit.hpp"

// Archimedean generators: phi decreasing on (0, 1] with phi(1) = 0, psi its inverse. Everything is a sum of
// logarithms of positive terms, so the corners of the unit cube lose nothing. A generator has
//   phi(u), log_phi_slope(u) = log |phi'(u)|,
//   psi(s), log_slope(s) = log |psi'(s)|, log_curvature(s) = log psi''(s),
//   decay(): the c for which psi''(s) / |psi'(s)| -> c as s -> inf.
// Families: Joe (2014), Dependence Modeling with Copulas, chapter 4; Nelsen (2006), table 4.1.
namespace sklar {

// psi(s) = e^-s
struct IndependenceGenerator {
  Positive phi(Unit u) const { return positive_of(-u.log_p()); }
  double log_phi_slope(Unit u) const { return -u.log_p(); }
  Unit psi(Positive s) const { return unit_of_log(-s.value); }
  double log_slope(Positive s) const { return -s.value; }
  double log_curvature(Positive s) const { return -s.value; }
  double decay() const { return 1; }
};

// phi = phi_base^delta, delta >= 1: Gumbel from independence, BB1 from Clayton, BB6 from Joe.
template <class Base>
struct OuterPower {
  Base base;
  double delta;

  Positive root(Positive s) const { return positive_of_log(s.log / delta); }
  Positive phi(Unit u) const { return positive_of_log(delta * base.phi(u).log); }
  double log_phi_slope(Unit u) const {
    return std::log(delta) + times(delta - 1, base.phi(u).log) + base.log_phi_slope(u);
  }
  Unit psi(Positive s) const { return base.psi(root(s)); }
  double log_slope(Positive s) const {
    const Positive t = root(s);
    return base.log_slope(t) + times(1 - delta, t.log) - std::log(delta);
  }
  double log_curvature(Positive s) const {
    const Positive t = root(s);
    const double bend = t.log + base.log_curvature(t);
    const double power = delta > 1 ? std::log(delta - 1) + base.log_slope(t) : -infinity;
    return (1 - 2 * delta) * t.log - 2 * std::log(delta) + log_add_exp(bend, power);
  }
  double decay() const { return delta > 1 ? 0 : base.decay(); }
};

// phi = e^(delta phi_base) - 1, delta > 0: Clayton from independence, BB2 from Clayton, BB3 from Gumbel, BB7
// from Joe.
template <class Base>
struct Exponentiated {
  Base base;
  double delta;

  Positive root(Positive s) const {
    const Positive t = log1p_of(s);
    return {t.value / delta, t.log - std::log(delta)};
  }
  Positive scaled(Unit u) const {
    const Positive t = base.phi(u);
    return {delta * t.value, t.log + std::log(delta)};
  }
  Positive phi(Unit u) const { return expm1_of(scaled(u)); }
  double log_phi_slope(Unit u) const { return std::log(delta) + base.log_phi_slope(u) + scaled(u).value; }
  Unit psi(Positive s) const { return base.psi(root(s)); }
  double log_slope(Positive s) const {
    const Positive t = root(s);
    return base.log_slope(t) - delta * t.value - std::log(delta);
  }
  double log_curvature(Positive s) const {
    const Positive t = root(s);
    return log_add_exp(base.log_curvature(t), std::log(delta) + base.log_slope(t)) -
           2 * (delta * t.value + std::log(delta));
  }
  double decay() const { return 0; }
};

// psi(s) = (1 - (1 - eta e^-s)^(1/theta)) / delta, eta = 1 - (1 - delta)^theta; theta >= 1, 0 < delta <= 1.
// Joe's family has delta = 1.
struct Bb8Generator {
  double theta, delta;
  double log_floor;  // log (1 - delta)^theta
  double log_eta;

  Bb8Generator(double theta_, double delta_)
      : theta(theta_),
        delta(delta_),
        log_floor(theta_ * std::log1p(-delta_)),
        log_eta(log1m_exp(log_floor)) {}

  double log_base(Unit u) const {  // log(1 - delta u)
    if (delta == 1) return u.log_q();
    return delta * u.p < 0.5 ? std::log1p(-delta * u.p) : std::log((1 - delta) + delta * u.q);
  }
  Positive phi(Unit u) const {
    const double power = theta * log_base(u);
    // phi = -log(1 - r)
    const double log_r =
        power + log1m_exp(delta == 1 ? -infinity : -theta * std::log1p(delta * u.q / (1 - delta))) - log_eta;
    return log_r < -0.7 ? minus_log1m_exp(log_r) : positive_of(log_eta - log1m_exp(power));
  }
  double log_phi_slope(Unit u) const {
    const double log_g = log_base(u);
    return std::log(theta * delta) + times(theta - 1, log_g) - log1m_exp(theta * log_g);
  }
  // log(1 - eta e^-s)
  double log_y(Positive s) const {
    if (log_eta - s.value < -0.7) return std::log1p(-std::exp(log_eta - s.value));
    return log_add_exp(log_floor, log_eta + log_forgotten(s));
  }
  static double log_forgotten(Positive s) {  // log(1 - e^-s)
    return s.log < -37 ? s.log : log1m_exp(-s.value);
  }
  Unit psi(Positive s) const {
    const double log_root = log_y(s) / theta;
    const double above =
        delta == 1 ? -infinity
                   : -log1p_of(positive_of_log(log_eta + log_forgotten(s) - log_floor)).value / theta;
    return {-std::expm1(log_root) / delta, std::exp(log_root) * -std::expm1(above) / delta};
  }
  double log_slope(Positive s) const {
    return log_eta - std::log(theta * delta) - s.value + times(1 / theta - 1, log_y(s));
  }
  double log_curvature(Positive s) const {
    const double y = log_y(s);
    const double bend = theta > 1 ? std::log1p(-1 / theta) + log_eta - s.value : -infinity;
    return log_eta - std::log(theta * delta) - s.value + (1 / theta - 2) * y + log_add_exp(y, bend);
  }
  double decay() const { return 1; }
};

// psi(s) = -log(1 - (1 - e^-theta) e^-s) / theta, theta any number (independence at 0).
struct FrankGenerator {
  double theta;

  Positive phi(Unit u) const {
    // (1 - e^(-theta q)) / (e^(theta p) - 1), in which theta cancels
    const double log_ratio =
        std::log(u.q / u.p) + log_expm1_ratio(-theta * u.q) - log_expm1_ratio(theta * u.p);
    return log1p_of(positive_of_log(log_ratio));
  }
  double log_phi_slope(Unit u) const { return -log_expm1_ratio(theta * u.p) - std::log(u.p); }
  static double forgotten(Positive s) { return s.log < -37 ? s.value : -std::expm1(-s.value); }
  double log_w(Positive s) const { return log_expm1_ratio(-theta) - s.value; }  // of w / theta
  double log_remainder(Positive s) const {                                      // log(1 - w) = -theta psi
    const double w = theta * std::exp(log_w(s));
    return w < 0.5 ? std::log1p(-w) : std::log(std::exp(-theta - s.value) + forgotten(s));
  }
  Unit psi(Positive s) const {
    if (theta == 0) return unit_of_log(-s.value);
    return {-log_remainder(s) / theta, std::log1p(forgotten(s) * std::expm1(theta)) / theta};
  }
  double log_slope(Positive s) const { return log_w(s) - log_remainder(s); }
  double log_curvature(Positive s) const { return log_w(s) - 2 * log_remainder(s); }
  double decay() const { return 1; }
};

// psi(s) = (1 - theta) / (e^s - theta), -1 <= theta < 1: Ali, Mikhail and Haq.
struct AmhGenerator {
  double theta;

  Positive phi(Unit u) const { return log1p_of(positive_of((1 - theta) * u.q / u.p)); }
  double log_phi_slope(Unit u) const { return std::log1p(-theta) - u.log_p() - std::log1p(-theta * u.q); }
  double log_remainder(Positive s) const {  // log(1 - theta e^-s)
    return std::log((1 - theta) + theta * FrankGenerator::forgotten(s));
  }
  Unit psi(Positive s) const {
    const double remainder = std::exp(log_remainder(s));
    return {(1 - theta) * std::exp(-s.value) / remainder, FrankGenerator::forgotten(s) / remainder};
  }
  double log_slope(Positive s) const { return std::log1p(-theta) - s.value - 2 * log_remainder(s); }
  double log_curvature(Positive s) const {
    return std::log1p(-theta) - s.value - 3 * log_remainder(s) +
           std::log((1 + theta) - theta * FrankGenerator::forgotten(s));
  }
  double decay() const { return 1; }
};

}  // namespace sklar
