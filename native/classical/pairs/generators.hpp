#pragma once

#include <type_traits>

#include "classical/pairs/numeric.hpp"
#include "special/positive.hpp"

// Archimedean generators (docs/mathematics.md, M.1): phi decreasing on (0, 1] with phi(1) = 0, psi its
// inverse. A copula is made of ratios of their derivatives between phi(u) and a sum that begins there, never
// of differences of large terms: with x = phi(u), kept in a Point, and s = x (1 + rise) a generator has
//   ratio(a, b) = phi(a) / phi(b),
//   fall(u, rise) = log(psi'(x) / psi'(s)),
//   log_elasticity(u, rise) = log(-s psi''(s) / psi'(s)),
//   log_reach(u) = log(phi(u) / |phi'(u)|),
//   moved(u, rise) = psi(s),
//   tau() = 1 - 4 int phi / |phi'|,
//   decay(): the c for which psi''(s) / |psi'(s)| -> c as s -> inf.
// Families: Joe (2014), Dependence Modeling with Copulas, chapter 4; Nelsen (2006), table 4.1.
namespace sklar {

// Of the generators phi(u) = -log A(u), A a distribution function on (0, 1): u, phi(u), log(A(u) / u), and
// for those with |psi'(s)| ~ e^-s (1 - w)^-m, w = w(0) e^-s, also log(1 - w) there.
struct Point {
  Unit u;
  Positive x;
  double rest = 0, log_v = 0;
};

inline double log_quotient(Unit a, Unit b) {
  const double quotient = a.p / b.p;
  const bool close = quotient > 0.1 && quotient < 10 && a.p > 1e-290 && b.p > 1e-290;
  return close ? std::log(quotient) : a.log_p() - b.log_p();
}

inline Positive ratio_of(const Point& a, const Point& b) {
  if (a.x.value > 0.7 && b.x.value > 0.7) {
    const double share = (log_quotient(b.u, a.u) + (b.rest - a.rest)) / b.x.value;  // a.x - b.x of b.x
    if (std::fabs(share) < 0.5) return {1 + share, std::log1p(share)};
  }
  const Positive ratio = quotient_of(a.x, b.x);
  const bool exact = ratio.value > 1e-290 && ratio.value < 1e290 && a.x.value > 1e-290 &&
                     b.x.value > 1e-290 && a.x.value < 1e290 && b.x.value < 1e290;
  return exact ? positive_of(ratio.value) : positive_of_log(ratio.log);
}

// 1 - 4 int phi / |phi'|, on the scale of log odds
template <class Generator>
double tau_of_generator(const Generator& generator) {
  return 1 - 4 * integrate_line(
                     [&](double t) {
                       const Unit u = unit_of_logit(t);
                       return std::exp(generator.log_reach(generator.at(u))) * u.p * u.q;
                     },
                     0, 1);
}

// psi(s) = e^-s
struct IndependenceGenerator {
  using Place = Point;
  Point at(Unit u) const { return {u, minus_log_p(u)}; }
  static Positive ratio(const Point& a, const Point& b) { return ratio_of(a, b); }
  Positive fall(const Point& u, Positive rise) const { return product_of(u.x, rise); }
  double log_elasticity(const Point& u, Positive rise) const { return u.x.log + log1p_of(rise).value; }
  double log_reach(const Point& u) const { return u.x.log + u.u.log_p(); }
  Unit moved(const Point& u, Positive rise) const { return psi(sum_of(u.x, product_of(u.x, rise))); }
  double tau() const { return 0; }
  double decay() const { return 1; }

  Positive phi(Unit u) const { return minus_log_p(u); }
  double log_phi_slope(Unit u) const { return -u.log_p(); }
  Unit psi(Positive s) const { return s.log < -37 ? unit_of_log(s.log).flipped() : unit_of_log(-s.value); }
};

// phi = phi_base^delta, delta >= 1: Gumbel from independence, BB1 from Clayton, BB6 from Joe.
template <class Base>
struct OuterPower {
  Base base;
  double delta;

  struct Place {
    typename Base::Place base;
    Positive x;
  };
  Place at(Unit u) const {
    const auto b = base.at(u);
    return {b, positive_of_log(delta * b.x.log)};
  }
  Positive ratio(const Place& a, const Place& b) const {
    return positive_of_log(delta * base.ratio(a.base, b.base).log);
  }
  Positive stretch(Positive rise) const {  // log(1 + rise) / delta
    return quotient_of(log1p_of(rise), positive_of(delta));
  }
  Positive fall(const Place& u, Positive rise) const {
    const Positive w = stretch(rise), own = base.fall(u.base, expm1_of(w));
    return delta > 1 ? sum_of(own, product_of(w, positive_of(delta - 1))) : own;
  }
  double log_elasticity(const Place& u, Positive rise) const {
    return log_add_exp(base.log_elasticity(u.base, expm1_of(stretch(rise))), std::log(delta - 1)) -
           std::log(delta);
  }
  double log_reach(const Place& u) const { return base.log_reach(u.base) - std::log(delta); }
  Unit moved(const Place& u, Positive rise) const { return base.moved(u.base, expm1_of(stretch(rise))); }
  double tau() const { return 1 - (1 - base.tau()) / delta; }
  double decay() const { return delta > 1 ? 0 : base.decay(); }

