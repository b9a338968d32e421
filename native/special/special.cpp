#include "special/special.hpp"

#include <algorithm>
#include <array>

namespace sklar {
namespace {

constexpr int most_terms = 100000;
constexpr double tiny = 1e-300;

// b0 + a1 / (b1 + a2 / (b2 + ...)) by the modified Lentz algorithm; term(k, a, b) sets a_k and b_k.
template <class Term>
double continued_fraction(double b0, Term&& term) {
  double f = b0 == 0 ? tiny : b0, c = f, d = 0;
  for (int k = 1; k < most_terms; ++k) {
    double a, b;
    term(k, a, b);
    d = b + a * d;
    d = 1 / (d == 0 ? tiny : d);
    c = b + a / c;
    if (c == 0) c = tiny;
    f *= c * d;
    if (!(std::fabs(c * d - 1) >= 1e-16)) break;  // NaN ends it, too
  }
  return f;
}

// The integral of exp(log_density) over from middle - half to middle + half, by Gauss and Legendre.
template <class LogDensity>
double panel_mass(double middle, double half, LogDensity&& log_density) {
  constexpr std::array<std::array<double, 2>, 8> nodes{{{0.095012509837637441, 0.18945061045506854},
                                                        {0.28160355077925892, 0.18260341504492364},
                                                        {0.45801677765722737, 0.16915651939500265},
                                                        {0.61787624440264377, 0.14959598881657671},
                                                        {0.755404408355003, 0.12462897125553407},
                                                        {0.86563120238783176, 0.095158511682492605},
                                                        {0.9445750230732326, 0.062253523938647456},
                                                        {0.98940093499164994, 0.027152459411754176}}};
  double sum = 0;
  for (const auto& [node, weight] : nodes)
    sum +=
        weight * (std::exp(log_density(middle - half * node)) + std::exp(log_density(middle + half * node)));
  return sum * half;
}

// The mass of a nearly normal law of w beyond w on its side of 0, relatively exact: panels reach until the
// density has fallen by e^-45.
template <class LogDensity>
double mass_beyond(double w, LogDensity&& log_density) {
  constexpr int panels = 6;
  const double side = w < 0 ? -1 : 1;
  // 1.5: tails may be longer than normal ones
  const double half = 1.5 * 90 / (std::fabs(w) + std::sqrt(w * w + 90)) / (2 * panels);
  double sum = 0;
  for (int panel = 0; panel < panels; ++panel)
    sum += panel_mass((2 * panel + 1) * half, half, [&](double u) { return log_density(w + side * u); });
  return sum;
}

template <class LogDensity>
Unit level_of_nearly_normal(double w, LogDensity&& log_density) {
  if (std::isnan(w)) return {w, w};
  if (std::fabs(w) > 60) return w < 0 ? Unit{0, 1} : Unit{1, 0};
  const double mass = mass_beyond(w, log_density);
  return w < 0 ? unit_of(mass) : unit_above(mass);
}

// The t of a level that increases with t, whose density in t is given: Newton's steps on the log of the
// smaller side.
template <class Level, class LogDensity>
double invert_level(Unit u, Level&& level, LogDensity&& log_density, double start) {
  const bool low = u.p < u.q;
  const auto log = [&](double t) { return low ? level(t).log_p() : -level(t).log_q(); };
  return invert(
      log, [&](double t) { return std::exp(log_density(t) - (low ? log(t) : -log(t))); },
      low ? u.log_p() : -u.log_q(), start);
}

// log(x / mean) - d / mean for d = x - mean
double log_less(double x, double mean, double d) {
  return std::fabs(d) < 0.4 * mean ? log1p_less(d / mean) : std::log(x / mean) - d / mean;
}

// Gamma and beta laws in deviations from the mean.
struct LargeGamma {
  double a, constant;
  explicit LargeGamma(double shape) : a(shape), constant(-half_log_two_pi - stirling_rest(shape)) {}
  double log_density(double w) const {
    const double d = w / std::sqrt(a);
    return a * log1p_less(d) - std::log1p(d) + constant;
  }
  Unit level(double w) const {
    return level_of_nearly_normal(w, [this](double t) { return log_density(t); });
  }
};

struct LargeBeta {
  double a, b, mean, rest, deviation, constant;
  LargeBeta(double first, double second)
      : a(first),
        b(second),
        mean(a / (a + b)),
        rest(b / (a + b)),
        deviation(std::sqrt(mean * rest / (a + b))),
        constant(-half_log_two_pi - stirling_rest(a) - stirling_rest(b) + stirling_rest(a + b)) {}
  double log_density(double w) const {
    const double d = w * deviation, e = d / mean, f = -d / rest;
    return a * log1p_less(e) + b * log1p_less(f) - std::log1p(e) - std::log1p(f) + constant;
  }
  Unit level(double w) const {
    return level_of_nearly_normal(w, [this](double t) { return log_density(t); });
  }
};

}  // namespace

double log1p_less(double x) {
  if (!(std::fabs(x) < 0.4)) return x == INFINITY ? -x : std::log1p(x) - x;
  // 2 atanh(r) - x with r = x / (2 + x)
  const double r = x / (2 + x), square = r * r;
  double sum = 0, power = 1;
  for (int k = 3; power > 1e-18; k += 2) {
    sum += power / k;
    power *= square;
  }
  return r * (2 * square * sum - x);
}

double stirling_rest(double a) {
  if (a < 16) return std::lgamma(a) - ((a - 0.5) * std::log(a) - a + half_log_two_pi);
  const double r = 1 / a, s = r * r;
  return r * (1.0 / 12 -
              s * (1.0 / 360 -
                   s * (1.0 / 1260 - s * (1.0 / 1680 - s * (1.0 / 1188 - s * (691.0 / 360360 - s / 156))))));
}

double log_gamma_density(double a, double x) {
  // without large terms that cancel
  if (a < 1 || std::isinf(x)) return a * std::log(x) - x - std::lgamma(a);
  return a * log_less(x, a, x - a) + 0.5 * std::log(a) - half_log_two_pi - stirling_rest(a);
}

// By its series below a + 1 and its continued fraction above.
Unit gamma_level(double a, double x) {
  if (std::isnan(x)) return {x, x};
  if (x <= 0) return {0, 1};
  if (std::isinf(x)) return {1, 0};
  if (a >= large_shape) return LargeGamma(a).level((x - a) / std::sqrt(a));
  const double front = std::exp(log_gamma_density(a, x));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int k = 1; k < most_terms && term > sum * 1e-17; ++k) sum += term *= x / (a + k);
    return unit_of(std::fmin(1, front * sum));
  }
  return unit_above(front / continued_fraction(x + 1 - a, [=](int k, double& top, double& bottom) {
                      top = k * (a - k);
                      bottom = x + 2 * k + 1 - a;
                    }));
}

