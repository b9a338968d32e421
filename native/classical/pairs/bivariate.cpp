#include "classical/pairs/bivariate.hpp"

#include "classical/pairs/archimax.hpp"
#include "classical/pairs/generators.hpp"
#include "classical/pairs/numeric.hpp"
#include "classical/pairs/stable_tail.hpp"
#include "core/error.hpp"

namespace sklar {
namespace {

class Rotated final : public Bivariate {
 public:
  Rotated(std::unique_ptr<Bivariate> base, int rotation) : base_(std::move(base)), rotation_(rotation) {}

  double log_pdf(Unit u, Unit v) const override {
    switch (rotation_) {
      case 90:
        return base_->log_pdf(v, u.flipped());
      case 180:
        return base_->log_pdf(u.flipped(), v.flipped());
      default:
        return base_->log_pdf(v.flipped(), u);
    }
  }
  double tau() const override { return rotation_ == 180 ? base_->tau() : -base_->tau(); }
  TailDependence tails() const override {
    const auto [ll, lu, ul, uu] = base_->tails();
    switch (rotation_) {
      case 90:
        return {lu, uu, ll, ul};
      case 180:
        return {uu, ul, lu, ll};
      default:
        return {ul, ll, uu, lu};
    }
  }

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    switch (rotation_) {
      case 90:
        return base_->quadrant(v, u.flipped(), false, true);
      case 180:
        return base_->quadrant(u.flipped(), v.flipped(), true, true);
      default:
        return base_->quadrant(v.flipped(), u, true, false);
    }
  }
  Unit h1_inside(Unit u, Unit v) const override {
    switch (rotation_) {
      case 90:
        return base_->h2(v, u.flipped());
      case 180:
        return base_->h1(u.flipped(), v.flipped()).flipped();
      default:
        return base_->h2(v.flipped(), u).flipped();
    }
  }
  Unit h2_inside(Unit u, Unit v) const override {
    switch (rotation_) {
      case 90:
        return base_->h1(v, u.flipped()).flipped();
      case 180:
        return base_->h2(u.flipped(), v.flipped()).flipped();
      default:
        return base_->h1(v.flipped(), u);
    }
  }
  Unit inverse1_inside(Unit u, Unit p) const override {
    switch (rotation_) {
      case 90:
        return base_->inverse2(p, u.flipped());
      case 180:
        return base_->inverse1(u.flipped(), p.flipped()).flipped();
      default:
        return base_->inverse2(p.flipped(), u).flipped();
    }
  }
  Unit inverse2_inside(Unit p, Unit v) const override {
    switch (rotation_) {
      case 90:
        return base_->inverse1(v, p.flipped()).flipped();
      case 180:
        return base_->inverse2(p.flipped(), v.flipped()).flipped();
      default:
        return base_->inverse1(v.flipped(), p);
    }
  }

 private:
  std::unique_ptr<Bivariate> base_;
  int rotation_;
};

// The indices of variation are those of Archimax.
template <class Generator, class Tail = SumTail>
std::unique_ptr<Bivariate> archimax(Generator generator, double lower, double upper, Tail tail = {}) {
  return std::make_unique<Archimax<Generator, Tail>>(generator, tail, lower, upper);
}

using Clayton = Exponentiated<IndependenceGenerator>;
using Gumbel = OuterPower<IndependenceGenerator>;

std::unique_ptr<Bivariate> make_base(const std::string& family, const std::vector<double>& parameters) {
  struct Entry {
    const char* name;
    std::size_t parameters;
    std::unique_ptr<Bivariate> (*make)(const double* p);
  };
  static constexpr Entry entries[] = {
      {"independence", 0, [](const double*) { return archimax(IndependenceGenerator{}, 0, 1); }},
      {"gaussian", 1, [](const double* p) { return make_gaussian(p[0]); }},
      {"student", 2, [](const double* p) { return make_student(p[0], p[1]); }},
      {"clayton", 1,
       [](const double* p) {
         return archimax(Clayton{{}, p[0]}, p[0], 1);
       }},
      {"gumbel", 1,
       [](const double* p) {
         return archimax(Gumbel{{}, p[0]}, 0, p[0]);
       }},
      {"frank", 1, [](const double* p) { return archimax(FrankGenerator{p[0]}, 0, 1); }},
      {"joe", 1, [](const double* p) { return archimax(Bb8Generator(p[0], 1), 0, p[0]); }},
      {"amh", 1, [](const double* p) { return archimax(AmhGenerator{p[0]}, 0, 1); }},
      {"bb1", 2,
       [](const double* p) {
         return archimax(OuterPower<Clayton>{{{}, p[0]}, p[1]}, p[0] * p[1], p[1]);
       }},
      {"bb2", 2,
       [](const double* p) {
         return archimax(Exponentiated<Clayton>{{{}, p[0]}, p[1]}, infinity, 1);
       }},
      {"bb3", 2,
       [](const double* p) {
         return archimax(Exponentiated<Gumbel>{{{}, p[0]}, p[1]}, p[0] > 1 ? infinity : p[1], p[0]);
       }},
      {"bb4", 2,
       [](const double* p) {
         return archimax(Clayton{{}, p[0]}, p[0], 1, GalambosTail{p[1]});
       }},
      {"bb5", 2,
       [](const double* p) {
         return archimax(Gumbel{{}, p[0]}, 0, p[0], GalambosTail{p[1]});
       }},
      {"bb6", 2,
       [](const double* p) {
         return archimax(OuterPower<Bb8Generator>{Bb8Generator(p[0], 1), p[1]}, 0, p[0] * p[1]);
       }},
      {"bb7", 2,
       [](const double* p) {
         return archimax(Exponentiated<Bb8Generator>{Bb8Generator(p[0], 1), p[1]}, p[1], p[0]);
       }},
      {"bb8", 2, [](const double* p) { return archimax(Bb8Generator(p[0], p[1]), 0, p[1] == 1 ? p[0] : 1); }},
      {"galambos", 1,
       [](const double* p) { return archimax(IndependenceGenerator{}, 0, 1, GalambosTail{p[0]}); }},
      {"husler-reiss", 1,
       [](const double* p) { return archimax(IndependenceGenerator{}, 0, 1, HuslerReissTail{p[0]}); }},
      {"tawn", 3,
       [](const double* p) {
         return archimax(IndependenceGenerator{}, 0, 1, TawnTail{p[0], p[1], p[2]});
       }},
      {"fgm", 1, [](const double* p) { return make_fgm_bivariate(p[0]); }},
      {"plackett", 1,
       [](const double* p) -> std::unique_ptr<Bivariate> {
         // below one the roots cancel: a quarter turn inverts the odds ratio
         if (p[0] < 1) return std::make_unique<Rotated>(make_plackett_bivariate(1 / p[0]), 90);
         return make_plackett_bivariate(p[0]);
       }},
  };
  for (const Entry& entry : entries) {
    if (family != entry.name) continue;
    if (parameters.size() != entry.parameters)
      throw Error("SHAPE", "expected " + std::to_string(entry.parameters) + " parameters of family " +
                               family + ", got " + std::to_string(parameters.size()));
    return entry.make(parameters.data());
  }
  throw Error("VALUE", "expected a family of copulas, got " + family);
}

}  // namespace

