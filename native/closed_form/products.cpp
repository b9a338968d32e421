#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "closed_form/closed_form.hpp"
#include "core/error.hpp"
#include "core/normal.h"
#include "core/random/philox.h"

// FGM and cosine copulas: c = 1 + sum_m a_m prod_{i in S_m} f_mi(x_i), at every time
// (docs/mathematics.md, H).
namespace sklar {
namespace {

constexpr double pi = std::numbers::pi;

// A function of one coordinate and its first two derivatives.
struct Factor {
  double f, first, second;
};

struct Term {
  double amplitude;
  std::vector<std::size_t> columns;
  std::vector<std::uint32_t> frequencies;  // cosine only, of the columns
};

// c = 1 + sum_m height_m prod f; slope = sum_m front_m grad(prod f) / c; Jacobian = sum_m front_m hess(prod
// f) / c - square slope slope^T. Subclasses fill the factors and these three numbers.
class ProductRow : public ClosedFormRow {
 public:
  ProductRow(const std::vector<Term>& terms, std::size_t dim)
      : terms_(terms), dim_(dim), height_(terms.size()), front_(terms.size()), slope_(dim) {
    std::size_t longest = 0;
    for (const Term& term : terms) {
      first_factor_.push_back(factors_.size());
      factors_.resize(factors_.size() + term.columns.size());
      longest = std::max(longest, term.columns.size());
    }
    suffix_.resize(longest + 1);
  }

  double value() const override { return std::log1p(excess_); }
  void slope(double* out) const override { std::copy(slope_.begin(), slope_.end(), out); }

  double trace() const override {
    double sum = 0;
    for (std::size_t m = 0; m < terms_.size(); ++m)
      for_each_but_one(m, nullptr, [&](std::size_t k, const Dual& others) {
        sum += front_[m] * factors_[first_factor_[m] + k].second * others.value;
      });
    sum /= 1 + excess_;
    for (double s : slope_) sum -= square_ * s * s;
    return sum;
  }

  void jacobian_times(const double* v, double* out) const override {
    double along = 0;
    for (std::size_t i = 0; i < dim_; ++i) along += slope_[i] * v[i];
    for (std::size_t i = 0; i < dim_; ++i) out[i] = -square_ * along * slope_[i];
    for (std::size_t m = 0; m < terms_.size(); ++m)
      for_each_but_one(m, v, [&](std::size_t k, const Dual& others) {
        const std::size_t i = terms_[m].columns[k];
        const Factor& f = factors_[first_factor_[m] + k];
        out[i] += front_[m] * (f.second * v[i] * others.value + f.first * others.derivative) / (1 + excess_);
      });
  }

 protected:
  // What `set` of a subclass ends with.
  void finish() {
    excess_ = 0;
    for (std::size_t m = 0; m < terms_.size(); ++m) {
      double product = height_[m];
      for (std::size_t k = 0; k < terms_[m].columns.size(); ++k) product *= factors_[first_factor_[m] + k].f;
      excess_ += product;
    }
    std::fill(slope_.begin(), slope_.end(), 0.0);
    for (std::size_t m = 0; m < terms_.size(); ++m)
      for_each_but_one(m, nullptr, [&](std::size_t k, const Dual& others) {
        slope_[terms_[m].columns[k]] +=
            front_[m] * factors_[first_factor_[m] + k].first * others.value / (1 + excess_);
      });
  }
  Factor& factor(std::size_t term, std::size_t k) { return factors_[first_factor_[term] + k]; }

  const std::vector<Term>& terms_;
  std::size_t dim_;
  std::vector<double> height_, front_;
  double square_ = 1;

 private:
  // A number and its derivative along v.
  struct Dual {
    double value, derivative;
    Dual times(const Dual& b) const { return {value * b.value, value * b.derivative + derivative * b.value}; }
  };

  // body(k, product of the factors of the term but the k-th); v null: the derivatives are 0
  template <class Body>
  void for_each_but_one(std::size_t term, const double* v, Body&& body) const {
    const auto& columns = terms_[term].columns;
    auto dual = [&](std::size_t k) {
      const Factor& f = factors_[first_factor_[term] + k];
      return Dual{f.f, v ? f.first * v[columns[k]] : 0};
    };
    const std::size_t n = columns.size();
    suffix_[n] = {1, 0};
    for (std::size_t k = n; k-- > 0;) suffix_[k] = dual(k).times(suffix_[k + 1]);
    Dual prefix{1, 0};
    for (std::size_t k = 0; k < n; ++k) {
      body(k, prefix.times(suffix_[k + 1]));
      prefix = prefix.times(dual(k));
    }
  }

