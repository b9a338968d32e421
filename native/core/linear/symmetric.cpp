#include "core/linear/symmetric.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/linear/dot.hpp"

namespace sklar {
namespace {

double off_diagonal(const std::vector<double>& a, std::size_t dim) {
  double sum = 0;
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j < i; ++j) sum += a[i * dim + j] * a[i * dim + j];
  return sum;
}

}  // namespace

std::vector<double> cholesky(const std::vector<double>& a, std::size_t dim) {
  std::vector<double> l(dim * dim, 0.0);
  for (std::size_t i = 0; i < dim; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double sum = a[i * dim + j] - dot(&l[i * dim], &l[j * dim], j);
      if (i != j) {
        l[i * dim + j] = sum / l[j * dim + j];
      } else if (sum > 0) {
        l[i * dim + i] = std::sqrt(sum);
      } else {
        throw Error("VALUE", "the correlation matrix is not positive definite (column " +
                                 std::to_string(i + 1) + " is a linear function of the columns before it)");
      }
    }
  }
  return l;
}

// Of Sigma = L L^T (docs/mathematics.md, A.2)
double half_log_determinant(const double* l, std::size_t dim) {
  double sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += std::log(l[i * dim + i]);
  return sum;
}

std::vector<double> inverse_of_cholesky(const std::vector<double>& l, std::size_t dim) {
  std::vector<double> inverse(dim * dim, 0.0);
  for (std::size_t i = 0; i < dim; ++i) {
    double* const row = &inverse[i * dim];
    row[i] = 1;
    for (std::size_t k = 0; k < i; ++k)
      for (std::size_t j = 0; j <= k; ++j) row[j] -= l[i * dim + k] * inverse[k * dim + j];
    for (std::size_t j = 0; j <= i; ++j) row[j] /= l[i * dim + i];
  }
  return inverse;
}

SymmetricEigen symmetric_eigen(std::vector<double> a, std::size_t dim) {
  std::vector<double> q(dim * dim, 0.0);  // rows are the eigenvectors until the end
  double scale = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    q[i * dim + i] = 1;
    scale += a[i * dim + i] * a[i * dim + i];
  }
  auto rotate = [&](double& x, double& y, double c, double s) {
    const double before = x;
    x = c * before - s * y;
    y = s * before + c * y;
  };
  // convergence is quadratic: far fewer sweeps than the limit
  for (int sweep = 0; sweep < 60 && off_diagonal(a, dim) > 1e-34 * scale; ++sweep)
    for (std::size_t p = 0; p < dim; ++p)
      for (std::size_t r = p + 1; r < dim; ++r) {
        const double apr = a[p * dim + r];
        if (std::abs(apr) < 1e-300) continue;
        const double theta = 0.5 * (a[r * dim + r] - a[p * dim + p]) / apr;
        const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1 / std::hypot(t, 1.0), s = t * c;
        for (std::size_t k = 0; k < dim; ++k) rotate(a[k * dim + p], a[k * dim + r], c, s);
        for (std::size_t k = 0; k < dim; ++k) rotate(a[p * dim + k], a[r * dim + k], c, s);
        for (std::size_t k = 0; k < dim; ++k) rotate(q[p * dim + k], q[r * dim + k], c, s);
      }
  SymmetricEigen result{std::vector<double>(dim), std::vector<double>(dim * dim)};
  for (std::size_t i = 0; i < dim; ++i) {
    result.values[i] = a[i * dim + i];
    for (std::size_t k = 0; k < dim; ++k) result.vectors[k * dim + i] = q[i * dim + k];
  }
  return result;
}

}  // namespace sklar
