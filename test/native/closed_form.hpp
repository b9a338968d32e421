// Copulas whose fields are known at every time of the Ornstein-Uhlenbeck process (docs/mathematics.md, H), in
// double: F_t = log c_t on the Gaussian scale, its gradient G_t and Laplacian, and draws at time 0. Time is
// given as w = e^-2t. Nothing here calls the code under test but its random numbers and the normal quantile.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/normal.h"
#include "core/random/philox.h"

namespace closed_form {

using Vector = std::vector<double>;

// ---- small dense matrices

struct Square {
  std::size_t dim = 0;
  Vector data;

  explicit Square(std::size_t d = 0) : dim(d), data(d * d, 0.0) {}
  Square(std::size_t d, Vector values) : dim(d), data(std::move(values)) {}
  double& operator()(std::size_t i, std::size_t j) { return data[i * dim + j]; }
  double operator()(std::size_t i, std::size_t j) const { return data[i * dim + j]; }
};

inline Square identity(std::size_t d) {
  Square a(d);
  for (std::size_t i = 0; i < d; ++i) a(i, i) = 1;
  return a;
}

// s a + t b
inline Square combine(double s, const Square& a, double t, const Square& b) {
  Square c(a.dim);
  for (std::size_t i = 0; i < c.data.size(); ++i) c.data[i] = s * a.data[i] + t * b.data[i];
  return c;
}

inline Square multiply(const Square& a, const Square& b) {
  Square c(a.dim);
  for (std::size_t i = 0; i < a.dim; ++i)
    for (std::size_t k = 0; k < a.dim; ++k)
      for (std::size_t j = 0; j < a.dim; ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

inline Square transposed(const Square& a) {
  Square c(a.dim);
  for (std::size_t i = 0; i < a.dim; ++i)
    for (std::size_t j = 0; j < a.dim; ++j) c(i, j) = a(j, i);
  return c;
}

inline Vector apply(const Square& a, const double* x) {
  Vector y(a.dim, 0.0);
  for (std::size_t i = 0; i < a.dim; ++i)
    for (std::size_t j = 0; j < a.dim; ++j) y[i] += a(i, j) * x[j];
  return y;
}

inline double trace(const Square& a) {
  double sum = 0;
  for (std::size_t i = 0; i < a.dim; ++i) sum += a(i, i);
  return sum;
}

// L with L L^T = a
inline Square lower_root(const Square& a) {
  Square l(a.dim);
  for (std::size_t i = 0; i < a.dim; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a(i, j);
      for (std::size_t k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
      l(i, j) = i == j ? std::sqrt(sum) : sum / l(j, j);
    }
  return l;
}

inline Square inverse_of_lower(const Square& l) {
  Square x(l.dim);
  for (std::size_t c = 0; c < l.dim; ++c)
    for (std::size_t i = c; i < l.dim; ++i) {
      double sum = i == c ? 1 : 0;
      for (std::size_t j = c; j < i; ++j) sum -= l(i, j) * x(j, c);
      x(i, c) = sum / l(i, i);
    }
  return x;
}

// of a symmetric positive definite matrix
inline Square inverse(const Square& a) {
  const Square x = inverse_of_lower(lower_root(a));
  return multiply(transposed(x), x);
}

inline double log_determinant(const Square& a) {
  const Square l = lower_root(a);
  double sum = 0;
  for (std::size_t i = 0; i < a.dim; ++i) sum += 2 * std::log(l(i, i));
  return sum;
}

// a = vectors diag(values) vectors^T, by Jacobi rotations
struct Eigen {
  Vector values;
  Square vectors;
};

inline Eigen eigen(Square a) {
  const std::size_t d = a.dim;
  Square q = identity(d);
  for (int sweep = 0; sweep < 60; ++sweep)
    for (std::size_t p = 0; p < d; ++p)
      for (std::size_t r = p + 1; r < d; ++r) {
        if (std::abs(a(p, r)) < 1e-300) continue;
        const double theta = 0.5 * (a(r, r) - a(p, p)) / a(p, r);
        const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1 / std::hypot(t, 1.0), s = t * c;
        auto rotate = [&](double& x, double& y) {
          const double before = x;
          x = c * before - s * y;
          y = s * before + c * y;
        };
        for (std::size_t k = 0; k < d; ++k) rotate(a(k, p), a(k, r));
        for (std::size_t k = 0; k < d; ++k) rotate(a(p, k), a(r, k));
        for (std::size_t k = 0; k < d; ++k) rotate(q(k, p), q(k, r));
      }
  Eigen e{Vector(d), q};
  for (std::size_t i = 0; i < d; ++i) e.values[i] = a(i, i);
  return e;
}

// vectors diag(values) vectors^T
inline Square compose(const Square& vectors, const Vector& values) {
  Square scaled = vectors;
  for (std::size_t i = 0; i < scaled.dim; ++i)
    for (std::size_t j = 0; j < scaled.dim; ++j) scaled(i, j) *= values[j];
  return multiply(scaled, transposed(vectors));
}

inline Square equicorrelation(std::size_t d, double rho) {
  Square a(d);
  std::fill(a.data.begin(), a.data.end(), rho);
  for (std::size_t i = 0; i < d; ++i) a(i, i) = 1;
  return a;
}

// ---- random numbers

constexpr std::uint32_t tag_of_tests = 200;

// rows x columns, dense
inline Vector normals(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Vector out(rows * columns);
  const sklar::PhiloxKey key = sklar::philox_key(seed);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; j += 4) {
      const sklar::Normals4 n =
          sklar::philox_normals(sklar::philox(sklar::philox_counter(i, j / 4, 0, tag_of_tests), key));
      const float lane[4] = {n.x, n.y, n.z, n.w};
      for (std::size_t k = 0; k < std::min<std::size_t>(4, columns - j); ++k)
        out[i * columns + j + k] = static_cast<double>(lane[k]);
    }
  return out;
}

inline double uniform(std::uint64_t seed, std::uint64_t row, std::uint32_t element) {
  const sklar::PhiloxBlock b =
      sklar::philox(sklar::philox_counter(row, element / 4, 0, tag_of_tests + 1), sklar::philox_key(seed));
  const std::uint32_t word[4] = {b.x, b.y, b.z, b.w};
  return static_cast<double>(sklar::philox_uniform(word[element % 4]));
}

// ---- copulas

// The field of one time.
class Field {
 public:
  virtual ~Field() = default;
  virtual double value(const double* z) const = 0;              // F
  virtual void gradient(const double* z, double* g) const = 0;  // G
  virtual double laplacian(const double* z) const = 0;          // of F
};

class Copula {
 public:
  virtual ~Copula() = default;
  virtual std::size_t dim() const = 0;
  virtual std::unique_ptr<Field> at(double w) const = 0;
  virtual Square correlation() const = 0;                                 // R_N, of the normal scores
  virtual Vector sample(std::size_t rows, std::uint64_t seed) const = 0;  // on the Gaussian scale, dense
};

// H.1. The covariance may have any diagonal: then it is no copula, but a density after whitening (A.2).
class Gaussian final : public Copula {
 public:
  explicit Gaussian(Square covariance) : covariance_(std::move(covariance)) {}

  std::size_t dim() const override { return covariance_.dim; }
  Square correlation() const override { return covariance_; }
  Square covariance_at(double w) const { return combine(w, covariance_, 1 - w, identity(dim())); }
  // log p_t but for the constant of the normal density: a classifier's logit
  double log_kernel(double w, const double* z) const {
    const Square r = covariance_at(w);
    const Vector x = apply(inverse(r), z);
    double quadratic = 0;
    for (std::size_t i = 0; i < dim(); ++i) quadratic += z[i] * x[i];
    return -0.5 * log_determinant(r) - 0.5 * quadratic;
  }

  std::unique_ptr<Field> at(double w) const override { return std::make_unique<At>(covariance_at(w)); }

  Vector sample(std::size_t rows, std::uint64_t seed) const override {
    const Square l = lower_root(covariance_);
    Vector z = normals(rows, dim(), seed);
    for (std::size_t i = 0; i < rows; ++i) {
      const Vector row = apply(l, &z[i * dim()]);
      std::copy(row.begin(), row.end(), z.begin() + static_cast<std::ptrdiff_t>(i * dim()));
    }
    return z;
  }

 private:
  class At final : public Field {
   public:
    explicit At(const Square& r) : excess_(combine(1, inverse(r), -1, identity(r.dim))) {
      half_log_determinant_ = 0.5 * log_determinant(r);
    }
    double value(const double* z) const override {
      const Vector x = apply(excess_, z);
      double sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) sum += z[i] * x[i];
      return -half_log_determinant_ - 0.5 * sum;
    }
    void gradient(const double* z, double* g) const override {
      for (std::size_t i = 0; i < excess_.dim; ++i) {
        g[i] = 0;
        for (std::size_t j = 0; j < excess_.dim; ++j) g[i] -= excess_(i, j) * z[j];
      }
    }
    double laplacian(const double*) const override { return -trace(excess_); }

   private:
    Square excess_;  // R^-1 - I
    double half_log_determinant_;
  };
  Square covariance_;
};

// H.2: zero-mean normals with weights. As above, any covariances.
class Mixture final : public Copula {
 public:
  Mixture(Vector weights, std::vector<Square> covariances)
      : weights_(std::move(weights)), covariances_(std::move(covariances)) {}

  std::size_t dim() const override { return covariances_[0].dim; }
  Square correlation() const override {
    Square sum(dim());
    for (std::size_t m = 0; m < weights_.size(); ++m) sum = combine(1, sum, weights_[m], covariances_[m]);
    return sum;
  }
  // The same in coordinates y = L^-1 z.
  Mixture whitened(const Square& l) const {
    const Square x = inverse_of_lower(l);
    std::vector<Square> covariances;
    for (const Square& c : covariances_) covariances.push_back(multiply(multiply(x, c), transposed(x)));
    return {weights_, covariances};
  }

  std::unique_ptr<Field> at(double w) const override {
    auto field = std::make_unique<At>();
    for (std::size_t m = 0; m < weights_.size(); ++m) {
      const Square r = combine(w, covariances_[m], 1 - w, identity(dim()));
      field->precision.push_back(inverse(r));
      field->offset.push_back(std::log(weights_[m]) - 0.5 * log_determinant(r));
    }
    return field;
  }

  Vector sample(std::size_t rows, std::uint64_t seed) const override {
    std::vector<Square> roots;
    for (const Square& c : covariances_) roots.push_back(lower_root(c));
    Vector z = normals(rows, dim(), seed);
    for (std::size_t i = 0; i < rows; ++i) {
      double u = uniform(seed, i, 0);
      std::size_t m = 0;
      while (m + 1 < weights_.size() && u >= weights_[m]) u -= weights_[m++];
      const Vector row = apply(roots[m], &z[i * dim()]);
      std::copy(row.begin(), row.end(), z.begin() + static_cast<std::ptrdiff_t>(i * dim()));
    }
    return z;
  }

 private:
  class At final : public Field {
   public:
    std::vector<Square> precision;
    Vector offset;  // log weight - log det / 2

    double value(const double* z) const override {
      const State s = state(z);
      double square = 0;
      for (std::size_t i = 0; i < precision[0].dim; ++i) square += z[i] * z[i];
      return s.log_kernel + 0.5 * square;
    }
    void gradient(const double* z, double* g) const override {
      const State s = state(z);
      for (std::size_t i = 0; i < precision[0].dim; ++i) g[i] = z[i] - s.mean[i];
    }
    double laplacian(const double* z) const override {
      const State s = state(z);
      double sum = static_cast<double>(precision[0].dim);
      for (std::size_t m = 0; m < precision.size(); ++m) {
        double square = 0;
        for (double x : s.pulled[m]) square += x * x;
        sum += s.share[m] * (square - trace(precision[m]));
      }
      for (double x : s.mean) sum -= x * x;
      return sum;
    }

   private:
    struct State {
      double log_kernel;
      Vector share;                // responsibilities
      std::vector<Vector> pulled;  // R_m^-1 z
      Vector mean;                 // of these
    };
    State state(const double* z) const {
      State s;
      const std::size_t d = precision[0].dim;
      double top = -HUGE_VAL;
      for (std::size_t m = 0; m < precision.size(); ++m) {
        s.pulled.push_back(apply(precision[m], z));
        double quadratic = 0;
        for (std::size_t i = 0; i < d; ++i) quadratic += z[i] * s.pulled[m][i];
        s.share.push_back(offset[m] - 0.5 * quadratic);
        top = std::max(top, s.share[m]);
      }
      double sum = 0;
      for (double& x : s.share) sum += x = std::exp(x - top);
      for (double& x : s.share) x /= sum;
      s.log_kernel = top + std::log(sum);
      s.mean.assign(d, 0.0);
      for (std::size_t m = 0; m < precision.size(); ++m)
        for (std::size_t i = 0; i < d; ++i) s.mean[i] += s.share[m] * s.pulled[m][i];
      return s;
    }
  };
  Vector weights_;
  std::vector<Square> covariances_;
};

// H.3: c = 1 + theta prod (1 - 2 u_i), over all coordinates.
class Fgm final : public Copula {
 public:
  Fgm(std::size_t dim, double theta) : dim_(dim), theta_(theta) {}

  std::size_t dim() const override { return dim_; }
  Square correlation() const override {
    Square r = identity(dim_);
    if (dim_ == 2) r(0, 1) = r(1, 0) = theta_ / 3.14159265358979323846;  // theta E[z (1 - 2 Phi(z))]^2
    return r;
  }
  std::unique_ptr<Field> at(double w) const override { return std::make_unique<At>(dim_, theta_, w); }

  Vector sample(std::size_t rows, std::uint64_t seed) const override {
    Vector z(rows * dim_);
    std::uint64_t attempt = 0;
    for (std::size_t i = 0; i < rows;) {
      double density = theta_;
      for (std::size_t j = 0; j < dim_; ++j)
        density *= 1 - 2 * uniform(seed, attempt, static_cast<std::uint32_t>(j));
      const double height = (1 + std::abs(theta_)) * uniform(seed, attempt, static_cast<std::uint32_t>(dim_));
      if (height < 1 + density) {
        for (std::size_t j = 0; j < dim_; ++j)
          z[i * dim_ + j] = sklar::normal_quantile(uniform(seed, attempt, static_cast<std::uint32_t>(j)));
        ++i;
      }
      ++attempt;
    }
    return z;
  }

 private:
  class At final : public Field {
   public:
    At(std::size_t dim, double theta, double w) : dim_(dim), theta_(theta), slope_(std::sqrt(w / (2 - w))) {}

    double value(const double* z) const override {
      double product = theta_;
      for (std::size_t i = 0; i < dim_; ++i) product *= factor(z[i]);
      return std::log1p(product);
    }
    void gradient(const double* z, double* g) const override {
      const double c = std::exp(value(z));
      for (std::size_t i = 0; i < dim_; ++i) g[i] = first(z[i]) * others(z, i) / c;
    }
    double laplacian(const double* z) const override {
      const double c = std::exp(value(z));
      double sum = 0;
      for (std::size_t i = 0; i < dim_; ++i) {
        const double rest = others(z, i), g = first(z[i]) * rest / c;
        sum += -slope_ * slope_ * z[i] * first(z[i]) * rest / c - g * g;
      }
      return sum;
    }

   private:
    double factor(double z) const { return -std::erf(slope_ * z * std::sqrt(0.5)); }
    double first(double z) const {
      return -2 * slope_ * std::exp(-0.5 * slope_ * slope_ * z * z - sklar::half_log_two_pi);
    }
    double others(const double* z, std::size_t i) const {
      double product = theta_;
      for (std::size_t j = 0; j < dim_; ++j)
        if (j != i) product *= factor(z[j]);
      return product;
    }
    std::size_t dim_;
    double theta_, slope_;
  };
  std::size_t dim_;
  double theta_;
};

}  // namespace closed_form
