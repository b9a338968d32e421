#include <cmath>

#include "classical/bivariate.hpp"
#include "classical/numeric.hpp"
#include "classical/student_t.hpp"

namespace sklar {
namespace {

constexpr double log_two_pi = 2 * half_log_two_pi;
constexpr double cdf_tolerance = 2e-15;

// Of the pairs (x, y) = quantiles of u and v with correlation rho. P(X <= h, Y <= k) is Plackett's integral
// over the angle of the correlation, from -1, where it is known: all of it is positive.
class Elliptical : public Bivariate {
 public:
  explicit Elliptical(double rho) : rho_(rho), square_((1 - rho) * (1 + rho)) {}
  double tau() const override { return 2 / M_PI * std::asin(rho_); }

 protected:
  virtual double quantile(Unit u) const = 0;
  virtual double ring(double square) const = 0;  // of the squared radius

  double cdf_inside(Unit u, Unit v) const override {
    const double h = quantile(u), k = quantile(v);
    const double integral = integrate_adaptive(
        [&](double angle) {
          const double s = std::sin(angle), c = std::cos(angle), across = (h - k * s) / c;
          return ring(across * across + k * k);
        },
        -M_PI / 2, std::asin(rho_), cdf_tolerance);
    return std::fmax(0, u.p - v.q) + integral / (2 * M_PI);
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
  double ring(double square) const override { return std::exp(-0.5 * square); }
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
    const double x = quantile(u), y = quantile(v), n = t_.degrees(), across = x - rho_ * y;
    const double form = across * across / square_ + y * y;
    return -log_two_pi - 0.5 * std::log(square_) - 0.5 * (n + 2) * std::log1p(form / n) - t_.log_pdf(x) -
           t_.log_pdf(y);
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
  double ring(double square) const override {
    return std::exp(-0.5 * t_.degrees() * std::log1p(square / t_.degrees()));
  }
  // (y - rho x) over this has the t distribution of one degree more
  double spread(double x) const {
    const double n = t_.degrees();
    return std::sqrt((n + x * x) * square_ / (n + 1));
  }
  Unit h1_inside(Unit u, Unit v) const override {
    const double x = quantile(u);
    if (std::isinf(x))
      return next_.cdf(-std::copysign(rho_, rho_ * x) * std::sqrt((t_.degrees() + 1) / square_));
    return next_.cdf((quantile(v) - rho_ * x) / spread(x));
  }
  Unit inverse1_inside(Unit u, Unit p) const override {
    const double x = quantile(u), e = next_.quantile(p);
    if (std::isinf(x)) {
      const double slope = rho_ * std::copysign(1, x) + e * std::sqrt(square_ / (t_.degrees() + 1));
      return slope > 0 ? Unit{1, 0} : slope < 0 ? Unit{0, 1} : Unit{0.5, 0.5};
    }
    return t_.cdf(e * spread(x) + rho_ * x);
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
