#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/normal.h"
#include "margins/margin.hpp"
#include "margins/pareto.hpp"
#include "special/special.hpp"
#include "special/student_t.hpp"

namespace sklar {
namespace {

constexpr Support line{-INFINITY, INFINITY}, half_line{0, INFINITY};

// docs/mathematics.md, N. Standard laws, of z = (x - location) / scale: levels inside the support, the z of a
// level inside (0, 1), log density. Where a function of z is standard normal, this score and its inverse give
// the level.

struct Normal {
  Support support() const { return line; }
  double score(double z) const { return z; }
  double at_score(double s) const { return s; }
  double log_pdf(double z) const { return -z * z / 2 - half_log_two_pi; }
};

struct Student {
  // where squares overflow soon; beyond, tails are powers
  static constexpr double far = 1e150;
  StudentT t;
  explicit Student(double df) : t(df) {}
  Support support() const { return line; }
  Unit level(double z) const {
    if (!(std::fabs(z) > far)) return t.cdf(z);
    // of a power law the tail is density times distance over its exponent
    const double df = t.degrees(), beyond = std::log(std::fabs(z) / far);
    const double tail = std::exp(t.log_pdf(far) + std::log(far / df) - df * beyond);
    return z < 0 ? unit_of(tail) : unit_above(tail);
  }
  double inverse(Unit u) const { return t.quantile(u); }
  double log_pdf(double z) const {
    if (!(std::fabs(z) > far)) return t.log_pdf(z);
    return t.log_pdf(far) - (t.degrees() + 1) * std::log(std::fabs(z) / far);
  }
};

// skew + shape asinh(z) is standard normal.
struct JohnsonSu {
  double skew, shape;
  Support support() const { return line; }
  double score(double z) const { return skew + shape * std::asinh(z); }
  double at_score(double s) const { return std::sinh((s - skew) / shape); }
  double log_pdf(double z) const {
    const double s = score(z);
    return std::log(shape) - s * s / 2 - half_log_two_pi - std::log(std::hypot(1, z));
  }
};

struct Logistic {
  Support support() const { return line; }
  Unit level(double z) const { return unit_of_logit(z); }
  double inverse(Unit u) const { return u.log_p() - u.log_q(); }
  double log_pdf(double z) const { return -std::fabs(z) - 2 * std::log1p(std::exp(-std::fabs(z))); }
};

struct Extreme {
  double shape;
  bool bent() const { return shape != 0; }
  Support support() const {
    if (shape == 0) return line;
    return shape > 0 ? Support{-1 / shape, INFINITY} : Support{-INFINITY, -1 / shape};
  }
  // log(1 + shape z) / shape
  double stretch(double z) const {
    const double y = shape * z;  // -1 at the end of the support, but for rounding
    return bent() ? std::log1p(y < -1 ? -1 : y) / shape : z;
  }
  Unit level(double z) const { return unit_of_log(-std::exp(-stretch(z))); }
  double inverse(Unit u) const {
    const double log = -std::log(-u.log_p());
    return bent() ? std::expm1(shape * log) / shape : log;
  }
  double log_pdf(double z) const {
    const double t = stretch(z);
    return t == -INFINITY ? t : -times(1 + shape, t) - std::exp(-t);
  }
};

struct LogNormal {
  double mean, deviation;
  Support support() const { return half_line; }
  double score(double x) const { return (std::log(x) - mean) / deviation; }
  double at_score(double s) const { return std::exp(mean + deviation * s); }
  double log_pdf(double x) const {
    const double s = score(x);
    return x == 0 ? -INFINITY : -s * s / 2 - half_log_two_pi - std::log(deviation) - std::log(x);
  }
};

struct Exponential {
  Support support() const { return half_line; }
  Unit level(double z) const { return unit_of_log(-z).flipped(); }
  double inverse(Unit u) const { return -u.log_q(); }
  double log_pdf(double z) const { return -z; }
};

struct Gamma {
  double shape;
  Support support() const { return half_line; }
  Unit level(double z) const { return gamma_level(shape, z); }
  double inverse(Unit u) const { return gamma_inverse(shape, u); }
  double log_pdf(double z) const {
    if (z == 0) return shape == 1 ? 0 : shape < 1 ? INFINITY : -INFINITY;
    if (std::isinf(z)) return -INFINITY;
    return log_gamma_density(shape, z) - std::log(z);
  }
};

struct Weibull {
  double shape;
  Support support() const { return half_line; }
  Unit level(double z) const { return unit_of_log(-std::pow(z, shape)).flipped(); }
  double inverse(Unit u) const { return std::pow(-u.log_q(), 1 / shape); }
  double log_pdf(double z) const {
    if (z == 0) return shape == 1 ? 0 : shape < 1 ? INFINITY : -INFINITY;
    const double power = std::pow(z, shape);
    return std::isinf(power) ? -power : std::log(shape) + (shape - 1) * std::log(z) - power;
  }
};

struct Beta {
  double a, b;
  Support support() const { return {0, 1}; }
  Unit level(double x) const { return beta_level(x, 1 - x, a, b); }
  double inverse(Unit u) const { return beta_inverse(a, b, u); }
  double log_pdf(double x) const {
    if (x == 0 || x == 1) {
      const double exponent = (x == 0 ? a : b) - 1;
      return exponent == 0 ? std::log(x == 0 ? b : a) : exponent < 0 ? INFINITY : -INFINITY;
    }
    return log_beta_density(x, 1 - x, a, b) - std::log(x) - std::log1p(-x);
  }
};

struct Pareto {
  StandardPareto law;
  Support support() const { return {0, law.end()}; }
  Unit level(double z) const { return unit_of_log(law.log_beyond(z)).flipped(); }
  double inverse(Unit u) const { return law.excess(u.log_q()); }
  double log_pdf(double z) const { return law.log_pdf(z); }
};

template <class Standard>
class Law final : public Margin {
 public:
  Law(double location, double scale, Standard standard)
      : location_(location), scale_(scale), log_scale_(std::log(scale)), standard_(standard) {
    const auto [least, most] = standard_.support();
    support_ = {location + scale * least, location + scale * most};
  }