  std::vector<std::size_t> first_factor_;
  std::vector<Factor> factors_;
  mutable std::vector<Dual> suffix_;
  double excess_ = 0;  // c - 1
  std::vector<double> slope_;
};

// The factor of c_t is m_t(z) = -erf(s z / sqrt 2), s = alpha / sqrt(2 - alpha^2), which vanishes with alpha.
// Here it is divided by alpha, so that the slope has its limit at pure noise.
class FgmOuRow final : public ProductRow {
 public:
  using ProductRow::ProductRow;
  void set(double time, const double* z) override {
    const double alpha = OuProcess::alpha(time), ratio = 1 / std::sqrt(2 - alpha * alpha), s = alpha * ratio;
    const Term& term = terms_[0];
    const double order = static_cast<double>(term.columns.size());
    height_[0] = term.amplitude * std::pow(alpha, order);
    front_[0] = 0.5 * term.amplitude * std::pow(alpha, order - 2);
    square_ = 2 * alpha * alpha;
    for (std::size_t k = 0; k < term.columns.size(); ++k) {
      const double x = z[term.columns[k]];
      const double first = -2 * ratio * std::exp(-0.5 * s * s * x * x - half_log_two_pi);
      factor(0, k) = {alpha > 0 ? -std::erf(s * x * sqrt_half) / alpha : first * x, first,
                      -s * s * x * first};
    }
    finish();
  }
};

// 1 - 2 u, smoothed by reflected Brownian motion until time tau = t^2
Factor smoothed_triangle(double t, double u) {
  if (t <= 0) return {1 - 2 * u, -2, 0};
  if (t < 0.2) {
    // The kinks of the even, 2-periodic continuation within ten standard deviations: E|x + t noise| for each.
    Factor g{1 - 2 * u, -2, 0};
    for (int k = -1; k <= 2; ++k) {
      const double sign = k % 2 == 0 ? -2 : 2, x = u - k;
      const double density = std::exp(-0.5 * x * x / (t * t) - half_log_two_pi) / t,
                   balance = std::erf(x / t * sqrt_half);
      g.f += sign * (x * balance + 2 * t * t * density);
      g.first += sign * balance;
      g.second += sign * 2 * density;
    }
    return g;
  }
  Factor g{0, 0, 0};
  for (int k = 1; k * t < 3; k += 2) {  // exp(-(3 pi)^2 / 2) = 5e-20
    const double frequency = pi * k, weight = 8 * std::exp(-0.5 * frequency * frequency * t * t);
    g.f += weight / (frequency * frequency) * std::cos(frequency * u);
    g.first -= weight / frequency * std::sin(frequency * u);
    g.second -= weight * std::cos(frequency * u);
  }
  return g;
}

class FgmReflectionRow final : public ProductRow {
 public:
  FgmReflectionRow(const std::vector<Term>& terms, std::size_t dim) : ProductRow(terms, dim) {
    height_[0] = front_[0] = terms[0].amplitude;
  }
  void set(double time, const double* u) override {
    for (std::size_t k = 0; k < terms_[0].columns.size(); ++k)
      factor(0, k) = smoothed_triangle(time, u[terms_[0].columns[k]]);
    finish();
  }
};

// FGM copulas stay FGM, theta exp(-2 |S| tau). The slope is D grad F, whose Jacobian is not symmetric.
class FgmJacobiRow final : public ProductRow {
 public:
  using ProductRow::ProductRow;
  void set(double time, const double* u) override {
    const Term& term = terms_[0];
    const double order = static_cast<double>(term.columns.size());
    height_[0] = front_[0] = term.amplitude * std::exp(-2 * order * time * time);
    for (std::size_t k = 0; k < term.columns.size(); ++k) factor(0, k) = {1 - 2 * u[term.columns[k]], -2, 0};
    finish();
    u_.assign(u, u + dim_);
    gradient_.resize(dim_);
    ProductRow::slope(gradient_.data());
  }
  void slope(double* out) const override {
    for (std::size_t i = 0; i < dim_; ++i) out[i] = diffusion(i) * gradient_[i];
  }
  double trace() const override {
    double sum = 0;
    for (std::size_t i = 0; i < dim_; ++i)
      sum += (1 - 2 * u_[i]) * gradient_[i] - diffusion(i) * gradient_[i] * gradient_[i];
    return sum;
  }
  void jacobian_times(const double* v, double* out) const override {
    ProductRow::jacobian_times(v, out);
    for (std::size_t i = 0; i < dim_; ++i)
      out[i] = diffusion(i) * out[i] + (1 - 2 * u_[i]) * gradient_[i] * v[i];
  }

