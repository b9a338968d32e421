#pragma once

#include <vector>

namespace sklar {

struct ParetoFit {
  double scale, shape;
  double distance;  // the statistic of Cramer and von Mises of the excesses and the law
};

// Maximum likelihood of a generalised Pareto law, by its profile in theta = shape / scale (Grimshaw 1993):
// given theta the shape is the mean of log(1 + theta y). excesses: positive, ascending. Laws of shapes below
// least_shape are left out.
ParetoFit fit_pareto(const std::vector<double>& excesses, double least_shape);

}  // namespace sklar