  Positive phi(Unit u) const { return positive_of_log(delta * base.phi(u).log); }
  double log_phi_slope(Unit u) const {
    return std::log(delta) + times(delta - 1, base.phi(u).log) + base.log_phi_slope(u);
  }
  Unit psi(Positive s) const { return base.psi(positive_of_log(s.log / delta)); }
};

// phi = e^(delta phi_base) - 1, delta > 0: Clayton from independence, BB2 from Clayton, BB3 from Gumbel, BB7
// from Joe.
template <class Base>
struct Exponentiated {
  Base base;
  double delta;

  struct Place {
    typename Base::Place base;
    Positive exponent, x;
  };
  Place at(Unit u) const {
    const auto b = base.at(u);
    const Positive exponent = product_of(b.x, positive_of(delta));
    return {b, exponent, expm1_of(exponent)};
  }
  Positive ratio(const Place& a, const Place& b) const {
    const double own = base.ratio(a.base, b.base).log;
    return positive_of_log(own < 0 ? -log_ratio_above(b, a, -own) : own > 0 ? log_ratio_above(a, b, own) : 0);
  }
  // log(1 + s) - log(1 + x), and as a share of log(1 + x)
  Positive step(const Place& u, Positive rise) const {
    return log1p_of(product_of(rise, one_minus_exp(u.exponent)));
  }
  Positive inner(const Place& u, Positive rise) const { return quotient_of(step(u, rise), u.exponent); }
  Positive fall(const Place& u, Positive rise) const {
    const Positive taken = step(u, rise);
    return sum_of(base.fall(u.base, quotient_of(taken, u.exponent)), taken);
  }
  double log_elasticity(const Place& u, Positive rise) const {
    const Positive own = inner(u, rise);
    const Positive t = product_of(u.exponent, sum_of({1, 0}, own));
    return one_minus_exp(t).log + log_add_exp(0, base.log_elasticity(u.base, own) - t.log);
  }
  double log_reach(const Place& u) const {
    return one_minus_exp(u.exponent).log - u.exponent.log + base.log_reach(u.base);
  }
  Unit moved(const Place& u, Positive rise) const { return base.moved(u.base, inner(u, rise)); }
  double tau() const {
    if constexpr (std::is_same_v<Base, IndependenceGenerator>)
      return delta / (delta + 2);
    else
      return tau_of_generator(*this);
  }
  double decay() const { return 0; }

  Positive scaled(Unit u) const { return product_of(base.phi(u), positive_of(delta)); }
  Positive phi(Unit u) const { return expm1_of(scaled(u)); }
  double log_phi_slope(Unit u) const { return std::log(delta) + base.log_phi_slope(u) + scaled(u).value; }
  Unit psi(Positive s) const { return base.psi(quotient_of(log1p_of(s), positive_of(delta))); }

 private:
  // where a has the larger exponent, by a factor e^own
  double log_ratio_above(const Place& a, const Place& b, double own) const {
    if (a.exponent.value < 1)
      return own + log_expm1_ratio(a.exponent.value) - log_expm1_ratio(b.exponent.value);
    if (b.exponent.value < 1) return a.x.log - b.x.log;
    const double gap = product_of(b.exponent, expm1_of(positive_of(own))).value;
    return gap + log1m_exp(-a.exponent.value) - log1m_exp(-b.exponent.value);
  }
};

// psi(s) = (1 - (1 - eta e^-s)^(1/theta)) / delta, eta = 1 - (1 - delta)^theta; theta >= 1, 0 < delta <= 1.
// Joe's family has delta = 1. |psi'| ~ e^-s (1 - w)^(1/theta - 1), w = eta e^-s.
struct Bb8Generator {
  using Place = Point;
  double theta, delta;
  double log_floor;  // log (1 - delta)^theta
  double log_eta;

  Bb8Generator(double theta_, double delta_)
      : theta(theta_),
        delta(delta_),
        log_floor(theta_ * std::log1p(-delta_)),
        log_eta(log1m_exp(log_floor)) {}

