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
  Unit level(double x) const override { return cumulative(x, true); }
  Unit level_before(double x) const override { return cumulative(x, false); }

  double inverse(Unit level) const override {
    if (!(level.p >= 0 && level.p <= 1)) return NAN;
    // ranks are whole numbers: those just above the end of a block are rounding
    const double rank = level.p * size() - 0.5 - 1e-15 * size();
    return values_[std::min(values_.size() - 1, lower_bound(last_.data(), last_.size(), rank))];
  }

  double log_pdf(double x) const override {
    if (std::isnan(x)) return x;
    const std::size_t k = find(x);
    return std::log((is(k, x) ? end(k) - begin(k) : 1) / size());
  }

 private:
  double size() const { return last_.back() + 1; }
  std::size_t find(double x) const { return lower_bound(values_.data(), values_.size(), x); }
  bool is(std::size_t k, double x) const { return k < values_.size() && values_[k] == x; }
  // Where the block of a value begins and ends, from 0 to size.
  double begin(std::size_t k) const { return k == 0 ? 0 : last_[k - 1] + 0.5; }
  double end(std::size_t k) const { return k + 1 == values_.size() ? size() : last_[k] + 0.5; }

  Unit cumulative(double x, bool itself) const {
    if (std::isnan(x)) return {x, x};
    const std::size_t k = find(x);
    const double rank = k == values_.size() ? size() : itself && is(k, x) ? end(k) : begin(k);
    return {rank / size(), (size() - rank) / size()};
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
