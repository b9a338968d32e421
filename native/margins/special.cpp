#include "margins/special.hpp"

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

}  // namespace

// By its series below a + 1 and its continued fraction above.
Unit gamma_level(double a, double x) {
  if (std::isnan(x)) return {x, x};
  if (x <= 0) return {0, 1};
  if (std::isinf(x)) return {1, 0};
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
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

// By its continued fraction on the side where it is short.
Unit beta_level(double x, double y, double a, double b) {
  if (std::isnan(x)) return {x, x};
  if (x <= 0) return {0, 1};
  if (y <= 0) return {1, 0};
  if (x > (a + 1) / (a + b + 2)) return beta_level(y, x, b, a).flipped();
  const double log_y = y < 0.5 ? std::log(y) : std::log1p(-x);
  const double log_x = x < 0.5 ? std::log(x) : std::log1p(-y);
  const double front = std::exp(a * log_x + b * log_y - log_beta(a, b)) / a;
  return unit_of(front / continued_fraction(1, [=](int k, double& top, double& bottom) {
                   const int m = k / 2;
                   const double factor = k % 2 == 0 ? m * (b - m) : -(a + m) * (a + b + m);
                   top = factor * x / ((a + k - 1) * (a + k));
                   bottom = 1;
                 }));
}

}  // namespace sklar