  Point at(Unit u) const {
    const double power = theta * log_base(u);
    const double rest = power > -1e-280 ? std::log(theta * delta) - log_eta : log_share(u, power) - u.log_p();
    return {u, phi(u), rest, power};
  }
  static Positive ratio(const Point& a, const Point& b) { return ratio_of(a, b); }
  // log((1 - w(s)) / (1 - w(x))) after a rise by e = x rise
  Positive lift(const Point& u, Positive rise, Positive e) const {
    return log1p_of(positive_of_log(log_eta - u.x.value + (one_minus_exp(e).log - e.log) +
                                    (u.x.log - u.log_v) + rise.log));
  }
  Positive fall(const Point& u, Positive rise) const {
    const Positive e = product_of(u.x, rise);
    return theta > 1 ? sum_of(e, product_of(lift(u, rise, e), positive_of((theta - 1) / theta))) : e;
  }
  double log_elasticity(const Point& u, Positive rise) const {
    const Positive e = product_of(u.x, rise), s = sum_of(u.x, e);
    const double bend = std::log((theta - 1) / theta) + log_eta - s.value - u.log_v - lift(u, rise, e).value;
    return s.log + log_add_exp(0, bend);
  }
  double log_reach(const Point& u) const { return u.x.log - log_phi_slope(u.u); }
  Unit moved(const Point& u, Positive rise) const { return psi(sum_of(u.x, product_of(u.x, rise))); }
  double tau() const { return tau_of_generator(*this); }
  double decay() const { return 1; }

  double log_base(Unit u) const {  // log(1 - delta u)
    if (delta == 1) return u.log_q();
    return delta * u.p < 0.5 ? std::log1p(-delta * u.p) : std::log((1 - delta) + delta * u.q);
  }
  // log A(u), A = (1 - (1 - delta u)^theta) / eta, given the logarithm of the power
  double log_share(Unit u, double power) const {
    return power > -1e-280 ? std::log(theta * delta) + u.log_p() - log_eta : log1m_exp(power) - log_eta;
  }
  Positive phi(Unit u) const {
    const double power = theta * log_base(u);
    const double rest = delta == 1 ? 0 : one_minus_exp(product_of({theta, std::log(theta)}, excess(u))).log;
    const double log_r = power + rest - log_eta;  // of 1 - A
    return log_r < -0.7 ? minus_log1m_exp(log_r) : positive_of(-log_share(u, power));
  }
  double log_phi_slope(Unit u) const {
    const double log_g = log_base(u), power = theta * log_g;
    return std::log(theta * delta) + times(theta - 1, log_g) - log_eta - log_share(u, power);
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

 private:
  // log((1 - delta u) / (1 - delta)) = log(1 + delta q / (1 - delta))
  Positive excess(Unit u) const {
    const double factor = delta / (1 - delta);
    return log1p_of(positive_of(factor * u.q, std::log(factor) + u.log_q()));
  }
};

// psi(s) = -log(1 - w) / theta, w = (1 - e^-theta) e^-s, theta any number (independence at 0). |psi'| ~ e^-s
// / (1 - w), and 1 - w = e^(-theta u).
struct FrankGenerator {
  using Place = Point;
  double theta;

  Point at(Unit u) const {
    return {u, phi(u), log_expm1_ratio(-theta * u.p) - log_expm1_ratio(-theta), -theta * u.p};
  }
  static Positive ratio(const Point& a, const Point& b) { return ratio_of(a, b); }
  Positive fall(const Point& u, Positive rise) const {
    return log1p_of(product_of(expm1_of(product_of(u.x, rise)), positive_of_log(-u.log_v)));
  }
  double log_elasticity(const Point& u, Positive rise) const {
    const Positive s = sum_of(u.x, product_of(u.x, rise));
    return s.log - log_remainder(s);
  }
  double log_reach(const Point& u) const { return u.x.log - log_phi_slope(u.u); }
  Unit moved(const Point& u, Positive rise) const { return psi(sum_of(u.x, product_of(u.x, rise))); }
  // 1 - 4 (1 - D(theta)) / theta, D of Debye; its series near 0
  double tau() const {
    const double t = std::fabs(theta), square = t * t;
    if (t < 0.2)
      return theta * (1.0 / 9 - square * (1.0 / 900 - square * (1.0 / 52920 - square * (1.0 / 2721600))));
    std::vector<double> edges{0};
    for (double edge = 0.5; edge < std::fmin(t, 40); edge *= 2) edges.push_back(edge);
    edges.push_back(std::fmin(t, 40));
    const double debye = integrate_panels([](double s) { return std::exp(-log_expm1_ratio(s)); }, edges);
    return std::copysign(1 - 4 / t + 4 / square * debye, theta);
  }
  double decay() const { return 1; }

