#include <algorithm>
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
    after_.assign(before_.size(), 0);
    for (std::size_t k = atoms_.size(); k-- > 0;) after_[k] = after_[k + 1] + masses_[k];
    for (const double atom : atoms_) {
      begins_.push_back(level_before(atom));
      ends_.push_back(level(atom));
    }
  }

  Support support() const override {
    const auto [least, most] = rest_->support();
    return {std::min(atoms_.front(), least), std::max(atoms_.back(), most)};
  }
  bool has_atoms() const override { return true; }
  bool is_atom(double x) const override { return is(find(x), x) || rest_->is_atom(x); }
  Unit level(double x) const override { return cumulative(x, rest_->level(x), true); }
  Unit level_before(double x) const override { return cumulative(x, rest_->level_before(x), false); }
  void cdf_of(const double* x, std::size_t count, double* out) const override {
    rest_->cdf_of(x, count, out);
    for (std::size_t i = 0; i < count; ++i)
      out[i] = at_most_one(share_ * out[i] + before_[count_below(x[i], true)]);
  }

  double inverse(Unit level) const override {
    const Place at = place(level);
    return at.atom ? at.low : at.between(rest_->inverse(level));
  }
  void inverse_of(const Unit* levels, std::size_t count, double* out) const override {
    constexpr std::size_t block = 256;
    Unit others[block];
    std::size_t rows[block];
    Place places[block];
    double x[block];
    for (std::size_t begin = 0; begin < count; begin += block) {
      std::size_t left = 0;  // to the rest
      for (std::size_t i = begin; i < std::min(count, begin + block); ++i) {
        others[left] = levels[i];
        rows[left] = i;
        places[left] = place(others[left]);
        out[i] = places[left].low;
        left += places[left].atom ? 0 : 1;
      }
      rest_->inverse_of(others, left, x);
      for (std::size_t i = 0; i < left; ++i) out[rows[i]] = places[i].between(x[i]);
    }
  }

  double log_pdf(double x) const override {
    const std::size_t k = find(x);
    return is(k, x) ? std::log(masses_[k]) : rest_->log_pdf(x) + std::log(share_);
  }

 private:
  // Where a level is: at an atom, or NaN; else between two, which the rest would miss by rounding.
  struct Place {
    bool atom;
    double low, high;
    double between(double x) const { return std::clamp(x, low, high); }
  };

  // The level becomes that of the rest where it is at no atom.
  Place place(Unit& level) const {
    if (!(level.p >= 0 && level.q >= 0)) return {true, NAN, NAN};
    // the first atom whose interval does not end below the level
    const auto below = [](const Unit& a, const Unit& b) { return b.p < b.q ? a.p < b.p : a.q > b.q; };
    const auto k =
        static_cast<std::size_t>(std::lower_bound(ends_.begin(), ends_.end(), level, below) - ends_.begin());
    if (k < atoms_.size() && !below(level, begins_[k])) return {true, atoms_[k], atoms_[k]};
    const auto part = [&](double mass, double atoms) {
      return std::clamp((mass - atoms) / share_, 0.0, 1.0);
    };
    level = level.p < level.q ? unit_of(part(level.p, before_[k])) : unit_above(part(level.q, after_[k]));
    return {false, k == 0 ? -INFINITY : atoms_[k - 1], k == atoms_.size() ? INFINITY : atoms_[k]};
  }

  std::size_t find(double x) const { return lower_bound(atoms_.data(), atoms_.size(), x); }
  bool is(std::size_t k, double x) const { return k < atoms_.size() && atoms_[k] == x; }

  // How many atoms are below x, or not above it.
  std::size_t count_below(double x, bool itself) const {
    const std::size_t k = find(x);
    return itself && is(k, x) ? k + 1 : k;
  }
  // Sums of probabilities, in their rounding; NaN stays.
  static double at_most_one(double p) { return p > 1 ? 1 : p; }
  // of_rest: the rest's level of x
  Unit cumulative(double x, Unit of_rest, bool itself) const {
    const std::size_t k = count_below(x, itself);
    return {at_most_one(share_ * of_rest.p + before_[k]), at_most_one(share_ * of_rest.q + after_[k])};
  }

  Vector atoms_, masses_;
  Vector before_, after_;            // the probability of the first k atoms, and of the others
  std::vector<Unit> begins_, ends_;  // for each atom the levels before and after its jump
  SharedMargin rest_;
  double share_ = 0;
};

}  // namespace

SharedMargin make_zero_inflated(Vector atoms, Vector masses, SharedMargin rest) {
  if (atoms.empty() || masses.size() != atoms.size())
    throw Error("SHAPE", "expected an atom at least and as many probabilities");
  return std::make_shared<Mixture>(std::move(atoms), std::move(masses), std::move(rest));
}

}  // namespace sklar