double Bivariate::cdf(Unit u, Unit v) const {
  if (u.p == 0 || v.p == 0) return 0;
  if (u.q == 0) return v.p;
  if (v.q == 0) return u.p;
  return std::fmin(std::fmax(0, cdf_inside(u, v)), std::fmin(u.p, v.p));
}

double Bivariate::quadrant(Unit u, Unit v, bool above_u, bool above_v) const {
  const double a = above_u ? u.q : u.p, b = above_v ? v.q : v.p, least = std::fmin(a, b);
  if (least == 0) return 0;
  const double c = cdf(u, v);
  const double direct = !above_u && !above_v ? c
                        : above_u && above_v ? u.q - (v.p - c)
                                             : (above_u ? v.p : u.p) - c;
  const double terms = above_u && above_v ? v.p : above_u ? v.p : u.p;
  if ((!above_u && !above_v) || direct > 1e-3 * terms) return std::fmin(std::fmax(0, direct), least);
  // they cancel: the integral of h over the smaller side, on the scale of its logarithm
  static const std::vector<double> edges = {0, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 700};
  const bool first = a <= b, above = first ? above_u : above_v, other_above = first ? above_v : above_u;
  const double integral = integrate_panels(
      [&](double t) {
        const double w = least * std::exp(-t);
        const Unit at = above ? unit_above(w) : unit_of(w);
        const Unit h = first ? h1(at, v) : h2(u, at);
        return std::exp(-t) * (other_above ? h.q : h.p);
      },
      edges, 1e-13, infinity);
  return std::fmin(least * integral, least);
}

Unit Bivariate::h1(Unit u, Unit v) const { return v.at_side() ? v : h1_inside(u, v); }
Unit Bivariate::h2(Unit u, Unit v) const { return u.at_side() ? u : h2_inside(u, v); }
Unit Bivariate::inverse1(Unit u, Unit p) const { return p.at_side() ? p : inverse1_inside(u, p); }
Unit Bivariate::inverse2(Unit p, Unit v) const { return p.at_side() ? p : inverse2_inside(p, v); }

Unit Bivariate::inverse1_inside(Unit u, Unit p) const {
  return solve_unit([&](Unit v) { return h1(u, v); }, p);
}
Unit Bivariate::inverse2_inside(Unit p, Unit v) const {
  return solve_unit([&](Unit u) { return h2(u, v); }, p);
}

std::unique_ptr<Bivariate> make_bivariate(const std::string& family, const std::vector<double>& parameters,
                                          int rotation) {
  auto base = make_base(family, parameters);
  if (rotation == 0) return base;
  if (rotation != 90 && rotation != 180 && rotation != 270)
    throw Error("VALUE", "expected 0, 90, 180 or 270 for the rotation, got " + std::to_string(rotation));
  return std::make_unique<Rotated>(std::move(base), rotation);
}

}  // namespace sklar
