// What the tests of the integrators share: closed forms as fields of the library, statistics, moves between
// host and backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "check.hpp"
#include "closed_form.hpp"
#include "core/error.hpp"
#include "fields/field.hpp"
#include "fields/noise_levels.hpp"

namespace support {

using namespace sklar;
using closed_form::Copula;
using closed_form::Fgm;
using closed_form::Gaussian;
using closed_form::Mixture;
using closed_form::Square;
using closed_form::Vector;

// ---- test copulas

inline Square correlation3(double a, double b, double c) { return {3, {1, a, b, a, 1, c, b, c, 1}}; }

inline const Gaussian gaussian3(correlation3(0.7, 0.3, -0.4));
inline const Mixture cross({0.5, 0.5},
                           {closed_form::equicorrelation(2, 0.9), closed_form::equicorrelation(2, -0.9)});
inline const Mixture mixture3({0.3, 0.7}, {correlation3(0.8, -0.2, 0.3), correlation3(-0.5, 0.4, 0.2)});
inline const Fgm fgm3(3, 0.9);
inline const Square guide3 = correlation3(0.5, -0.3, 0.25);

// ---- levels

// Classes uniform in w from 1 to `w_last`.
inline OuLevels uniform_levels(std::size_t count, double w_last) {
  Vector times;
  for (std::size_t k = 0; k < count; ++k) {
    const double share = static_cast<double>(k) / static_cast<double>(count - 1);
    times.push_back(k == 0                          ? 0
                    : k + 1 == count && w_last == 0 ? INFINITY
                                                    : -0.5 * std::log1p(-share * (1 - w_last)));
  }
  return OuLevels(times);
}

// Ten classes up to t = 3, as published, or the same up to pure noise.
inline OuLevels published_levels() { return uniform_levels(10, std::exp(-6.0)); }
inline OuLevels recommended_levels() { return uniform_levels(10, 0); }

// ---- between host and backend

template <class T>
Matrix<T> on_backend(Backend<T>& backend, const Vector& rows, std::size_t columns, bool with_ones = false) {
  const std::size_t count = rows.size() / columns, width = columns + (with_ones ? 1 : 0);
  Matrix<T> m = backend.matrix(count, width);
  std::vector<T> host(count * width, T(1));
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < columns; ++j) host[i * width + j] = static_cast<T>(rows[i * columns + j]);
  backend.upload_matrix(m, host.data());
  return m;
}

template <class T>
inline Vector on_host(Backend<T>& backend, MatrixView<const T> m) {
  std::vector<T> host(m.rows * m.columns);
  backend.download_matrix(host.data(), m);
  return Vector(host.begin(), host.end());
}

// The first `columns` columns.
template <class T>
MatrixView<T> left(const Matrix<T>& m, std::size_t columns) {
  return {m.data(), m.rows(), columns, m.stride()};
}

// ---- statistics

// Mean and standard error of what is added, and how far the mean is from zero.
struct Mean {
  double n = 0, sum = 0, squares = 0;
  void add(double x) {
    n += 1;
    sum += x;
    squares += x * x;
  }
  double value() const { return sum / n; }
  double error() const { return std::sqrt(std::max(squares / n - value() * value(), 0.0) / n); }
  double score() const { return sum == 0 ? 0 : std::abs(value()) / error(); }
};

// Probability of a larger Kolmogorov-Smirnov distance of these values from U(0, 1).
inline double uniformity(Vector u) {
  std::sort(u.begin(), u.end());
  const double n = static_cast<double>(u.size());
  double distance = 0;
  for (std::size_t i = 0; i < u.size(); ++i)
    distance =
        std::max({distance, (static_cast<double>(i) + 1) / n - u[i], u[i] - static_cast<double>(i) / n});
  const double x = (std::sqrt(n) + 0.12 + 0.11 / std::sqrt(n)) * distance;
  double p = 0, sign = 2;
  for (int k = 1; k <= 100; ++k, sign = -sign) p += sign * std::exp(-2.0 * k * k * x * x);
  return x < 0.2 ? 1 : p;
}

inline Square covariance_of(const Vector& rows, std::size_t d) {
  Square c(d);
  const std::size_t n = rows.size() / d;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t a = 0; a < d; ++a)
      for (std::size_t b = 0; b < d; ++b)
        c(a, b) += rows[i * d + a] * rows[i * d + b] / static_cast<double>(n);
  return c;
}