  Support support() const override { return support_; }
  Unit level(double x) const override {
    if (std::isnan(x)) return {x, x};
    if (x <= support_.first) return {0, 1};
    if (x >= support_.second) return {1, 0};
    const double z = standard(x);
    if constexpr (scored)
      return unit_of_normal(standard_.score(z));
    else
      return standard_.level(z);
  }
  double inverse(Unit level) const override {
    if (!(level.p > 0 && level.q > 0)) return end_of(support_, level);
    if constexpr (scored)
      return at(standard_.at_score(normal_of(level)));
    else
      return at(standard_.inverse(level));
  }
  double score(double x) const override {
    if constexpr (scored)
      return x > support_.first && x < support_.second
                 ? std::clamp(standard_.score(standard(x)), -greatest, greatest)
                 : Margin::score(x);
    else
      return Margin::score(x);
  }
  double at_score(double z) const override {
    if constexpr (scored)
      return at(standard_.at_score(z));
    else
      return Margin::at_score(z);
  }
  double log_pdf(double x) const override {
    if (std::isnan(x)) return x;
    if (x < support_.first || x > support_.second) return -INFINITY;
    return standard_.log_pdf(standard(x)) - log_scale_;
  }

 private:
  static constexpr bool scored = requires(const Standard& standard) { standard.score(0.0); };
  // Squares of scores stay finite.
  static constexpr double greatest = 1e150;
  double standard(double x) const {
    const double d = x - location_;
    return std::isinf(d) && std::isfinite(x) ? (x / 2 - location_ / 2) / scale_ * 2 : d / scale_;
  }
  // Of a z inside the support: what exceeds all numbers is the largest of them.
  double at(double z) const {
    constexpr double most = std::numeric_limits<double>::max();
    return std::clamp(location_ + scale_ * z, std::max(-most, support_.first),
                      std::min(most, support_.second));
  }

