#include <algorithm>
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

// A spacing of its own: among equally likely ones a wider one occurs with at most this probability.
constexpr double wide_probability = 1e-3;

class Empirical final : public Margin {
 public:
  Empirical(Support support, double rows, double lower_scale, double upper_scale, Vector values,
            Vector levels)
      : support_(support),
        values_(std::move(values)),
        levels_(std::move(levels)),
        // no tail reaches beyond the greatest numbers
        lower_(levels_.front(), lower_scale, values_.front() - std::max(support.first, -greatest)),
        upper_(1 - levels_.back(), upper_scale, std::min(support.second, greatest) - values_.back()) {
    const std::size_t top = values_.size() - 1;
    const double wanted = std::max(1.0, std::round(2 * std::cbrt(rows)));
    auto bins = static_cast<std::size_t>(std::min(static_cast<double>(top), wanted));
    // the same edges from either end: an even number of bins has one in the middle
    if (bins % 2 == 0 && top % 2 == 1) ++bins;
    const auto edge = [&](std::size_t bin) { return (2 * bin * top + bins) / (2 * bins); };
    std::vector<std::size_t> edges{0};
    for (std::size_t bin = 1, from = 0; bin <= bins; ++bin) {
      const std::size_t to = 2 * bin <= bins ? edge(bin) : top - edge(bins - bin);
      refine(from, to, edges);
      from = to;
    }
    // A tail that is nearly constant, since the support ends soon, is one with the first or last values.
    const bool open = lower_.mass() > 0 && lower_.length() < lower_scale;
    const bool close = upper_.mass() > 0 && upper_.length() < upper_scale;
    for (std::size_t i = 0; i < edges.size(); ++i) edges_.push_back(values_[edges[i]]);
    if (open) edges_.front() = std::max(support.first, -greatest);
    if (close) edges_.back() = std::min(support.second, greatest);
    for (std::size_t i = 1; i < edges.size(); ++i) {
      const double from = i == 1 && open ? 0 : levels_[edges[i - 1]];
      const double to = i + 1 == edges.size() && close ? 1 : levels_[edges[i]];
      log_heights_.push_back(std::log(to - from) - log_width(edges_[i - 1], edges_[i]));
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
    if (u < levels_.front())
      return std::max({support_.first, -greatest, values_.front() - lower_.distance(u)});
    if (u > levels_.back())
      return std::min({support_.second, greatest, values_.back() + upper_.distance(level.q)});
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
    const std::size_t k = lower_bound(edges_.data(), edges_.size(), x);
    if (k == edges_.size() || edges_[k] != x) return log_height(k, x);
    // Between two bins: their mean.
    const double below = log_height(k, x), above = log_height(k + 1, x);
    const double more = std::max(below, above), less = std::min(below, above);
    return more + std::log1p(std::exp(less - more)) - std::log(2.0);
  }

 private:
  static double log_width(double from, double to) {
    const double width = to - from;
    return std::isfinite(width) ? std::log(width) : std::log(to / 2 - from / 2) + std::log(2.0);
  }

  // Adds the edges of a histogram between two values, the first excluded. A bin that has spacings which are
  // too wide for a constant density becomes several: such spacings, and what lies between them. What consists
  // of one narrow spacing stays with its neighbours: two values may be near each other by chance or rounding.
  void refine(std::size_t from, std::size_t to, std::vector<std::size_t>& edges) const {
    const auto count = static_cast<double>(to - from);
    if (to <= from) return;
    const auto half = [&](std::size_t i, std::size_t k) { return values_[k] / 2 - values_[i] / 2; };
    const double most = half(from, to) * (1 - std::pow(wide_probability / count, 1 / (count - 1)));
    std::vector<std::size_t> runs{from};  // begins and ends of what is not wide
    for (std::size_t i = from; to - from > 1 && i < to; ++i)
      if (half(i, i + 1) > most) runs.insert(runs.end(), {i, i + 1});
    runs.push_back(to);
    for (std::size_t r = 0; r < runs.size(); r += 2) {
      const std::size_t begin = runs[r], end = runs[r + 1];
      if (end == begin + 1 && runs.size() > 2) continue;
      if (begin > edges.back()) edges.push_back(begin);
      if (runs.size() > 2)
        refine(begin, end, edges);
      else if (end > edges.back())
        edges.push_back(end);
    }
    if (to > edges.back()) edges.push_back(to);
  }

  // The log density just below edge number k, at x.
  double log_height(std::size_t k, double x) const {
    if (k == 0) return lower_.log_pdf(std::max(0.0, values_.front() - x));
    if (k == edges_.size()) return upper_.log_pdf(std::max(0.0, x - values_.back()));
    return log_heights_[k - 1];
  }

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