double gamma_inverse(double a, Unit u) {
  if (a >= large_shape) {
    const LargeGamma law(a);
    const double w = invert_level(
        u, [&](double t) { return law.level(t); }, [&](double t) { return law.log_density(t); },
        normal_of(u));
    return a + std::sqrt(a) * w;
  }
  // P(a, x) is x^a / Gamma(a + 1) near 0
  const double log_near = (u.log_p() + std::lgamma(a + 1)) / a;
  if (log_near < -700) return std::exp(log_near);
  return std::exp(invert_level(
      u, [&](double t) { return gamma_level(a, std::exp(t)); },
      [&](double t) { return log_gamma_density(a, std::exp(t)); }, std::log(a)));
}

double log_beta_density(double x, double y, double a, double b) {
  const double n = a + b, mean = a / n, rest = b / n;
  const double d = x < y ? x - mean : rest - y;
  return a * log_less(x, mean, d) + b * log_less(y, rest, -d) + 0.5 * (std::log(mean) + std::log(b)) -
         half_log_two_pi - stirling_rest(a) - stirling_rest(b) + stirling_rest(n);
}

namespace {

// I_y(b, a) above the mode of the density in t = log(x / y), on panels in t over each of which it changes
// little.
double beta_mass_above(double x, double y, double a, double b) {
  const double start = log_beta_density(x, y, a, b);
  double sum = 0;
  for (double t = 0;;) {
    const auto at = [&](double u) {
      const double e = std::expm1(u);
      return Unit{x * (1 + e) / (1 + x * e), y / (1 + x * e)};
    };
    const auto log_density = [&](double u) {
      const Unit v = at(u);
      return log_beta_density(v.p, v.q, a, b);
    };
    const Unit v = at(t);
    if (!(log_density(t) > start - 45)) return sum;
    const double step =
        std::fmin(1, std::fmin(8 / std::fabs(a * v.q - b * v.p), 4 / std::sqrt((a + b) * v.p * v.q)));
    sum += panel_mass(t + step / 2, step / 2, log_density);
    t += step;
  }
}

}  // namespace

// By its continued fraction on the side where it is short.
Unit beta_level(double x, double y, double a, double b) {
  if (std::isnan(x)) return {x, x};
  if (x <= 0) return {0, 1};
  if (y <= 0) return {1, 0};
  if (std::fmin(a, b) >= large_shape) {
    const LargeBeta law(a, b);
    return law.level((x < y ? x - law.mean : law.rest - y) / law.deviation);
  }
  if (x > (a + 1) / (a + b + 2)) {
    // the fraction of the other side would take 1 - y from y
    if (b >= large_shape) return unit_above(beta_mass_above(x, y, a, b));
    return beta_level(y, x, b, a).flipped();
  }
  const double front = std::exp(log_beta_density(x, y, a, b)) / a;
  return unit_of(front / continued_fraction(1, [=](int k, double& top, double& bottom) {
                   const double m = k / 2;
                   const double factor = k % 2 == 0 ? m * (b - m) : -(a + m) * (a + b + m);
                   top = factor / ((a + k - 1) * (a + k)) * x;
                   bottom = 1;
                 }));
}

double beta_inverse(double a, double b, Unit u) {
  if (std::fmin(a, b) >= large_shape) {
    const LargeBeta law(a, b);
    const double d = law.deviation * invert_level(
                                         u, [&](double t) { return law.level(t); },
                                         [&](double t) { return law.log_density(t); }, normal_of(u));
    return law.mean < law.rest ? law.mean + d : 1 - (law.rest - d);
  }
  // I_x(a, b) is x^a / (a B(a, b)) near 0
  const double log_near = (u.log_p() + std::lgamma(a + 1) + std::lgamma(b) - std::lgamma(a + b)) / a;
  if (log_near < -700) return std::exp(log_near);
  return unit_of_logit(invert_level(
                           u,
                           [&](double t) {
                             const Unit x = unit_of_logit(t);
                             return beta_level(x.p, x.q, a, b);
                           },
                           [&](double t) {
                             const Unit x = unit_of_logit(t);
                             return log_beta_density(x.p, x.q, a, b);
                           },
                           std::log(a / b)))
      .p;
}

}  // namespace sklar
