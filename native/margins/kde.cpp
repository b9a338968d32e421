#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/error.hpp"
#include "margins/margin.hpp"
#include "margins/search.hpp"
#include "margins/tail.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

constexpr double greatest = std::numeric_limits<double>::max();

// It goes on at the height of the last point.
ExponentialTail tail_of(const KdeGrid& grid, double scale, double length, double height) {
  return ExponentialTail(-std::expm1(-length / scale) * scale * height, scale,
                         length > grid.step / 2 ? length : 0);
}

// Where the integral of a linear density, from a point of the grid on, has a mass.
struct GridCell {
  double point, mass, height, slope;

  double steps() const {
    // height t + slope t^2 / 2 = mass, in a form without cancellation
    const double root = std::sqrt(std::max(0.0, height * height + 2 * slope * mass));
    return point + std::min(1.0, 2 * mass / (height + root));
  }
};

// The mass of a tail and a piecewise linear density on its way from one end of a grid to the other.
class Mass {
 public:
  Mass(ExponentialTail tail, const Vector& heights, double step)
      : tail_(tail), step_(step), masses_(heights), levels_(heights.size()) {
    for (double& mass : masses_) mass *= step;
    levels_[0] = tail.mass();
    for (std::size_t k = 1; k < masses_.size(); ++k)
      levels_[k] = levels_[k - 1] + (masses_[k - 1] + masses_[k]) / 2;
    parts_of_ = 2 * parts / total();
    for (std::size_t i = 0; i < parts; ++i)
      guide_[i] = static_cast<std::uint32_t>(
          lower_bound(levels_.data(), levels_.size() - 2, static_cast<double>(i) / parts_of_));
  }

  double total() const { return levels_.back(); }

  // Up to so many steps from the end, at most as many as there are.
  double at(double steps) const {
    if (steps < 0) return tail_.beyond(-steps * step_);
    const std::size_t k = std::min(masses_.size() - 2, static_cast<std::size_t>(steps));
    const double t = steps - static_cast<double>(k);
    return levels_[k] + t * (masses_[k] + t / 2 * (masses_[k + 1] - masses_[k]));
  }

  // Its inverse.
  double steps(double mass) const {
    return in_tail(mass) ? -tail_.distance(mass) / step_ : cell_of(mass).steps();
  }

  bool in_tail(double mass) const { return mass < levels_.front(); }

  // Between two points, or in the first or last cell.
  GridCell cell_of(double mass) const {
    const auto part = static_cast<std::int32_t>(std::max(0.0, std::min(parts - 1.0, mass * parts_of_)));
    std::size_t end = guide_[part];
    end += levels_[end] < mass ? 1 : 0;  // rarely more, and so without a branch
    if (levels_[end] < mass) end = lower_bound_near(levels_.data(), levels_.size(), mass, end);
    const std::size_t k = std::clamp<std::size_t>(end, 1, levels_.size() - 1) - 1;
    return {static_cast<double>(k), mass - levels_[k], masses_[k], masses_[k + 1] - masses_[k]};
  }

 private:
  static constexpr std::size_t parts = 1024;

  ExponentialTail tail_;
  double step_, parts_of_;                  // parts_of_: how many parts a mass of one has
  Vector masses_, levels_;                  // masses_: of a step at the height of each point
  std::array<std::uint32_t, parts> guide_;  // where evenly spaced masses up to the half are
};

// sinh between neighbours of a fine grid by its addition theorem; a coarse one has no points.
class SinhTable {
 public:
  struct Point {
    double sinh, cosh;
  };

  SinhTable(double from, double step, std::size_t points) : step_(step) {
    const double most = std::max(std::fabs(from), std::fabs(from + step * static_cast<double>(points)));
    if (step > 1.0 / 32 || most > 700) return;
    for (std::size_t k = 0; k < points; ++k) {
      const double y = from + step * static_cast<double>(k);
      points_.push_back({std::sinh(y), std::cosh(y)});
    }
  }

  // Whether there are points on either side of so many steps from the first.
  bool has(double steps) const { return steps >= 0 && steps + 1 <= static_cast<double>(points_.size()); }