  double location_, scale_, log_scale_;
  Standard standard_;
  Support support_;
};

template <class Standard>
SharedMargin law(double location, double scale, Standard standard) {
  return std::make_shared<Law<Standard>>(location, scale, standard);
}

}  // namespace

SharedMargin make_law(const std::string& family, const std::vector<double>& p) {
  const auto expect = [&](std::size_t count) {
    if (p.size() != count)
      throw Error("SHAPE", "expected " + std::to_string(count) + " parameters for " + family);
  };
  const auto two = [&](auto&& make) -> SharedMargin {
    expect(2);
    return make();
  };
  if (family == "normal") return two([&] { return law(p[0], p[1], Normal{}); });
  if (family == "logistic") return two([&] { return law(p[0], p[1], Logistic{}); });
  if (family == "gumbel") return two([&] { return law(p[0], p[1], Extreme{0}); });
  if (family == "log-normal") return two([&] { return law(0, 1, LogNormal{p[0], p[1]}); });
  if (family == "gamma") return two([&] { return law(0, p[1], Gamma{p[0]}); });
  if (family == "weibull") return two([&] { return law(0, p[1], Weibull{p[0]}); });
  if (family == "generalised-pareto") return two([&] { return law(0, p[0], Pareto{{p[1]}}); });
  if (family == "beta") return two([&] { return law(0, 1, Beta{p[0], p[1]}); });
  if (family == "exponential") {
    expect(1);
    return law(0, p[0], Exponential{});
  }
  if (family == "student-t") {
    expect(3);
    return law(p[0], p[1], Student(p[2]));
  }
  if (family == "generalised-extreme-value") {
    expect(3);
    return law(p[0], p[1], Extreme{p[2]});
  }
  if (family == "johnson-su") {
    expect(4);
    return law(p[0], p[1], JohnsonSu{p[2], p[3]});
  }
  throw Error("VALUE", "unknown family \"" + family + "\"");
}

namespace {

// log P(x - step / 2 < X <= x + step / 2)
double log_cell(const Margin& law, double x, double step, double log_step) {
  const double middle = law.log_pdf(x);
  // a small mass is density times step: a peak inside would show at the middle or in the masses of other
  // cells
  if (std::isfinite(middle) && middle + log_step < -14) return middle + log_step;
  const double below = x - step / 2, above = x + step / 2;
  const double left = law.log_pdf(below), right = law.log_pdf(above);
  const double largest = std::max({left, middle, right});
  const double simpson =
      largest + log_step +
      std::log((std::exp(left - largest) + 4 * std::exp(middle - largest) + std::exp(right - largest)) / 6);
  if (std::fabs(left - middle) < 0.02 && std::fabs(right - middle) < 0.02) return simpson;
  const Unit a = law.level(below), b = law.level(above);
  const double mass = a.p < a.q ? b.p - a.p : a.q - b.q;
  // masses too small for a difference of levels are finite still
  return mass > 0 ? std::log(mass) : std::isfinite(largest) ? simpson : -INFINITY;
}

}  // namespace

double law_loss(const std::string& family, const std::vector<double>& parameters,
                const std::vector<double>& values, const std::vector<double>& counts, double step) {
  if (counts.size() != values.size()) throw Error("SHAPE", "expected a count for each value");
  const SharedMargin margin = make_law(family, parameters);
  const double log_step = std::log(step);
  double sum = 0, rows = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum -= counts[i] * (step > 0 ? log_cell(*margin, values[i], step, log_step) : margin->log_pdf(values[i]));
    rows += counts[i];
  }
  return sum / rows;
}

}  // namespace sklar
