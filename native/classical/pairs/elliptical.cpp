#include <cmath>

#include "classical/pairs/bivariate.hpp"
#include "classical/pairs/numeric.hpp"
#include "special/student_t.hpp"

namespace sklar {
namespace {

constexpr double log_two_pi = 2 * half_log_two_pi;

// docs/mathematics.md, M.1. Of the pairs (x, y) = quantiles of u and v with correlation rho. P(X <= h, Y <=
// k) is Plackett's integral over the correlation, from -1, where it is known: all of it is positive. With
// tanh t for the correlation the squared radius is a^2 + k^2, a = h cosh t - k sinh t.
class Elliptical : public Bivariate {
 public:
  explicit Elliptical(double rho) : rho_(rho), square_((1 - rho) * (1 + rho)) {}
  double tau() const override { return 2 / M_PI * std::asin(rho_); }

 protected:
  virtual double quantile(Unit u) const = 0;
  virtual double ring(double radius) const = 0;

  double cdf_inside(Unit u, Unit v) const override {
    const double h = quantile(u), k = quantile(v), top = std::atanh(rho_), bottom = -45;
    // the least radius, or the end that is nearer to it
    const double sum = std::fabs(h + k), difference = std::fabs(h - k);
    double peak = 0.5 * (std::log(sum) - std::log(difference));
    peak = std::isnan(peak) ? 0 : std::fmin(std::fmax(peak, bottom), top);
    std::vector<double> edges{bottom, top};
    const double width = 1 / (1 + std::fmin(std::hypot(h, k), 1e3));
    for (const auto& panels : {panels_about(peak, width, top - bottom), panels_about(0, 1, top - bottom)})
      for (const double edge : panels)
        if (edge > bottom && edge < top) edges.push_back(edge);
    std::sort(edges.begin(), edges.end());
    const double integral = integrate_panels(
        [&](double t) {
          const double across = 0.5 * ((h - k) * std::exp(t) + (h + k) * std::exp(-t));
          return ring(std::hypot(across, k)) / std::cosh(t);
        },
        edges);
    return std::fmax(0, u.p < 0.5 ? u.p - v.q : v.p - u.q) + integral / (2 * M_PI);
  }
  Unit h2_inside(Unit u, Unit v) const override { return h1_inside(v, u); }
  Unit inverse2_inside(Unit p, Unit v) const override { return inverse1_inside(v, p); }

  double rho_, square_;
};

class Gaussian final : public Elliptical {
 public:
  using Elliptical::Elliptical;

  double log_pdf(Unit u, Unit v) const override {
    const double x = quantile(u), y = quantile(v);
    return -0.5 * std::log(square_) - (rho_ * rho_ * (x * x + y * y) - 2 * rho_ * x * y) / (2 * square_);
  }
  TailDependence tails() const override { return {0, 0, 0, 0}; }

 protected:
  double quantile(Unit u) const override { return normal_of(u); }
  double ring(double radius) const override { return std::exp(-0.5 * radius * radius); }
  Unit h1_inside(Unit u, Unit v) const override {
    return rho_ == 0 ? v : unit_of_normal((quantile(v) - rho_ * quantile(u)) / std::sqrt(square_));
  }
  Unit inverse1_inside(Unit u, Unit p) const override {
    return rho_ == 0 ? p : unit_of_normal(quantile(p) * std::sqrt(square_) + rho_ * quantile(u));
  }
};

class Student final : public Elliptical {
 public:
  Student(double rho, double degrees) : Elliptical(rho), t_(degrees), next_(degrees + 1) {}

  double log_pdf(Unit u, Unit v) const override {
    const Signed x = t_.signed_quantile(u), y = t_.signed_quantile(v);
    const double scale = scale_of(std::fmax(x.size.log, y.size.log));
    const double far_x = scaled(x, scale), far_y = scaled(y, scale);
    const double radius = std::hypot((far_x - rho_ * far_y) / std::sqrt(square_), far_y);
    return -log_two_pi - 0.5 * std::log(square_) -
           0.5 * (t_.degrees() + 2) * t_.log1p_form({radius, std::log(radius) + scale}) - t_.log_pdf(x.size) -
           t_.log_pdf(y.size);
  }
  TailDependence tails() const override {
    const auto corner = [&](double rho) {
      return 2 * next_.cdf(-std::sqrt((t_.degrees() + 1) * (1 - rho) / (1 + rho))).p;
    };
    const double same = corner(rho_), opposite = corner(-rho_);
    return {same, opposite, opposite, same};
  }

 protected:
  double quantile(Unit u) const override { return t_.quantile(u); }
  double ring(double radius) const override {
    return std::exp(-0.5 * t_.degrees() * t_.log1p_form(positive_of(radius)));
  }
  // (y - rho x) over this has the t distribution of one degree more; of numbers divided by e^scale
  double spread(double x, double scale) const {
    const double n = t_.degrees();
    return std::hypot(std::sqrt(n) * std::exp(-scale), x) * std::sqrt(square_ / (n + 1));
  }
  Unit h1_inside(Unit u, Unit v) const override {
    const Signed x = t_.signed_quantile(u), y = t_.signed_quantile(v);
    if (x.size.log == infinity) return next_.cdf(-rho_ * x.sign * std::sqrt((t_.degrees() + 1) / square_));
    const double scale = scale_of(x.size.log), far_x = scaled(x, scale), width = spread(far_x, scale);
    const double outer = scale_of(y.size.log - scale);  // y may be larger by as much again
    return next_.cdf(signed_of((scaled(y, scale + outer) - rho_ * far_x * std::exp(-outer)) / width, outer));
  }
  Unit inverse1_inside(Unit u, Unit p) const override {
    const Signed x = t_.signed_quantile(u), e = next_.signed_quantile(p);
    if (x.size.log == infinity) {
      const double slope = rho_ * x.sign + e.value() * std::sqrt(square_ / (t_.degrees() + 1));
      return slope > 0 ? Unit{1, 0} : slope < 0 ? Unit{0, 1} : Unit{0.5, 0.5};
    }
    const double scale = scale_of(x.size.log), far_x = scaled(x, scale);
    const double outer = scale_of(e.size.log);
    return t_.cdf(
        signed_of(scaled(e, outer) * spread(far_x, scale) + rho_ * far_x * std::exp(-outer), scale + outer));
  }

 private:
  StudentT t_, next_;
};

}  // namespace

std::unique_ptr<Bivariate> make_gaussian(double rho) { return std::make_unique<Gaussian>(rho); }
std::unique_ptr<Bivariate> make_student(double rho, double degrees) {
  return std::make_unique<Student>(rho, degrees);
}

}  // namespace sklar
