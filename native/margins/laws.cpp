#include <cmath>

#include "classical/student_t.hpp"
#include "core/error.hpp"
#include "core/normal.h"
#include "margins/margin.hpp"
#include "margins/special.hpp"

namespace sklar {
namespace {

constexpr Support line{-INFINITY, INFINITY}, half_line{0, INFINITY};

// Standard laws, of z = (x - location) / scale: F inside the support, its inverse inside (0, 1), log density.

struct Normal {
  Support support() const { return line; }
  double cdf(double z) const { return normal_cdf(z); }
  double quantile(double u) const { return normal_quantile(u); }
  double log_pdf(double z) const { return -z * z / 2 - half_log_two_pi; }
};

struct Student {
  StudentT t;
  explicit Student(double df) : t(df) {}
  Support support() const { return line; }
  double cdf(double z) const { return t.cdf(z).p; }
  double quantile(double u) const { return t.quantile(unit_of(u)); }
  double log_pdf(double z) const { return t.log_pdf(z); }
};

// skew + shape asinh(z) is standard normal.
struct JohnsonSu {
  double skew, shape;
  Support support() const { return line; }
  double score(double z) const { return skew + shape * std::asinh(z); }
  double cdf(double z) const { return normal_cdf(score(z)); }
  double quantile(double u) const { return std::sinh((normal_quantile(u) - skew) / shape); }
  double log_pdf(double z) const {
    const double s = score(z);
    return std::log(shape) - s * s / 2 - half_log_two_pi - std::log1p(z * z) / 2;
  }
};

struct Logistic {
  Support support() const { return line; }
  double cdf(double z) const { return 1 / (1 + std::exp(-z)); }
  double quantile(double u) const { return std::log(u) - std::log1p(-u); }
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
  double stretch(double z) const { return bent() ? std::log1p(shape * z) / shape : z; }
  double cdf(double z) const { return std::exp(-std::exp(-stretch(z))); }
  double quantile(double u) const {
    const double log = -std::log(-std::log(u));
    return bent() ? std::expm1(shape * log) / shape : log;
  }
  double log_pdf(double z) const {
    const double t = stretch(z);
    return -(1 + shape) * t - std::exp(-t);
  }
};

struct LogNormal {
  double mean, deviation;
  Support support() const { return half_line; }
  double score(double x) const { return (std::log(x) - mean) / deviation; }
  double cdf(double x) const { return normal_cdf(score(x)); }
  double quantile(double u) const { return std::exp(mean + deviation * normal_quantile(u)); }
  double log_pdf(double x) const {
    const double s = score(x);
    return x == 0 ? -INFINITY : -s * s / 2 - half_log_two_pi - std::log(deviation) - std::log(x);
  }
};

struct Exponential {
  Support support() const { return half_line; }
  double cdf(double z) const { return -std::expm1(-z); }
  double quantile(double u) const { return -std::log1p(-u); }
  double log_pdf(double z) const { return -z; }
};

struct Gamma {
  double shape, constant;
  explicit Gamma(double a) : shape(a), constant(-std::lgamma(a)) {}
  Support support() const { return half_line; }
  double cdf(double z) const { return gamma_p(shape, z); }
  double quantile(double u) const {
    return std::exp(invert([&](double t) { return cdf(std::exp(t)); },
                           [&](double t) { return std::exp(t + log_pdf(std::exp(t))); }, u, std::log(shape)));
  }
  double log_pdf(double z) const {
    return z == 0 && shape == 1 ? 0 : constant + (shape - 1) * std::log(z) - z;
  }
};

struct Weibull {
  double shape;
  Support support() const { return half_line; }
  double cdf(double z) const { return -std::expm1(-std::pow(z, shape)); }
  double quantile(double u) const { return std::pow(-std::log1p(-u), 1 / shape); }
  double log_pdf(double z) const {
    return z == 0 && shape == 1 ? 0 : std::log(shape) + (shape - 1) * std::log(z) - std::pow(z, shape);
  }
};

struct Beta {
  double a, b, constant;
  Beta(double first, double second) : a(first), b(second), constant(-log_beta(first, second)) {}
  Support support() const { return {0, 1}; }
  double cdf(double x) const { return beta_i(x, a, b); }
  double quantile(double u) const {
    const auto logistic = [](double t) { return 1 / (1 + std::exp(-t)); };
    return logistic(invert([&](double t) { return cdf(logistic(t)); },
                           [&](double t) {
                             const double x = logistic(t);
                             return std::exp(log_pdf(x) + std::log(x) + std::log(logistic(-t)));
                           },
                           u, std::log(a / b)));
  }
  double log_pdf(double x) const { return constant + (a - 1) * std::log(x) + (b - 1) * std::log1p(-x); }
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
  double cdf(double x) const override {
    if (x <= support_.first) return 0;
    if (x >= support_.second) return 1;
    return standard_.cdf((x - location_) / scale_);
  }
  double quantile(double u) const override {
    if (!(u > 0 && u < 1)) return u == 0 ? support_.first : u == 1 ? support_.second : NAN;
    return location_ + scale_ * standard_.quantile(u);
  }
  double log_pdf(double x) const override {
    if (x < support_.first || x > support_.second) return -INFINITY;
    return standard_.log_pdf((x - location_) / scale_) - log_scale_;
  }

 private:
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
