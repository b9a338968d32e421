// What the tests of conditional sampling share: exact conditional laws, and spreads of independent runs.
#pragma once

#include "check.hpp"
#include "paths.hpp"

namespace laws {

using namespace closed_form;

// Sanitizers see in 10 columns what they would in 200, which take minutes with them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

// Mean of what independent runs found, and its standard error by their spread.
struct Spread {
  Vector values;
  double mean() const {
    double sum = 0;
    for (double v : values) sum += v;
    return sum / static_cast<double>(values.size());
  }
  double error() const {
    double squares = 0;
    for (double v : values) squares += (v - mean()) * (v - mean());
    const double n = static_cast<double>(values.size());
    return std::sqrt(squares / (n - 1) / n);
  }
  double score(double exact) const { return (mean() - exact) / error(); }
};

template <class F>
double mean_over(const Vector& z, std::size_t dim, F&& f) {
  double sum = 0;
  for (std::size_t i = 0; i < z.size(); i += dim) sum += f(&z[i]);
  return sum / static_cast<double>(z.size() / dim);
}

// z_B given z_A = a under N(0, R); `rest` lists B.
struct GaussianConditional {
  std::vector<std::size_t> rest;
  Vector mean;
  Square covariance;
  double log_density_ratio;  // log N(a; 0, R_AA) - log N(a; 0, I)

  GaussianConditional(const Square& r, const std::vector<std::size_t>& given, const Vector& a) {
    for (std::size_t i = 0; i < r.dim; ++i)
      if (std::find(given.begin(), given.end(), i) == given.end()) rest.push_back(i);
    Square aa(given.size());
    for (std::size_t i = 0; i < given.size(); ++i)
      for (std::size_t j = 0; j < given.size(); ++j) aa(i, j) = r(given[i], given[j]);
    const Square x = inverse(aa);
    const Vector pulled = apply(x, a.data());
    log_density_ratio = -0.5 * log_determinant(aa);
    for (std::size_t i = 0; i < a.size(); ++i) log_density_ratio += 0.5 * a[i] * (a[i] - pulled[i]);
    covariance = Square(rest.size());
    for (std::size_t i = 0; i < rest.size(); ++i) {
      double m = 0;
      for (std::size_t k = 0; k < given.size(); ++k) m += r(rest[i], given[k]) * pulled[k];
      mean.push_back(m);
      for (std::size_t j = 0; j < rest.size(); ++j) {
        covariance(i, j) = r(rest[i], rest[j]);
        for (std::size_t k = 0; k < given.size(); ++k)
          for (std::size_t l = 0; l < given.size(); ++l)
            covariance(i, j) -= r(rest[i], given[k]) * x(k, l) * r(rest[j], given[l]);
      }
    }
  }
};

// Correlation of a few common factors
inline Square factor_correlation(std::size_t d, std::size_t factors, std::uint64_t seed) {
  const Vector loading = normals(d, factors, seed);
  Square r(d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) {
      double sum = i == j ? static_cast<double>(factors) : 0;
      for (std::size_t k = 0; k < factors; ++k) sum += loading[i * factors + k] * loading[j * factors + k];
      r(i, j) = sum;
    }
  Square scaled(d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) scaled(i, j) = r(i, j) / std::sqrt(r(i, i) * r(j, j));
  return scaled;
}

// `count` different columns and values for them
inline void draw_condition(std::size_t d, std::size_t count, std::uint64_t seed,
                           std::vector<std::size_t>& columns, Vector& values) {
  const Vector key = normals(d, 2, seed);
  std::vector<std::size_t> order(d);
  for (std::size_t i = 0; i < d; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return key[2 * i] < key[2 * j]; });
  columns.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
  values.clear();
  for (std::size_t c : columns) values.push_back(0.8 * key[2 * c + 1]);
}

}  // namespace laws