  Positive phi(Unit u) const {
    // (1 - A) / A = (1 - e^(-theta q)) / (e^(theta p) - 1), in which theta cancels
    const double log_odds =
        u.log_q() - u.log_p() + log_expm1_ratio(-theta * u.q) - log_expm1_ratio(theta * u.p);
    return log1p_of(positive_of_log(log_odds));
  }
  double log_phi_slope(Unit u) const { return -log_expm1_ratio(theta * u.p) - u.log_p(); }
  static double forgotten(Positive s) { return s.log < -37 ? s.value : -std::expm1(-s.value); }
  double log_w(Positive s) const { return log_expm1_ratio(-theta) - s.value; }  // of w / theta
  double log_remainder(Positive s) const {                                      // log(1 - w) = -theta psi
    if (theta <= 0) return log1p_of(positive_of_log(std::log(-theta) + log_w(s))).value;
    const double w = theta * std::exp(log_w(s));
    return w < 0.5 ? std::log1p(-w) : log_add_exp(-theta - s.value, one_minus_exp(s).log);
  }
  Unit psi(Positive s) const {
    if (theta == 0) return unit_of_log(-s.value);
    const double q = theta < 0
                         ? std::log1p(forgotten(s) * std::expm1(theta)) / theta
                         : log1p_of(product_of(one_minus_exp(s), expm1_of(positive_of(theta)))).value / theta;
    return {-log_remainder(s) / theta, q};
  }
};

// psi(s) = (1 - theta) / (e^s - theta), -1 <= theta < 1: Ali, Mikhail and Haq. |psi'| ~ e^-s / (1 - w)^2, w =
// theta e^-s, and 1 - w = (1 - theta) / (1 - theta q).
struct AmhGenerator {
  using Place = Point;
  double theta;

  Point at(Unit u) const {
    const double rest = -log_denominator(u);
    return {u, phi(u), rest, std::log1p(-theta) + rest};
  }
  static Positive ratio(const Point& a, const Point& b) { return ratio_of(a, b); }
  Positive fall(const Point& u, Positive rise) const {
    const Positive e = product_of(u.x, rise);
    if (theta >= 0) {
      if (theta == 0) return e;
      const Positive lift =
          log1p_of(product_of(one_minus_exp(e), positive_of_log(std::log(theta) - u.x.value - u.log_v)));
      return sum_of(e, {2 * lift.value, lift.log + std::log(2.0)});
    }
    // (cosh(e/2) + k sinh(e/2))^2
    const double k = ((1 + theta) - 2 * theta * u.u.q) / (1 - theta);
    if (e.value > 60) return positive_of(e.value + 2 * std::log(0.5 * (1 + k)));
    if (e.log < -37) {  // k may be as small
      const double log_k =
          log_add_exp(std::log1p(theta), std::log(-2 * theta) + u.u.log_q()) - std::log1p(-theta);
      return positive_of_log(log_add_exp(log_k + e.log, 2 * e.log - std::log(4.0)));
    }
    const double quarter = std::sinh(0.25 * e.value);
    return positive_of(2 * std::log1p(2 * quarter * quarter + k * std::sinh(0.5 * e.value)));
  }
  double log_elasticity(const Point& u, Positive rise) const {
    const Positive s = sum_of(u.x, product_of(u.x, rise));
    const double gone = FrankGenerator::forgotten(s), w = theta * std::exp(-s.value);
    const double above = theta >= 0         ? std::log1p(w)
                         : s.value < 1e-290 ? log_add_exp(std::log1p(theta), std::log(-theta) + s.log)
                                            : std::log((1 + theta) - theta * gone);
    const double below = theta < 0 ? std::log1p(-w) : std::log((1 - theta) + theta * gone);
    return s.log + above - below;
  }
  double log_reach(const Point& u) const { return u.x.log - log_phi_slope(u.u); }
  Unit moved(const Point& u, Positive rise) const { return psi(sum_of(u.x, product_of(u.x, rise))); }
  double tau() const { return tau_of_generator(*this); }
  double decay() const { return 1; }

  double log_denominator(Unit u) const {  // log(1 - theta q)
    return theta * u.q < 0.5 ? std::log1p(-theta * u.q) : std::log((1 - theta) + theta * u.p);
  }
  Positive phi(Unit u) const { return log1p_of(positive_of_log(std::log1p(-theta) + u.log_q() - u.log_p())); }
  double log_phi_slope(Unit u) const { return std::log1p(-theta) - u.log_p() - log_denominator(u); }
  double log_remainder(Positive s) const {  // log(1 - theta e^-s)
    return std::log((1 - theta) + theta * FrankGenerator::forgotten(s));
  }
  Unit psi(Positive s) const {
    const double remainder = std::exp(log_remainder(s));
    return {(1 - theta) * std::exp(-s.value) / remainder, FrankGenerator::forgotten(s) / remainder};
  }
};

}  // namespace sklar
