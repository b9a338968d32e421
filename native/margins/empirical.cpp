#include <cmath>

#include "core/error.hpp"
#include "margins/margin.hpp"
#include "margins/search.hpp"
#include "margins/tail.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

class Empirical final : public Margin {
 public:
  Empirical(Support support, double rows, double lower_scale, double upper_scale, Vector values,
            Vector levels)
      : support_(support),
        values_(std::move(values)),
        levels_(std::move(levels)),
        lower_(levels_.front(), lower_scale, values_.front() - support.first),
        upper_(1 - levels_.back(), upper_scale, support.second - values_.back()) {
    // edges of a histogram at evenly spaced levels, and the log density between them
    const std::size_t top = values_.size() - 1;
    const double wanted = std::max(1.0, std::round(2 * std::cbrt(rows)));
    const auto bins = static_cast<std::size_t>(std::min(static_cast<double>(top), wanted));
    std::size_t from = 0;
    edges_.push_back(values_[0]);
    for (std::size_t bin = 1; bin <= bins; ++bin) {
      const double level =
          interpolate(static_cast<double>(bin) / static_cast<double>(bins), levels_.front(), levels_.back());
      const std::size_t k = std::min(top, lower_bound(levels_.data(), levels_.size(), level));
      if (k <= from) continue;
      log_heights_.push_back(std::log(levels_[k] - levels_[from]) - std::log(values_[k] - values_[from]));
      edges_.push_back(values_[k]);
      from = k;
    }
  }

  Support support() const override { return support_; }
  bool has_atoms() const override { return at_least() > 0 || at_most() > 0; }
  bool is_atom(double x) const override {
    return (x == support_.first && at_least() > 0) || (x == support_.second && at_most() > 0);
  }
  Unit level_before(double x) const override {
    if (x == support_.first) return {0, 1};
    return x == support_.second ? unit_above(at_most()) : level(x);
  }

  Unit level(double x) const override {
    const std::size_t k = lower_bound(values_.data(), values_.size(), x);
    const double p = cdf_at(k, x);
    if (!(p > 0.5)) return unit_of(p);
    if (x == support_.second) return {1, 0};
    if (k == values_.size()) return {p, upper_.beyond(x - values_.back())};
    if (k == 0) return unit_of(p);
    const double above = 1 - levels_[k], share = 1 - position(x, values_[k - 1], values_[k]);
    return {p, above + share * (levels_[k] - levels_[k - 1])};
  }

  void cdf_of(const double* x, std::size_t count, double* out) const override {
    constexpr std::size_t lanes = 16;
    std::size_t i = 0, k[lanes];
    for (; i + lanes <= count; i += lanes) {
      lower_bounds<lanes>(values_.data(), values_.size(), x + i, k);
      for (std::size_t l = 0; l < lanes; ++l) out[i + l] = cdf_at(k[l], x[i + l]);
    }
    for (; i < count; ++i) out[i] = cdf_at(lower_bound(values_.data(), values_.size(), x[i]), x[i]);
  }

  // k: the first value that is not below x
  double cdf_at(std::size_t k, double x) const {
    if (x == support_.first) return at_least();
    if (x == support_.second) return 1;
    if (k == values_.size()) return 1 - upper_.beyond(x - values_.back());
    if (k == 0) return std::isnan(x) ? x : lower_.beyond(values_.front() - x);
    return interpolate(position(x, values_[k - 1], values_[k]), levels_[k - 1], levels_[k]);
  }

  double inverse(Unit level) const override {
    if (!(level.p > 0 && level.q > 0)) return end_of(support_, level);
    const double u = level.p;
    if (u < levels_.front()) return std::max(support_.first, values_.front() - lower_.distance(u));
    if (u > levels_.back()) return std::min(support_.second, values_.back() + upper_.distance(level.q));
    const auto guess =
        static_cast<std::size_t>(u * static_cast<double>(levels_.size()));  // nearly evenly spaced
    const std::size_t k =
        std::max<std::size_t>(1, lower_bound_near(levels_.data(), levels_.size(), u, guess));
    return interpolate(position(u, levels_[k - 1], levels_[k]), values_[k - 1], values_[k]);
  }

  double log_pdf(double x) const override {
    if (std::isnan(x)) return x;
    if (x < support_.first || x > support_.second) return -INFINITY;
    if (is_atom(x)) return std::log(x == support_.first ? at_least() : at_most());
    if (x < edges_.front()) return lower_.log_pdf(edges_.front() - x);
    if (x > edges_.back()) return upper_.log_pdf(x - edges_.back());
    return log_heights_[std::max<std::size_t>(1, lower_bound(edges_.data(), edges_.size(), x)) - 1];
  }

 private:
  // The probabilities of the ends of the support.
  double at_least() const { return values_.front() == support_.first ? levels_.front() : 0; }
  double at_most() const { return values_.back() == support_.second ? 1 - levels_.back() : 0; }

  Support support_;
  Vector values_, levels_;
  ExponentialTail lower_, upper_;
  Vector edges_, log_heights_;
};

}  // namespace

SharedMargin make_empirical(Support support, double rows, double lower_scale, double upper_scale,
                            Vector values, Vector levels) {
  if (values.size() < 2 || levels.size() != values.size())
    throw Error("SHAPE", "expected two values at least and as many levels");
  return std::make_shared<Empirical>(support, rows, lower_scale, upper_scale, std::move(values),
                                     std::move(levels));
}

}  // namespace sklar
