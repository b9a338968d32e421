#include <cmath>

#include "classical/student_t.hpp"
#include "core/error.hpp"
#include "core/normal.h"
#include "margins/margin.hpp"
#include "margins/special.hpp"

namespace sklar {
namespace {

constexpr Support line{-INFINITY, INFINITY}, half_line{0, INFINITY};

// Standard laws, of z = (x - location) / scale: levels inside the support, the z of a level inside (0, 1),
// log density. Where a function of z is standard normal, this score and its inverse give the level.

struct Normal {
  Support support() const { return line; }
  double score(double z) const { return z; }
  double at_score(double s) const { return s; }
  double log_pdf(double z) const { return -z * z / 2 - half_log_two_pi; }
};

struct Student {
  StudentT t;
  explicit Student(double df) : t(df) {}
  Support support() const { return line; }
  Unit level(double z) const { return t.cdf(z); }
  double inverse(Unit u) const { return t.quantile(u); }
  double log_pdf(double z) const { return t.log_pdf(z); }
};

// skew + shape asinh(z) is standard normal.
struct JohnsonSu {
  double skew, shape;
  Support support() const { return line; }
  double score(double z) const { return skew + shape * std::asinh(z); }
  double at_score(double s) const { return std::sinh((s - skew) / shape); }
  double log_pdf(double z) const {
    const double s = score(z);
    return std::log(shape) - s * s / 2 - half_log_two_pi - std::log1p(z * z) / 2;
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
  bool bent() const { return std::fabs(shape) >= 1e-9; }
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

// The t of a level that increases with t: Newton's steps on the logarithm of the smaller side.
template <class Level, class LogSlope>
double invert_level(Unit u, Level&& level, LogSlope&& log_slope, double start) {
  const bool low = u.p < u.q;
  const auto log = [&](double t) { return low ? level(t).log_p() : -level(t).log_q(); };
  return invert(
      log, [&](double t) { return std::exp(log_slope(t) - (low ? log(t) : -log(t))); },
      low ? u.log_p() : -u.log_q(), start);
}

struct Gamma {
  double shape, constant;
  explicit Gamma(double a) : shape(a), constant(-std::lgamma(a)) {}
  Support support() const { return half_line; }
  Unit level(double z) const { return gamma_level(shape, z); }
  double inverse(Unit u) const {
    return std::exp(invert_level(
        u, [&](double t) { return level(std::exp(t)); },
        [&](double t) { return constant + shape * t - std::exp(t); }, std::log(shape)));
  }
  double log_pdf(double z) const {
    return z == 0 && shape == 1 ? 0 : constant + (shape - 1) * std::log(z) - z;
  }
};

struct Weibull {
  double shape;
  Support support() const { return half_line; }
  Unit level(double z) const { return unit_of_log(-std::pow(z, shape)).flipped(); }
  double inverse(Unit u) const { return std::pow(-u.log_q(), 1 / shape); }
  double log_pdf(double z) const {
    return z == 0 && shape == 1 ? 0 : std::log(shape) + (shape - 1) * std::log(z) - std::pow(z, shape);
  }
};

struct Beta {
  double a, b, constant;
  Beta(double first, double second) : a(first), b(second), constant(-log_beta(first, second)) {}
  Support support() const { return {0, 1}; }
  Unit level(double x) const { return beta_level(x, 1 - x, a, b); }
  double inverse(Unit u) const {
    return unit_of_logit(invert_level(
                             u,
                             [&](double t) {
                               const Unit x = unit_of_logit(t);
                               return beta_level(x.p, x.q, a, b);
                             },
                             [&](double t) {
                               const Unit x = unit_of_logit(t);
                               return constant + a * x.log_p() + b * x.log_q();
                             },
                             std::log(a / b)))
        .p;
  }
  double log_pdf(double x) const {
    return constant + times(a - 1, std::log(x)) + times(b - 1, std::log1p(-x));
  }
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
    if (x <= support_.first) return {0, 1};
    if (x >= support_.second) return {1, 0};
    const double z = (x - location_) / scale_;
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
                 ? std::clamp(standard_.score((x - location_) / scale_), -greatest, greatest)
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
    if (x < support_.first || x > support_.second) return -INFINITY;
    return standard_.log_pdf((x - location_) / scale_) - log_scale_;
  }

 private:
  static constexpr bool scored = requires(const Standard& standard) { standard.score(0.0); };
  // Squares of scores stay finite.
  static constexpr double greatest = 1e150;
  double at(double z) const { return location_ + scale_ * z; }

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
  if (family == "gamma") return two([&] { return law(0, p[1], Gamma(p[0])); });
  if (family == "weibull") return two([&] { return law(0, p[1], Weibull{p[0]}); });
  if (family == "beta") return two([&] { return law(0, 1, Beta(p[0], p[1])); });
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

double law_loss(const std::string& family, const std::vector<double>& parameters,
                const std::vector<double>& values) {
  const SharedMargin margin = make_law(family, parameters);
  double sum = 0;
  for (const double x : values) sum -= margin->log_pdf(x);
  return sum / static_cast<double>(values.size());
}

}  // namespace sklar
