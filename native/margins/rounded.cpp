#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "margins/margin.hpp"

namespace sklar {
namespace {

// Differences of levels that are so small beside them have lost their digits.
constexpr double narrowest = 1e-6;

// Multiples of a step from an origin on. Decimals are not: where the step is 1 / m the value number k is a
// quotient.
class Grid {
 public:
  Grid(double origin, double step)
      : origin_(origin), step_(step), per_(std::nearbyint(1 / step)), first_(std::nearbyint(origin * per_)) {
    exact_ = per_ >= 1 && std::fabs(per_ * step - 1) < 1e-9 && std::fabs(origin * per_ - first_) < 1e-6;
  }

  double step() const { return step_; }
  double number(double x) const { return (x - origin_) / step_; }
  double value(double k) const { return exact_ ? (first_ + k) / per_ : origin_ + k * step_; }
  // Where the cells of the values k and k + 1 meet.
  double edge_above(double k) const { return origin_ + (k + 0.5) * step_; }

 private:
  double origin_, step_, per_, first_;
  bool exact_;
};

class Rounded final : public Margin {
 public:
  Rounded(SharedMargin of, Grid grid) : of_(std::move(of)), grid_(grid) {
    const auto [least, most] = of_->support();
    // a cell of which the support has the edge alone is none
    first_ = std::floor(grid_.number(least) + 0.5 + 1e-9);
    last_ = std::ceil(grid_.number(most) - 0.5 - 1e-9);
  }

  Support support() const override { return {value(first_), value(last_)}; }
  bool has_atoms() const override { return true; }
  bool is_atom(double x) const override {
    const double k = number(x);
    return k >= first_ && k <= last_;
  }

  Unit level(double x) const override { return up_to(number(x)); }
  Unit level_before(double x) const override { return up_to(number(x) - 1); }
  void cdf_of(const double* x, std::size_t count, double* out) const override {
    constexpr std::size_t block = 256;
    double edges[block];
    for (std::size_t begin = 0; begin < count; begin += block) {
      const std::size_t end = std::min(count, begin + block);
      for (std::size_t i = begin; i < end; ++i) edges[i - begin] = grid_.edge_above(number(x[i]));
      of_->cdf_of(edges, end - begin, out + begin);
      for (std::size_t i = begin; i < end; ++i) {
        const double k = number(x[i]);
        if (k < first_) out[i] = 0;
        if (k >= last_) out[i] = 1;
      }
    }
  }

  double inverse(Unit level) const override { return recorded(of_->inverse(level)); }
  void inverse_of(const Unit* levels, std::size_t count, double* out) const override {
    of_->inverse_of(levels, count, out);
    std::transform(out, out + count, out, [this](double x) { return recorded(x); });
  }
  double at_score(double z) const override { return recorded(of_->at_score(z)); }

  double log_pdf(double x) const override {
    const double k = number(x);
    if (std::isnan(k)) return k;
    if (k < first_ || k > last_) return -INFINITY;
    const Unit before = up_to(k - 1), after = up_to(k);
    const bool lower = after.p < before.q;
    const double mass = lower ? after.p - before.p : before.q - after.q;
    const double value = grid_.value(k);
    if (mass > narrowest * (lower ? after.p : before.q) || of_->is_atom(value)) return std::log(mass);
    return of_->log_pdf(value) + std::log(grid_.step());
  }

 private:
  double number(double x) const { return std::nearbyint(grid_.number(x)); }
  // An end of the support of which the number overflows is itself.
  double value(double k) const {
    const auto [least, most] = of_->support();
    return std::isfinite(k) ? grid_.value(k) : k < 0 ? least : most;
  }
  // Quantiles at the upper edge of a cell are of the cell, as far as they can be told from it.
  double recorded(double x) const {
    if (std::isnan(x)) return x;
    const double k = std::ceil(grid_.number(x) - 0.5 - 1e-6);
    return value(std::clamp(k, first_, last_)) + 0.0;
  }
  // F at the upper edge of a cell.
  Unit up_to(double k) const {
    if (k < first_) return {0, 1};
    if (k >= last_) return {1, 0};
    return of_->level(grid_.edge_above(k));
  }

  SharedMargin of_;
  Grid grid_;
  double first_, last_;
};

}  // namespace

SharedMargin make_rounded(SharedMargin of, double origin, double step) {
  if (!(step > 0) || !std::isfinite(step) || !std::isfinite(origin))
    throw Error("VALUE", "expected a positive step of a grid");
  return std::make_shared<Rounded>(std::move(of), Grid{origin, step});
}

}  // namespace sklar
