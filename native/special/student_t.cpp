#include "special/student_t.hpp"

#include <cmath>

namespace sklar {
namespace {

// log Gamma(a + 1/2) - log Gamma(a), without their cancellation where a is large
double log_gamma_step(double a) {
  if (a < 20) return std::lgamma(a + 0.5) - std::lgamma(a);
  const double r = 1 / a, r2 = r * r;
  return 0.5 * std::log(a) - r * (0.125 - r2 * (1.0 / 192 - r2 * (1.0 / 640 - r2 * (17.0 / 14336))));
}

// The continued fraction of the incomplete beta function I_x(a, b) a B(a, b) / (x^a (1 - x)^b).
double beta_fraction(double x, double a, double b) {
  constexpr double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::fabs(d) < tiny ? tiny : d);
  double value = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 + even * d;
    c = 1 + even / c;
    d = 1 / (std::fabs(d) < tiny ? tiny : d);
    c = std::fabs(c) < tiny ? tiny : c;
    value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + odd * d;
    c = 1 + odd / c;
    d = 1 / (std::fabs(d) < tiny ? tiny : d);
    c = std::fabs(c) < tiny ? tiny : c;
    value *= d * c;
    if (!(std::fabs(d * c - 1) >= 1e-16)) break;  // NaN ends it, too
  }
  return value;
}

}  // namespace

StudentT::StudentT(double degrees)
    : degrees_(degrees), log_scale_(log_gamma_step(0.5 * degrees) - 0.5 * std::log(degrees * M_PI)) {}

double StudentT::log1p_form(Positive size) const {
  return size.log < 300 ? std::log1p(size.value * size.value / degrees_) : 2 * size.log - std::log(degrees_);
}

Unit StudentT::tail(Positive x) const {
  if (x.log == infinity) return {0, 1};
  if (x.value == 0) return {0.5, 0.5};
  const double a = 0.5 * degrees_, log_ratio = 2 * x.log - std::log(degrees_);
  const double form = log1p_form(x);  // of 1 + x^2 / n
  const double y = std::exp(-form);   // P = I_y(a, 1/2) / 2
  // log of Gamma(a + 1/2) / (Gamma(a) Gamma(1/2)) y^a (1 - y)^(1/2)
  const double log_front = log_scale_ + 0.5 * std::log(degrees_) - a * form + 0.5 * (log_ratio - form);
  if (y < (a + 1) / (a + 2.5)) return unit_of_log(log_front + std::log(0.5 / a * beta_fraction(y, a, 0.5)));
  const double half = std::exp(log_front) * beta_fraction(std::exp(log_ratio - form), 0.5, a);
  return {0.5 - half, 0.5 + half};
}

Unit StudentT::cdf(Signed x) const {
  const Unit above = tail(x.size);
  return x.sign < 0 ? above : above.flipped();
}

Positive StudentT::tail_quantile(double p, double log_p) const {
  if (log_p == -infinity) return {infinity, infinity};
  if (p >= 0.5) return {0, -infinity};
  const double n = degrees_;
  // P ~ density(0) n^((n+1)/2) x^-n / n far out
  const double log_far = (log_scale_ + 0.5 * (n + 1) * std::log(n) - std::log(n) - log_p) / n;
  if (log_far > 300) return positive_of_log(log_far);
  // Hill: an expansion about the normal, or about the tail
  const double a = 1 / (n - 0.5), b = 48 / (a * a);
  double c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
  const double d = ((94.5 / (b + c) - 3) / b + 1) * std::sqrt(a * M_PI / 2) * n;
  double x = 0;
  if (n >= 1) {
    double y = std::exp((std::log(d * 2) + log_p) * 2 / n);
    if (y > 0.05 + a) {
      double z = -normal_of(unit_of_log(log_p));
      y = z * z;
      if (n < 5) c += 0.3 * (n - 4.5) * (z + 0.6);
      c += (((0.05 * d * z - 5) * z - 7) * z - 2) * z + b;
      y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * z;
      y = std::expm1(a * y * y);
    } else {
      y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) /
              (n + 2) +
          1 / y;
    }
    x = std::sqrt(n * y);
  }
  if (!(x > 0) || !std::isfinite(x)) x = std::exp(log_far);
  for (int i = 0; i < 50; ++i) {
    const double at = tail(positive_of(x)).log_p(), slope = -std::exp(log_pdf(x) - at);
    // Newton's step on log P, bent by its second derivative
    const double f = at - log_p;
    const double bend = (n + 1) * x / (n + x * x) * -slope - slope * slope;  // of log P
    double step = f / slope;
    const double halley = 1 - 0.5 * step * bend / slope;
    if (halley > 0.5 && halley < 2) step /= halley;
    const double next = x - step > 0.1 * x ? (x - step < 10 * x ? x - step : 10 * x) : 0.1 * x;
    const bool done = std::fabs(next - x) <= 1e-11 * x;
    x = next;
    if (done) break;
  }
  return positive_of(x);
}

Signed StudentT::signed_quantile(Unit u) const {
  return u.p < u.q ? Signed{-1, tail_quantile(u.p, u.log_p())} : Signed{1, tail_quantile(u.q, u.log_q())};
}

}  // namespace sklar
