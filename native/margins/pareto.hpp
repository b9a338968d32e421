#pragma once

#include <cmath>
#include <vector>

namespace sklar {

// The generalised Pareto law of y in scales: P(Y > y) = (1 + shape y)^(-1 / shape), y >= 0.
struct StandardPareto {
  double shape;

  double end() const { return shape < 0 ? -1 / shape : INFINITY; }
  double log_beyond(double y) const {
    if (!(1 + shape * y > 0)) return -INFINITY;
    return shape == 0 ? -y : -std::log1p(shape * y) / shape;
  }
  // The y beyond which this share lies.
  double excess(double log_share) const {
    return shape == 0 ? -log_share : std::expm1(-shape * log_share) / shape;
  }
  double log_pdf(double y) const {
    if (shape == -1) return y <= 1 ? 0 : -INFINITY;
    return (1 + shape) * log_beyond(y);
  }
};

struct ParetoFit {
  double scale, shape;
  double distance;  // the statistic of Cramer and von Mises of the excesses and the law
};

// Maximum likelihood of a generalised Pareto law, by its profile in theta = shape / scale (Grimshaw 1993):
// given theta the shape is the mean of log(1 + theta y). excesses: positive, ascending. Laws of shapes below
// least_shape are left out. weights: of the excesses; empty: all are 1.
ParetoFit fit_pareto(const std::vector<double>& excesses, const std::vector<double>& weights,
                     double least_shape);

}  // namespace sklar
