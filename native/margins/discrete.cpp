#include <cmath>

#include "core/error.hpp"
#include "margins/margin.hpp"
#include "margins/search.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

class Discrete final : public Margin {
 public:
  Discrete(Vector values, Vector last) : values_(std::move(values)), last_(std::move(last)) {}

  Support support() const override { return {values_.front(), values_.back()}; }
  bool has_atoms() const override { return true; }
  bool is_atom(double x) const override { return is(find(x), x); }
  double cdf(double x) const override { return cumulative(x, true); }
  double cdf_before(double x) const override { return cumulative(x, false); }

  double quantile(double u) const override {
    if (!(u >= 0 && u <= 1)) return NAN;
    // ranks are whole numbers: those just above the end of a block are rounding
    const double rank = u * size() - 0.5 - 1e-15 * size();
    return values_[std::min(values_.size() - 1, lower_bound(last_.data(), last_.size(), rank))];
  }

  double log_pdf(double x) const override {
    if (std::isnan(x)) return x;
    const std::size_t k = find(x);
    return std::log((is(k, x) ? last_[k] - before(k) : 1) / size());
  }

 private:
  double size() const { return last_.back() + 1; }
  std::size_t find(double x) const { return lower_bound(values_.data(), values_.size(), x); }
  bool is(std::size_t k, double x) const { return k < values_.size() && values_[k] == x; }
  double before(std::size_t k) const { return k == 0 ? 0 : last_[k - 1]; }

  double cumulative(double x, bool itself) const {
    if (std::isnan(x)) return x;
    if (x < values_.front()) return 0;
    if (x > values_.back()) return 1;
    const std::size_t k = find(x);
    return ((itself && is(k, x) ? last_[k] : before(k)) + 0.5) / size();
  }

  Vector values_, last_;
};

}  // namespace

SharedMargin make_discrete(Vector values, Vector last) {
  if (values.empty() || last.size() != values.size())
    throw Error("SHAPE", "expected a value at least and as many numbers of rows");
  return std::make_shared<Discrete>(std::move(values), std::move(last));
}

}  // namespace sklar