// Sample covariance of n rows against the true one, in standard errors.
inline void check_covariance(const Square& sample, const Square& expected, double n, double errors) {
  for (std::size_t i = 0; i < sample.dim; ++i)
    for (std::size_t j = 0; j < sample.dim; ++j) {
      const double variance = expected(i, i) * expected(j, j) + expected(i, j) * expected(i, j);
      CHECK_NEAR(sample(i, j), expected(i, j), errors * std::sqrt(variance / n));
    }
}

// KL(N(0, truth) | N(0, sampled))
inline double divergence(const Square& truth, const Square& sampled) {
  const Square ratio = closed_form::multiply(closed_form::inverse(sampled), truth);
  return 0.5 * (closed_form::trace(ratio) - static_cast<double>(truth.dim) +
                closed_form::log_determinant(sampled) - closed_form::log_determinant(truth));
}

// Least squares slope of log error against log steps, sign reversed.
inline double order(const Vector& steps, const Vector& errors) {
  double mx = 0, my = 0, xx = 0, xy = 0;
  const double n = static_cast<double>(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    mx += std::log(steps[i]) / n;
    my += std::log(errors[i]) / n;
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double x = std::log(steps[i]) - mx;
    xx += x * x;
    xy += x * (std::log(errors[i]) - my);
  }
  return -xy / xx;
}

inline double rms_difference(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

inline double largest_difference(const Vector& a, const Vector& b) {
  double most = a.size() == b.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (!(difference <= most)) most = std::isnan(difference) ? HUGE_VAL : difference;
  }
  return most;
}