  Point near(std::int32_t nearest) const { return points_[nearest]; }
  double at(double steps) const {
    const auto nearest = static_cast<std::int32_t>(steps + 0.5);
    return at(steps, nearest, points_[nearest].sinh, points_[nearest].cosh);
  }
  double at(double steps, std::int32_t nearest, double sinh_there, double cosh_there) const {
    const double d = step_ * (steps - nearest), dd = d * d;
    // Taylor's series; |d| <= 1 / 64
    const double sinh = d + d * dd * (1.0 / 6 + dd * (1.0 / 120 + dd * (1.0 / 5040)));
    const double cosh = 1 + dd * (1.0 / 2 + dd * (1.0 / 24 + dd * (1.0 / 720)));
    return sinh_there * cosh + cosh_there * sinh;
  }

 private:
  double step_;
  std::vector<Point> points_;
};

Vector reversed(const Vector& values) { return {values.rbegin(), values.rend()}; }

class Kde final : public Margin {
 public:
  Kde(Support support, KdeGrid grid, Vector heights)
      : support_(support),
        grid_(grid),
        unit_(std::max(std::fabs(grid.location), grid.scale) > 1e300 ? 0.25 : 1),
        location_(grid.location * unit_),
        scale_(grid.scale * unit_),
        heights_(std::move(heights)),
        top_(static_cast<double>(heights_.size() - 1)),
        least_(std::max(support_.first, -greatest)),
        most_(std::min(support_.second, greatest)),
        lower_(tail_of(grid, grid.lower_scale, grid.from - to_y(support.first), heights_.front())),
        upper_(tail_of(grid, grid.upper_scale, to_y(support.second) - (grid.from + top_ * grid.step),
                       heights_.back())),
        sides_{Mass(lower_, heights_, grid.step), Mass(upper_, reversed(heights_), grid.step)},
        middle_(sides_[0].steps(0.5)),
        sinh_(grid.from, grid.step, heights_.size()) {}

  double total() const { return sides_[0].total() + upper_.mass(); }

  Support support() const override { return support_; }

  Unit level(double x) const override {
    const double at = (to_y(x) - grid_.from) / grid_.step;
    if (std::isnan(at)) return {at, at};
    // Beside an end of the support the scale of the grid knows no distances: the density there times that
    // from the end.
    const auto beside = [&](double mass, double distance) {
      return distance > 0 && std::isfinite(distance) ? std::fmax(mass, distance * std::exp(log_pdf(x)))
                                                     : mass;
    };
    constexpr double near = 1e-9;  // steps
    if (at < near && lower_.mass() == 0) return unit_of(beside(sides_[0].at(at), x - support_.first));
    if (at > top_ - near && upper_.mass() == 0)
      return unit_above(beside(sides_[1].at(top_ - at), support_.second - x));
    return at < middle_ ? unit_of(sides_[0].at(at)) : unit_above(sides_[1].at(top_ - at));
  }

  double inverse(Unit level) const override {
    if (!(level.p > 0 && level.q > 0)) return end_of(support_, level);
    const bool above = !(level.p < level.q);
    const double at = from_below(above, sides_[above].steps(std::min(level.p, level.q)));
    return inside(sinh_.has(at) ? location_ + scale_ * sinh_.at(at) : to_x(grid_.from + grid_.step * at));
  }

