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
double gamma_p(double a, double x) {
  if (x <= 0) return 0;
  if (std::isinf(x)) return 1;
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int k = 1; k < most_terms && term > sum * 1e-17; ++k) sum += term *= x / (a + k);
    return std::fmin(1, front * sum);
  }
  return 1 - front / continued_fraction(x + 1 - a, [=](int k, double& top, double& bottom) {
               top = k * (a - k);
               bottom = x + 2 * k + 1 - a;
             });
}

// By its continued fraction on the side where it is short.
double beta_i(double x, double a, double b) {
  if (!(x > 0)) return x <= 0 ? 0 : NAN;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - beta_i(1 - x, b, a);
  const double front = std::exp(a * std::log(x) + b * std::log1p(-x) - log_beta(a, b)) / a;
  return front / continued_fraction(1, [=](int k, double& top, double& bottom) {
           const int m = k / 2;
           const double factor = k % 2 == 0 ? m * (b - m) : -(a + m) * (a + b + m);
           top = factor * x / ((a + k - 1) * (a + k));
           bottom = 1;
         });
}

}  // namespace sklar
