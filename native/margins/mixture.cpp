#include <cmath>

#include "core/error.hpp"
#include "margins/margin.hpp"
#include "margins/search.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

class Mixture final : public Margin {
 public:
  Mixture(Vector atoms, Vector masses, SharedMargin rest)
      : atoms_(std::move(atoms)), masses_(std::move(masses)), before_{0}, rest_(std::move(rest)) {
    for (const double mass : masses_) before_.push_back(before_.back() + mass);
    share_ = 1 - before_.back();
    for (std::size_t k = 0; k < atoms_.size(); ++k) {
      begins_.push_back(share_ * rest_->cdf(atoms_[k]) + before_[k]);
      ends_.push_back(begins_[k] + masses_[k]);
    }
  }

  Support support() const override {
    const auto [least, most] = rest_->support();
    return {std::min(atoms_.front(), least), std::max(atoms_.back(), most)};
  }
  bool has_atoms() const override { return true; }
  bool is_atom(double x) const override { return is(find(x), x) || rest_->is_atom(x); }
  double cdf(double x) const override { return cumulative(x, rest_->cdf(x), true); }
  double cdf_before(double x) const override { return cumulative(x, rest_->cdf_before(x), false); }
  void cdf_of(const double* x, std::size_t count, double* out) const override {
    rest_->cdf_of(x, count, out);
    for (std::size_t i = 0; i < count; ++i) out[i] = cumulative(x[i], out[i], true);
  }

  double quantile(double u) const override {
    if (!(u >= 0 && u <= 1)) return NAN;
    // the first atom whose interval does not end below u
    const std::size_t k = lower_bound(ends_.data(), ends_.size(), u);
    if (k < atoms_.size() && u >= begins_[k]) return atoms_[k];
    return rest_->quantile(std::max(0.0, std::min(1.0, (u - before_[k]) / share_)));
  }

  double log_pdf(double x) const override {
    const std::size_t k = find(x);
    return is(k, x) ? std::log(masses_[k]) : rest_->log_pdf(x) + std::log(share_);
  }

 private:
  std::size_t find(double x) const { return lower_bound(atoms_.data(), atoms_.size(), x); }
  bool is(std::size_t k, double x) const { return k < atoms_.size() && atoms_[k] == x; }

  // of_rest: the rest's F(x)
  double cumulative(double x, double of_rest, bool itself) const {
    const std::size_t k = find(x);
    return share_ * of_rest + before_[itself && is(k, x) ? k + 1 : k];
  }

  Vector atoms_, masses_;
  Vector before_;         // for each atom the probability of those below it; one more for all of them
  Vector begins_, ends_;  // for each atom P(X < atom) and P(X <= atom)
  SharedMargin rest_;
  double share_ = 0;
};

}  // namespace

SharedMargin make_mixture(Vector atoms, Vector masses, SharedMargin rest) {
  if (atoms.empty() || masses.size() != atoms.size())
    throw Error("SHAPE", "expected an atom at least and as many probabilities");
  return std::make_shared<Mixture>(std::move(atoms), std::move(masses), std::move(rest));
}

}  // namespace sklar