  // The same in loops without branches, which overlap or are vectors.
  void inverse_of(const Unit* levels, std::size_t count, double* out) const override {
    constexpr std::size_t block = 128;
    double point[block], mass[block], height[block], slope[block], at[block], sinh[block], cosh[block];
    std::int32_t above[block], nearest[block];
    for (std::size_t begin = 0; begin < count; begin += block, levels += block, out += block) {
      const std::size_t rows = std::min(count - begin, block);
      for (std::size_t i = 0; i < rows; ++i) {
        above[i] = !(levels[i].p < levels[i].q);
        const GridCell cell = sides_[above[i]].cell_of(std::min(levels[i].p, levels[i].q));
        point[i] = cell.point, mass[i] = cell.mass, height[i] = cell.height, slope[i] = cell.slope;
      }
      for (std::size_t i = 0; i < rows; ++i) {
        const double steps = GridCell{point[i], mass[i], height[i], slope[i]}.steps();
        at[i] = std::min(top_, std::max(0.0, from_below(above[i], steps)));
        nearest[i] = static_cast<std::int32_t>(at[i] + 0.5);
      }
      if (sinh_.has(0)) {
        for (std::size_t i = 0; i < rows; ++i) {
          const SinhTable::Point there = sinh_.near(nearest[i]);
          sinh[i] = there.sinh, cosh[i] = there.cosh;
        }
        for (std::size_t i = 0; i < rows; ++i)
          out[i] = inside(location_ + scale_ * sinh_.at(at[i], nearest[i], sinh[i], cosh[i]));
      }
      for (std::size_t i = 0; i < rows; ++i) {
        const double least = std::min(levels[i].p, levels[i].q);
        if (!(least > 0) || sides_[above[i]].in_tail(least) || !sinh_.has(0)) out[i] = inverse(levels[i]);
      }
    }
  }

  double log_pdf(double x) const override {
    if (x < support_.first || x > support_.second) return -INFINITY;
    const double at = (to_y(x) - grid_.from) / grid_.step;
    if (std::isnan(at)) return at;
    double log;
    if (at < 0 && lower_.mass() > 0) {
      log = lower_.log_pdf(-at * grid_.step);
    } else if (at > top_ && upper_.mass() > 0) {
      log = upper_.log_pdf((at - top_) * grid_.step);
    } else {
      // an end of the support may be rounded to one beside the grid
      const double inside = std::clamp(at, 0.0, top_);
      const std::size_t k = std::min(heights_.size() - 2, static_cast<std::size_t>(inside));
      log = std::log(heights_[k] + (inside - static_cast<double>(k)) * (heights_[k + 1] - heights_[k]));
    }
    const double distance = x * unit_ - location_;
    return log - (std::isfinite(distance)
                      ? std::log(std::hypot(scale_, distance)) - std::log(unit_)
                      : std::log(std::hypot(grid_.scale / 2, x / 2 - grid_.location / 2)) + std::log(2.0));
  }

 private:
  double from_below(int above, double steps) const { return above * top_ + (1 - 2 * above) * steps; }
  // What was computed in the unit.
  double inside(double x) const { return std::max(std::min(x / unit_, most_), least_); }
  double to_y(double x) const {
    const double ratio = (x * unit_ - location_) / scale_;
    if (std::isfinite(ratio) || !std::isfinite(x)) return std::asinh(ratio);
    const double half = x / 2 - grid_.location / 2;
    return std::copysign(std::log(std::fabs(half)) + std::log(4.0) - std::log(grid_.scale), half);
  }
  double to_x(double y) const {
    const double far = 700;  // exp(|y|) / 2 for sinh, which would overflow
    return location_ + (std::fabs(y) < far ? scale_ * std::sinh(y)
                                           : std::copysign(std::exp(std::fabs(y) + std::log(scale_ / 2)), y));
  }

  Support support_;
  KdeGrid grid_;
  double unit_, location_, scale_;  // both times the unit, in which differences of great values are finite
  Vector heights_;                  // of the density in y at the points of the grid
  double top_;                      // steps to the last of them
  double least_, most_;
  ExponentialTail lower_, upper_;
  std::array<Mass, 2> sides_;  // of the points of the grid from below and from above
  double middle_;              // steps to the median
  SinhTable sinh_;
};

void check(const Vector& heights) {
  if (heights.size() < 2) throw Error("SHAPE", "expected two heights at least");
}

}  // namespace

SharedMargin make_kde(Support support, KdeGrid grid, Vector heights) {
  check(heights);
  return std::make_shared<Kde>(support, grid, std::move(heights));
}

double kde_integral(Support support, KdeGrid grid, const Vector& heights) {
  check(heights);
  return Kde(support, grid, heights).total();
}

}  // namespace sklar
