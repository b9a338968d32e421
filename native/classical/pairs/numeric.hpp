#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "special/positive.hpp"

namespace sklar {

// The zero of an increasing or decreasing f between a and b, where its signs differ; Chandrupatla (1997).
// Where they do not differ, the end that is nearer to a zero.
template <class F>
double find_root(F&& f, double a, double b) {
  double fa = f(a), fb = f(b);
  if (fa == 0) return a;
  if (fb == 0) return b;
  if ((fa < 0) == (fb < 0)) return std::fabs(fa) < std::fabs(fb) ? a : b;
  double c = a, fc = fa, t = 0.5;
  for (int i = 0; i < 200; ++i) {
    const double x = a + t * (b - a), fx = f(x);
    if ((fx < 0) == (fa < 0)) {
      c = a;
      fc = fa;
    } else {
      c = b;
      fc = fb;
      b = a;
      fb = fa;
    }
    a = x;
    fa = fx;
    const bool first = std::fabs(fa) < std::fabs(fb);
    const double best = first ? a : b;
    const double tolerance = 4e-16 * std::fabs(best) + 1e-300;
    const double limit = tolerance / std::fabs(b - a);
    if (limit > 0.5 || (first ? fa : fb) == 0) return best;
    t = 0.5;
    if (std::isfinite(fa) && std::isfinite(fb) && std::isfinite(fc)) {
      const double xi = (a - b) / (c - b), phi = (fa - fb) / (fc - fb);
      if (phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi)
        t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb);
    }
    t = std::fmin(1 - limit, std::fmax(limit, t));
  }
  return a;
}

// The x with h(x) = p, h increasing on (0, 1): on the scale of log odds, comparing logarithms of the smaller
// tail. Beyond what p and q tell apart the levels of 1000 deviations are looked at.
template <class H>
Unit solve_unit(H&& h, Unit p) {
  const bool low = p.p <= 0.5;
  const double target = low ? p.log_p() : p.log_q();
  const auto gap = [&](double logit) {
    const Unit value = h(unit_of_logit(logit));
    return low ? value.log_p() - target : target - value.log_q();
  };
  constexpr double normal = 708, farthest = 1e6;  // both p and q are normal numbers
  const double t = find_root(gap, -normal, normal);
  if (std::fabs(t) < normal) return unit_of_logit(t);
  const double end = gap(t) > 0 ? -normal : normal;
  return unit_of_logit(find_root(gap, end, std::copysign(farthest, end)));
}

// Integral of f over (a, b) by the rules of Gauss and Kronrod (7, 15), and how much the two differ.
struct GaussKronrod {
  double value, error;
};

template <class F>
GaussKronrod gauss_kronrod(F&& f, double a, double b) {
  static constexpr std::array<double, 8> node = {
      0.99145537112081264, 0.94910791234275852, 0.86486442335976907, 0.74153118559939444,
      0.58608723546769113, 0.40584515137739717, 0.20778495500789847, 0.0};
  static constexpr std::array<double, 8> kronrod = {
      0.022935322010529225, 0.063092092629978553, 0.10479001032225018, 0.14065325971552592,
      0.16900472663926790,  0.19035057806478541,  0.20443294007529889, 0.20948214108472783};
  static constexpr std::array<double, 4> gauss = {0.12948496616886969, 0.27970539148927667,
                                                  0.38183005050511894, 0.41795918367346939};
  const double middle = 0.5 * (a + b), half = 0.5 * (b - a);
  double wide = 0, narrow = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const double value = i == 7 ? f(middle) : f(middle - half * node[i]) + f(middle + half * node[i]);
    wide += kronrod[i] * value;
    if (i % 2 == 1) narrow += gauss[i / 2] * value;
  }
  return {wide * half, std::fabs(wide - narrow) * half};
}

// Integral of f over panels between increasing edges, to a tolerance relative to that of |f| over them: the
// panel where the two rules differ most is halved, until their differences add up to less, or rounding is
// all that is left. Throws Error("DIVERGED") where they stay above `promised` of that of |f|, or of `least`.
template <class F>
double integrate_panels(F&& f, const std::vector<double>& edges, double tolerance = 1e-14, double least = 0,
                        double promised = 1e-10) {
  struct Panel {
    double a, b;
    GaussKronrod rule;
    bool operator<(const Panel& other) const { return rule.error < other.rule.error; }
  };
  constexpr std::size_t most = 600;
  std::vector<Panel> panels;
  double size = 0, error = 0;
  const auto add = [&](double a, double b) {
    panels.push_back({a, b, gauss_kronrod(f, a, b)});
    size += std::fabs(panels.back().rule.value);
    error += panels.back().rule.error;
    std::push_heap(panels.begin(), panels.end());
  };
  for (std::size_t i = 0; i + 1 < edges.size(); ++i)
    if (edges[i + 1] > edges[i]) add(edges[i], edges[i + 1]);
  const std::size_t first = panels.size();
  while (error > tolerance * size && panels.size() < first + most) {
    std::pop_heap(panels.begin(), panels.end());
    const Panel worst = panels.back();
    panels.pop_back();
    size -= std::fabs(worst.rule.value);
    error -= worst.rule.error;
    const double middle = 0.5 * (worst.a + worst.b);
    add(worst.a, middle);
    add(middle, worst.b);
  }
  if (!(error <= promised * std::fmax(size, least) + 1e-290)) {
    const double digits = std::isnan(error) ? 0 : std::fmax(0, -std::log10(error / std::fmax(size, least)));
    throw Error("DIVERGED", "expected an integral to " + std::to_string(std::lround(-std::log10(promised))) +
                                " digits, got " + std::to_string(std::lround(std::floor(digits))));
  }
  double sum = 0;
  for (const Panel& panel : panels) sum += panel.rule.value;
  return sum;
}

// Adds centre +- width, 3 width, 7 width .. out to `reach`, in order.
inline std::vector<double> panels_about(double centre, double width, double reach) {
  std::vector<double> edges{centre};
  for (double distance = width, step = width; distance - step < reach; step *= 2, distance += step) {
    edges.insert(edges.begin(), centre - distance);
    edges.push_back(centre + distance);
  }
  return edges;
}

// Integral over the real line of a positive f whose main part lies within a few widths about the centre, and
// which falls off at least like e^(-|t - centre| / (2 width)).
template <class F>
double integrate_line(F&& f, double centre, double width) {
  return integrate_panels(f, panels_about(centre, width, 100 * width));
}

}  // namespace sklar
