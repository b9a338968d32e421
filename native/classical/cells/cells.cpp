#include "classical/cells/cells.hpp"

namespace sklar {
namespace {

double log_given_first(const Bivariate& c, Unit u, const Cell& y) {
  return log_edge([&](Unit v) { return c.h1(u, v); }, [&](Unit v) { return c.log_pdf(u, v); }, y.lower,
                  y.upper);
}
double log_given_second(const Bivariate& c, const Cell& x, Unit v) {
  return log_edge([&](Unit u) { return c.h2(u, v); }, [&](Unit u) { return c.log_pdf(u, v); }, x.lower,
                  x.upper);
}

double log_rectangle(const Bivariate& c, const Cell& x, const Cell& y) {
  const double width = distance(x.lower, x.upper), height = distance(y.lower, y.upper);
  if (std::fmin(width, height) > safe_sum) {
    const double sum = (c.cdf(x.upper, y.upper) - c.cdf(x.lower, y.upper)) -
                       (c.cdf(x.upper, y.lower) - c.cdf(x.lower, y.lower));
    if (sum > safe_sum) return std::log(std::fmin(sum, std::fmin(width, height)));
  }
  // across the narrower side, where less happens
  if (width <= height)
    return log_integral([&](Unit u) { return log_given_first(c, u, y); }, x.lower, x.upper);
  return log_integral([&](Unit v) { return log_given_second(c, x, v); }, y.lower, y.upper);
}

}  // namespace

double log_cell(const Bivariate& c, const Cell& x, const Cell& y) {
  if (x.whole()) return y.level ? 0 : std::log(distance(y.lower, y.upper));
  if (y.whole()) return x.level ? 0 : std::log(distance(x.lower, x.upper));
  if (x.level && y.level) return c.log_pdf(x.lower, y.lower);
  if (x.level) return log_given_first(c, x.lower, y);
  if (y.level) return log_given_second(c, x, y.lower);
  return log_rectangle(c, x, y);
}

}  // namespace sklar