inline Vector apply_to_rows(const Square& a, const Vector& rows) {
  Vector out;
  for (std::size_t i = 0; i < rows.size(); i += a.dim) {
    const Vector row = closed_form::apply(a, &rows[i]);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

// Runge-Kutta of order 4 in the clock theta (cos theta = e^-t), from pure noise to data.
inline Vector reference_map(const Copula& copula, const Vector& start, int steps) {
  const std::size_t d = copula.dim();
  const double right_angle = std::acos(0.0), h = right_angle / steps;
  std::vector<std::unique_ptr<closed_form::Field>> at;  // every half step
  Vector tangent;
  for (int i = 0; i <= 2 * steps; ++i) {
    const double theta = right_angle - i * h / 2;
    at.push_back(copula.at(i == 0 ? 0 : std::cos(theta) * std::cos(theta)));
    tangent.push_back(i == 0 ? 0 : std::tan(theta));  // tan(theta) G vanishes at the first node
  }
  Vector z = start, x(d), k[4];
  for (auto& v : k) v.resize(d);
  for (std::size_t row = 0; row < start.size(); row += d)
    for (int i = 0; i < steps; ++i) {
      for (int stage = 0; stage < 4; ++stage) {
        const std::size_t node = static_cast<std::size_t>(2 * i + (stage + 1) / 2);
        const double ahead = stage == 0 ? 0 : stage == 3 ? h : h / 2;
        for (std::size_t j = 0; j < d; ++j) x[j] = z[row + j] + (stage ? ahead * k[stage - 1][j] : 0);
        at[node]->gradient(x.data(), k[stage].data());
        for (double& v : k[stage]) v *= tangent[node];
      }
      for (std::size_t j = 0; j < d; ++j)
        z[row + j] += h / 6 * (k[0][j] + 2 * k[1][j] + 2 * k[2][j] + k[3][j]);
    }
  return z;
}

// ---- closed forms as fields

// A copula under the ou process. least_w: below it the slope is that at least_w, as a classifier's is that
// cannot tell its reference from the level before.
template <class T>
class OuField final : public sklar::Field<T> {
 public:
  explicit OuField(const Copula& copula, double least_w = 0)
      : copula_(copula),
        least_w_(least_w),
        slope_(closed_form::combine(0.5, copula.correlation(), -0.5, closed_form::identity(copula.dim()))) {}

  Process process() const override { return Process::ou; }
  std::size_t dim() const override { return copula_.dim(); }
  std::size_t batch_rows() const override { return 1000; }

  void evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) override {
    each_row(y, time, form, out, nullptr);
  }
  void divergence(MatrixView<const T> y, const double* time, Form form, const TraceEstimator& trace,
                  MatrixView<T> out, double* divergence) override {
    CHECK(trace.kind == TraceEstimator::Kind::exact);
    each_row(y, time, form, out, divergence);
  }

 private:
  void each_row(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out, double* divergence) {
    const std::size_t d = dim();
    std::unique_ptr<closed_form::Field> field;
    double at = -1;
    Vector z(d), g(d);
    for (std::size_t i = 0; i < y.rows; ++i) {
      CHECK(y.row(i)[d] == T(1));
      std::copy(y.row(i), y.row(i) + d, z.begin());
      const double theta = time[i], alpha = theta >= 1.5707963267948966 ? 0 : std::cos(theta),
                   w = alpha * alpha;
      // all forms are the slope dz/dw times this
      const double scale = form == Form::slope_w       ? 1
                           : form == Form::slope_alpha ? 2 * alpha
                           : form == Form::slope_theta ? -2 * alpha * std::sin(theta)
                                                       : 2 * w;
      const double from = std::max(w, least_w_);
      double trace = 0;
      if (from == 0) {
        g = closed_form::apply(slope_, z.data());
        trace = closed_form::trace(slope_);
      } else {
        if (!field || from != at) field = copula_.at(at = from);
        field->gradient(z.data(), g.data());
        for (double& x : g) x /= 2 * from;
        if (divergence) trace = field->laplacian(z.data()) / (2 * from);
      }
      for (std::size_t j = 0; j < d; ++j) out.row(i)[j] = static_cast<T>(scale * g[j]);
      if (divergence) divergence[i] = scale * trace;
    }
  }

  const Copula& copula_;
  double least_w_;
  Square slope_;
};

// H.4 under the reflection process: c = 1 + sum a_m prod cos(pi k_mi u_i).
struct CosineTerm {
  double weight;
  std::vector<int> frequency;
};

class Cosine {
 public:
  Cosine(std::size_t dim, std::vector<CosineTerm> terms) : dim_(dim), terms_(std::move(terms)) {}
  std::size_t dim() const { return dim_; }

  struct Value {
    double log_density, laplacian;  // of log c
    Vector gradient;                // of log c
  };
  Value at(double t, const double* u) const {
    double c = 1, second = 0;
    Vector first(dim_, 0.0);
    for (const CosineTerm& term : terms_) {
      double squares = 0;
      for (int k : term.frequency) squares += k * k;
      const double a = term.weight * std::exp(-pi * pi * squares * t * t / 2);
      auto factor = [&](std::size_t i) { return std::cos(pi * term.frequency[i] * u[i]); };
      double product = a;
      for (std::size_t i = 0; i < dim_; ++i) product *= factor(i);
      c += product;
      second -= pi * pi * squares * product;
      for (std::size_t i = 0; i < dim_; ++i) {
        double rest = a;
        for (std::size_t j = 0; j < dim_; ++j)
          if (j != i) rest *= factor(j);
        first[i] -= pi * term.frequency[i] * std::sin(pi * term.frequency[i] * u[i]) * rest;
      }
    }
    Value v{std::log(c), second / c, first};
    for (double& x : v.gradient) {
      x /= c;
      v.laplacian -= x * x;
    }
    return v;
  }

 private:
  static constexpr double pi = 3.14159265358979323846;
  std::size_t dim_;
  std::vector<CosineTerm> terms_;
};

template <class T>
class CosineField final : public sklar::Field<T> {
 public:
  explicit CosineField(const Cosine& copula) : copula_(copula) {}
  Process process() const override { return Process::reflection; }
  std::size_t dim() const override { return copula_.dim(); }
  std::size_t batch_rows() const override { return 1000; }
  void evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) override {
    each_row(y, time, form, out, nullptr);
  }
  void divergence(MatrixView<const T> y, const double* time, Form form, const TraceEstimator&,
                  MatrixView<T> out, double* divergence) override {
    each_row(y, time, form, out, divergence);
  }

 private:
  void each_row(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out, double* divergence) {
    CHECK(form == Form::velocity);
    for (std::size_t i = 0; i < y.rows; ++i) {
      const Vector u(y.row(i), y.row(i) + dim());
      for (double x : u) CHECK(x >= 0 && x <= 1);
      const auto v = copula_.at(time[i], u.data());
      for (std::size_t j = 0; j < dim(); ++j) out.row(i)[j] = static_cast<T>(-time[i] * v.gradient[j]);
      if (divergence) divergence[i] = -time[i] * v.laplacian;
    }
  }
  const Cosine& copula_;
};

}  // namespace support