 private:
  double diffusion(std::size_t i) const { return u_[i] * (1 - u_[i]); }
  std::vector<double> u_, gradient_;
};

class CosineRow final : public ProductRow {
 public:
  using ProductRow::ProductRow;
  void set(double time, const double* u) override {
    for (std::size_t m = 0; m < terms_.size(); ++m) {
      double norm = 0;
      for (std::size_t k = 0; k < terms_[m].columns.size(); ++k) {
        const double frequency = pi * terms_[m].frequencies[k], x = frequency * u[terms_[m].columns[k]];
        norm += frequency * frequency;
        factor(m, k) = {std::cos(x), -frequency * std::sin(x), -frequency * frequency * std::cos(x)};
      }
      height_[m] = front_[m] = terms_[m].amplitude * std::exp(-0.5 * norm * time * time);
    }
    finish();
  }
};

// (k + 1/2) / 2^52 with k of 52 random bits: never 0 or 1, and ties between rows are out of the question.
double fine_uniform(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 20) | (low >> 12);
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

class ProductCopula : public ClosedForm {
 public:
  ProductCopula(std::size_t dim, std::vector<Term> terms) : dim_(dim), terms_(std::move(terms)) {
    for (const Term& term : terms_) {
      bound_ += std::abs(term.amplitude);
      if (term.columns.size() < 2) throw Error("VALUE", "a term of one column would change its margin");
      for (std::size_t column : term.columns)
        if (column >= dim) throw Error("SHAPE", "column " + std::to_string(column) + " of another dimension");
    }
    if (!(bound_ <= 1 + 1e-12)) throw Error("VALUE", "the density would be negative somewhere");
  }
  std::size_t dim() const override { return dim_; }

  // Rejection from uniform rows; a row's attempts are steps of its own counter, so it depends on no other
  // row.
  void draw(std::uint64_t seed, std::uint64_t row, double* z) const override {
    const PhiloxKey key = philox_key(seed);
    for (std::uint64_t attempt = 0;; ++attempt) {
      double height = 0;
      for (std::size_t j = 0; j <= dim_; j += 2) {
        const PhiloxBlock b =
            philox(philox_counter(row, static_cast<std::uint32_t>(j / 2), attempt, kTagClosedForm), key);
        for (std::size_t k = 0; k < 2 && j + k <= dim_; ++k) {
          const double u = k ? fine_uniform(b.z, b.w) : fine_uniform(b.x, b.y);
          (j + k < dim_ ? z[j + k] : height) = u;
        }
      }
      if (height * (1 + bound_) < density(z)) break;
    }
    for (std::size_t j = 0; j < dim_; ++j) z[j] = normal_quantile(z[j]);
  }

  double log_density(const double* x, bool from_gaussian) const override {
    std::vector<double> u(x, x + dim_);
    if (from_gaussian)
      for (double& value : u) value = normal_cdf(value);
    return std::log(density(u.data()));
  }

 protected:
  virtual double density(const double* u) const = 0;
  std::size_t dim_;
  std::vector<Term> terms_;
  double bound_ = 0;
};

class FgmCopula final : public ProductCopula {
 public:
  using ProductCopula::ProductCopula;
  bool has(Process process) const override {
    return process == Process::ou || process == Process::reflection || process == Process::jacobi;
  }
  std::unique_ptr<ClosedFormRow> make_row(Process process) const override {
    switch (process) {
      case Process::ou:
        return std::make_unique<FgmOuRow>(terms_, dim_);
      case Process::reflection:
        return std::make_unique<FgmReflectionRow>(terms_, dim_);
      case Process::jacobi:
        return std::make_unique<FgmJacobiRow>(terms_, dim_);
    }
    return nullptr;
  }

 protected:
  double density(const double* u) const override {
    double product = terms_[0].amplitude;
    for (std::size_t column : terms_[0].columns) product *= 1 - 2 * u[column];
    return 1 + product;
  }
};

class CosineCopula final : public ProductCopula {
 public:
  using ProductCopula::ProductCopula;
  bool has(Process process) const override { return process == Process::reflection; }
  std::unique_ptr<ClosedFormRow> make_row(Process) const override {
    return std::make_unique<CosineRow>(terms_, dim_);
  }

 protected:
  double density(const double* u) const override {
    double sum = 1;
    for (const Term& term : terms_) {
      double product = term.amplitude;
      for (std::size_t k = 0; k < term.columns.size(); ++k)
        product *= std::cos(pi * term.frequencies[k] * u[term.columns[k]]);
      sum += product;
    }
    return sum;
  }
};

}  // namespace

std::shared_ptr<const ClosedForm> make_fgm(std::size_t dim, double theta, std::vector<std::size_t> columns) {
  return std::make_shared<FgmCopula>(dim, std::vector<Term>{{theta, std::move(columns), {}}});
}

std::shared_ptr<const ClosedForm> make_cosine(std::size_t dim, std::vector<double> amplitudes,
                                              std::vector<std::uint32_t> frequencies) {
  if (dim == 0 || amplitudes.empty() || frequencies.size() != amplitudes.size() * dim)
    throw Error("SHAPE", "a cosine copula needs dim frequencies for each amplitude");
  std::vector<Term> terms;
  for (std::size_t m = 0; m < amplitudes.size(); ++m) {
    Term term{amplitudes[m], {}, {}};
    for (std::size_t j = 0; j < dim; ++j)
      if (frequencies[m * dim + j]) {
        term.columns.push_back(j);
        term.frequencies.push_back(frequencies[m * dim + j]);
      }
    terms.push_back(std::move(term));
  }
  return std::make_shared<CosineCopula>(dim, std::move(terms));
}

}  // namespace sklar
