#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "margins/margin.hpp"
#include "margins/search.hpp"
#include "margins/tail.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

// The normal kernel falls there as an exponential tail of this share of the bandwidth.
constexpr double tail_share = 1.0 / 3;

constexpr double greatest = std::numeric_limits<double>::max();

ExponentialTail tail_of(const KdeGrid& grid, double length, double height) {
  const double scale = grid.bandwidth * tail_share;
  return ExponentialTail(-std::expm1(-length / scale) * scale * height, scale,
                         length > grid.step / 2 ? length : 0);
}

class Kde final : public Margin {
 public:
  Kde(Support support, KdeGrid grid, Vector heights)
      : support_(support),
        grid_(grid),
        heights_(std::move(heights)),
        levels_(heights_.size()),
        lower_(tail_of(grid, grid.from - to_y(support.first), heights_.front())),
        upper_(tail_of(grid, to_y(support.second) - (grid.from + top() * grid.step), heights_.back())) {
    levels_[0] = lower_.mass();
    for (std::size_t k = 1; k < heights_.size(); ++k)
      levels_[k] = levels_[k - 1] + grid.step / 2 * (heights_[k - 1] + heights_[k]);
  }

  double total() const { return levels_.back() + upper_.mass(); }

  Support support() const override { return support_; }

  double cdf(double x) const override {
    const double at = (to_y(x) - grid_.from) / grid_.step;
    if (at < 0) return lower_.beyond(-at * grid_.step);
    if (at >= top()) return 1 - upper_.beyond((at - top()) * grid_.step);
    if (std::isnan(at)) return at;
    const auto k = static_cast<std::size_t>(at);
    const double t = at - static_cast<double>(k);
    return levels_[k] + grid_.step * t * (heights_[k] + t / 2 * (heights_[k + 1] - heights_[k]));
  }

  double quantile(double u) const override {
    const auto [least, most] = support_;
    if (!(u > 0 && u < 1)) return u == 0 ? least : u == 1 ? most : NAN;
    double y;
    if (u < levels_.front()) {
      y = grid_.from - lower_.distance(u);
    } else if (u > levels_.back()) {
      y = grid_.from + top() * grid_.step + upper_.distance(1 - u);
    } else {
      const std::size_t k = std::max<std::size_t>(1, lower_bound(levels_.data(), levels_.size(), u)) - 1;
      // step (a t + b t^2 / 2) = rest, in a form without cancellation
      const double rest = (u - levels_[k]) / grid_.step, a = heights_[k], b = heights_[k + 1] - a;
      const double t = 2 * rest / (a + std::sqrt(std::max(0.0, a * a + 2 * b * rest)));
      y = grid_.from + grid_.step * (static_cast<double>(k) + std::min(1.0, t));
    }
    return std::min(std::min(most, greatest), std::max(std::max(least, -greatest), to_x(y)));
  }

  double log_pdf(double x) const override {
    if (x < support_.first || x > support_.second) return -INFINITY;
    const double at = (to_y(x) - grid_.from) / grid_.step;
    if (std::isnan(at)) return at;
    double log;
    if (at < 0) {
      log = lower_.log_pdf(-at * grid_.step);
    } else if (at > top()) {
      log = upper_.log_pdf((at - top()) * grid_.step);
    } else {
      const std::size_t k = std::min(heights_.size() - 2, static_cast<std::size_t>(at));
      log = std::log(heights_[k] + (at - static_cast<double>(k)) * (heights_[k + 1] - heights_[k]));
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
  Vector heights_, levels_;  // at the points of the grid; levels: F
  ExponentialTail lower_, upper_;
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
