#include <algorithm>
#include <array>
#include <cmath>
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

// The mass of a tail and a piecewise linear density on its way from one end of a grid to the other.
class Mass {
 public:
  Mass(ExponentialTail tail, const Vector& heights, double step)
      : tail_(tail), step_(step), heights_(heights), levels_(heights.size()) {
    levels_[0] = tail.mass();
    for (std::size_t k = 1; k < heights.size(); ++k)
      levels_[k] = levels_[k - 1] + step / 2 * (heights[k - 1] + heights[k]);
    for (std::size_t i = 0; i < guide_.size(); ++i)
      guide_[i] = std::min(levels_.size() - 1, lower_bound(levels_.data(), levels_.size(),
                                                           total() * static_cast<double>(i) / guide_.size()));
  }

  double total() const { return levels_.back(); }

  // Up to so many steps from the end, at most as many as there are.
  double at(double steps) const {
    if (steps < 0) return tail_.beyond(-steps * step_);
    const std::size_t k = std::min(heights_.size() - 2, static_cast<std::size_t>(steps));
    const double t = steps - static_cast<double>(k);
    return levels_[k] + step_ * t * (heights_[k] + t / 2 * (heights_[k + 1] - heights_[k]));
  }

  // Its inverse.
  double steps(double mass) const {
    if (mass < levels_.front()) return -tail_.distance(mass) / step_;
    const auto parts = static_cast<double>(guide_.size());
    const std::size_t guess = guide_[static_cast<std::size_t>(std::min(parts - 1, mass / total() * parts))];
    const std::size_t k =
        std::max<std::size_t>(1, lower_bound_near(levels_.data(), levels_.size(), mass, guess)) - 1;
    // step (a t + b t^2 / 2) = rest, in a form without cancellation
    const std::size_t last = std::min(k, heights_.size() - 2);
    const double rest = (mass - levels_[last]) / step_, a = heights_[last], b = heights_[last + 1] - a;
    const double t = 2 * rest / (a + std::sqrt(std::max(0.0, a * a + 2 * b * rest)));
    return static_cast<double>(last) + std::min(1.0, t);
  }

 private:
  ExponentialTail tail_;
  double step_;
  Vector heights_, levels_;
  std::array<std::size_t, 1024> guide_;  // where evenly spaced masses are
};

Vector reversed(const Vector& values) { return {values.rbegin(), values.rend()}; }

class Kde final : public Margin {
 public:
  Kde(Support support, KdeGrid grid, Vector heights)
      : support_(support),
        grid_(grid),
        heights_(std::move(heights)),
        lower_(tail_of(grid, grid.lower_scale, grid.from - to_y(support.first), heights_.front())),
        upper_(tail_of(grid, grid.upper_scale, to_y(support.second) - (grid.from + top() * grid.step),
                       heights_.back())),
        below_(lower_, heights_, grid.step),
        above_(upper_, reversed(heights_), grid.step),
        middle_(below_.steps(0.5)) {}

  double total() const { return below_.total() + upper_.mass(); }

  Support support() const override { return support_; }

  Unit level(double x) const override {
    const double at = (to_y(x) - grid_.from) / grid_.step;
    if (std::isnan(at)) return {at, at};
    return at < middle_ ? unit_of(below_.at(at)) : unit_above(above_.at(top() - at));
  }

  double inverse(Unit level) const override {
    if (!(level.p > 0 && level.q > 0)) return end_of(support_, level);
    const double at = level.p < level.q ? below_.steps(level.p) : top() - above_.steps(level.q);
    const double y = grid_.from + grid_.step * at;
    return std::clamp(to_x(y), std::max(support_.first, -greatest), std::min(support_.second, greatest));
  }

  double log_pdf(double x) const override {
    if (x < support_.first || x > support_.second) return -INFINITY;
    const double at = (to_y(x) - grid_.from) / grid_.step;
    if (std::isnan(at)) return at;
    double log;
    if (at < 0 && lower_.mass() > 0) {
      log = lower_.log_pdf(-at * grid_.step);
    } else if (at > top() && upper_.mass() > 0) {
      log = upper_.log_pdf((at - top()) * grid_.step);
    } else {
      // an end of the support may be rounded to one beside the grid
      const double inside = std::clamp(at, 0.0, top());
      const std::size_t k = std::min(heights_.size() - 2, static_cast<std::size_t>(inside));
      log = std::log(heights_[k] + (inside - static_cast<double>(k)) * (heights_[k + 1] - heights_[k]));
    }
    const double distance = x - grid_.location;
    return log - (std::isfinite(distance)
                      ? std::log(std::hypot(grid_.scale, distance))
                      : std::log(std::hypot(grid_.scale / 2, x / 2 - grid_.location / 2)) + std::log(2.0));
  }

 private:
  double top() const { return static_cast<double>(heights_.size() - 1); }
  double to_y(double x) const {
    const double ratio = (x - grid_.location) / grid_.scale;
    if (std::isfinite(ratio) || !std::isfinite(x)) return std::asinh(ratio);
    const double half = x / 2 - grid_.location / 2;
    return std::copysign(std::log(std::fabs(half)) + std::log(4.0) - std::log(grid_.scale), half);
  }
  double to_x(double y) const {
    const double far = 700;  // exp(|y|) / 2 for sinh, which would overflow
    return grid_.location + (std::fabs(y) < far
                                 ? grid_.scale * std::sinh(y)
                                 : std::copysign(std::exp(std::fabs(y) + std::log(grid_.scale / 2)), y));
  }

  Support support_;
  KdeGrid grid_;
  Vector heights_;  // of the density in y at the points of the grid
  ExponentialTail lower_, upper_;
  Mass below_, above_;  // of the points of the grid from either end
  double middle_;       // steps to the median
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
