#include "core/margin_maps.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/monotone.h"
#include "core/normal.h"

namespace sklar {
namespace {

double knot(std::size_t i) {
  return 0.2 * (static_cast<double>(i) - 0.5 * static_cast<double>(MarginMaps::knots - 1));
}

}  // namespace

MarginMaps::MarginMaps(std::vector<double> from_knots) : from(std::move(from_knots)), slope(from.size()) {
  if (from.empty() || from.size() % knots)
    throw Error("SHAPE", "margin maps: expected " + std::to_string(knots) + " knots a column");
  for (std::size_t i = 0; i < knots; ++i) to.push_back(knot(i));
  for (std::size_t c = 0; c < from.size(); c += knots) {
    for (std::size_t i = 0; i < knots; ++i)
      if (!std::isfinite(from[c + i]) || (i && !(from[c + i] > from[c + i - 1])))
        throw Error("VALUE", "margin maps: knots must be finite and increase (column " +
                                 std::to_string(c / knots) + ")");
    monotone_slopes(&from[c], to.data(), &slope[c], knots);
  }
}

std::vector<double> MarginMaps::estimate(const double* pilot, std::size_t rows, std::size_t dim) {
  if (rows < fewest_rows)
    throw Error("VALUE", "margin maps: expected at least " + std::to_string(fewest_rows) + " rows, got " +
                             std::to_string(rows));
  std::vector<double> result(dim * knots), column(rows);
  for (std::size_t j = 0; j < dim; ++j) {
    for (std::size_t i = 0; i < rows; ++i) column[i] = pilot[i * dim + j];
    std::sort(column.begin(), column.end());
    double* x = &result[j * knots];
    for (std::size_t k = 0; k < knots; ++k) {
      const double position = std::clamp(normal_cdf(knot(k)) * static_cast<double>(rows) - 0.5, 0.0,
                                         static_cast<double>(rows - 1));
      const auto below = static_cast<std::size_t>(position);
      const double above = column[std::min(below + 1, rows - 1)];
      x[k] = column[below] + (position - static_cast<double>(below)) * (above - column[below]);
      // a sampler that piles rows up in one place leaves a map with a steep piece
      if (k && !(x[k] > x[k - 1])) x[k] = x[k - 1] + 1e-6 * std::max(1.0, std::abs(x[k - 1]));
    }
  }
  return result;
}

double MarginMaps::operator()(std::size_t column, double z) const {
  return monotone_map(&from[column * knots], to.data(), &slope[column * knots], knots, z);
}

}  // namespace sklar
