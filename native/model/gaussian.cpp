#include "model/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/philox.h"

namespace sklar {
namespace {

constexpr std::size_t batch_rows = 4096;

template <class Body>
void in_batches(std::size_t rows, const CancelFlag& cancel, Body&& body) {
  for (std::size_t first = 0; first < rows; first += batch_rows) {
    cancel.check();
    body(first, std::min(batch_rows, rows - first));
  }
}

}  // namespace

double log_determinant_of_cholesky(const std::vector<double>& l, std::size_t dim) {
  double sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += std::log(l[i * dim + i]);
  return 2 * sum;
}

namespace {

// Of the sums of products of scores and a column of ones.
std::vector<double> correlation_of_moments(const std::vector<double>& moments, double n, std::size_t dim) {
  const std::size_t width = dim + 1;
  std::vector<double> correlation(dim * dim), scale(dim);
  auto covariance = [&](std::size_t i, std::size_t j) {
    return moments[i * width + j] / n - moments[i * width + dim] / n * (moments[j * width + dim] / n);
  };
  for (std::size_t i = 0; i < dim; ++i) {
    scale[i] = std::sqrt(covariance(i, i));
    if (!(scale[i] > 0)) throw Error("VALUE", "column " + std::to_string(i + 1) + " is constant");
  }
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j < dim; ++j)
      correlation[i * dim + j] =
          i == j ? 1.0
                 : std::clamp(covariance(std::max(i, j), std::min(i, j)) / (scale[i] * scale[j]), -1.0, 1.0);
  return correlation;
}

// to = z^T z
void products_of_scores(Backend<double>& backend, MatrixView<const double> z, std::vector<double>& to) {
  OuterProduct<double> product;
  product.segment[0] = {z, z};
  product.c = to.data();
  product.c_stride = z.columns;
  backend.outer(std::span<const OuterProduct<double>>(&product, 1));
}

}  // namespace

std::vector<double> correlation_of_scores(Backend<double>& backend, MatrixView<const double> z) {
  std::vector<double> moments(z.columns * z.columns);
  products_of_scores(backend, z, moments);
  return correlation_of_moments(moments, static_cast<double>(z.rows), z.columns - 1);
}

std::vector<double> normal_scores_correlation(std::size_t threads, const double* u, std::size_t rows,
                                              std::size_t dim, const CancelFlag& cancel) {
  check_rows(u, false, rows, dim);
  auto backend = make_cpu_backend<double>(threads);
  Matrix<double> z = backend->matrix(batch_rows, dim + 1);
  const std::size_t width = dim + 1;  // the column of ones gives the sums
  std::vector<double> moments(width * width, 0.0), part(width * width);
  in_batches(rows, cancel, [&](std::size_t first, std::size_t count) {
    backend->whiten(z.first(count), u + first * dim, false, nullptr, nullptr);
    products_of_scores(*backend, z.first(count), part);
    for (std::size_t i = 0; i < moments.size(); ++i) moments[i] += part[i];
  });
  return correlation_of_moments(moments, static_cast<double>(rows), dim);
}

void gaussian_log_pdf(std::size_t threads, const std::vector<double>& l, const double* u, bool from_gaussian,
                      std::size_t rows, std::size_t dim, double* out, const CancelFlag& cancel) {
  check_rows(u, from_gaussian, rows, dim);
  auto backend = make_cpu_backend<double>(threads);
  Matrix<double> y = backend->matrix(std::min(batch_rows, rows), dim + 1);
  const double half = 0.5 * log_determinant_of_cholesky(l, dim);
  in_batches(rows, cancel, [&](std::size_t first, std::size_t count) {
    backend->whiten(y.first(count), u + first * dim, from_gaussian, l.data(), out + first);
    for (std::size_t i = 0; i < count; ++i) out[first + i] -= half;
  });
}

void gaussian_sample(std::size_t threads, const std::vector<double>& l, std::size_t dim, std::size_t rows,
                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian, double* out,
                     const CancelFlag& cancel) {
  auto backend = make_cpu_backend<double>(threads);
  Matrix<double> y = backend->matrix(std::min(batch_rows, rows), dim + 1);
  in_batches(rows, cancel, [&](std::size_t first, std::size_t count) {
    backend->normals({y.data(), count, dim, y.stride()}, seed, first_row + first, 0, kTagSampleStart);
    backend->colour(out + first * dim, y.first(count), to_gaussian, l.data(), nullptr);
  });
}

void check_rows(const double* u, bool from_gaussian, std::size_t rows, std::size_t dim) {
  for (std::size_t i = 0; i < rows * dim; ++i) {
    const bool ok = from_gaussian ? std::isfinite(u[i]) : u[i] > 0 && u[i] < 1;
    if (!ok)
      throw Error("VALUE", std::string("expected ") +
                               (from_gaussian ? "finite values" : "values strictly between 0 and 1") +
                               ", got " + std::to_string(u[i]) + " (row " + std::to_string(i / dim + 1) +
                               ", column " + std::to_string(i % dim + 1) + ")");
  }
}

}  // namespace sklar
