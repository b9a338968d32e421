#include "classical/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "backend/scores.hpp"
#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/linear/symmetric.hpp"
#include "core/random/philox.h"

namespace sklar {
namespace {

constexpr std::size_t batch_rows = 4096;

}  // namespace

std::vector<double> normal_scores_correlation(std::size_t threads, const double* u, const double* weights,
                                              std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  check_rows(u, false, rows, dim);
  auto backend = make_cpu_backend<double>(threads);
  Matrix<double> z = backend->matrix(batch_rows, dim + 1);
  const std::size_t width = dim + 1;  // the column of ones gives the sums
  std::vector<double> moments(width * width, 0.0), part(width * width);
  in_batches(rows, batch_rows, cancel, {}, [&](std::size_t first, std::size_t count) {
    backend->whiten(z.first(count), u + first * dim, false, nullptr, nullptr);
    for (std::size_t i = 0; weights && i < count; ++i)
      for (std::size_t j = 0; j < width; ++j) z.first(count).row(i)[j] *= std::sqrt(weights[first + i]);
    products_of_scores(*backend, z.first(count), part);
    for (std::size_t i = 0; i < moments.size(); ++i) moments[i] += part[i];
  });
  return correlation_of_products(moments, moments.back(), dim);
}

void gaussian_log_pdf(std::size_t threads, const std::vector<double>& l, const double* u, bool from_gaussian,
                      std::size_t rows, std::size_t dim, double* out, const CancelFlag& cancel) {
  auto backend = make_cpu_backend<double>(threads);
  Matrix<double> y = backend->matrix(std::min(batch_rows, rows), dim + 1);
  const double half = half_log_determinant(l.data(), dim);
  in_batches(rows, batch_rows, cancel, {}, [&](std::size_t first, std::size_t count) {
    backend->whiten(y.first(count), u + first * dim, from_gaussian, l.data(), out + first);
    for (std::size_t i = 0; i < count; ++i) out[first + i] -= half;
  });
}

void gaussian_sample(std::size_t threads, const std::vector<double>& l, std::size_t dim, std::size_t rows,
                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian, double* out,
                     const CancelFlag& cancel) {
  auto backend = make_cpu_backend<double>(threads);
  Matrix<double> y = backend->matrix(std::min(batch_rows, rows), dim + 1);
  in_batches(rows, batch_rows, cancel, {}, [&](std::size_t first, std::size_t count) {
    backend->normals({y.data(), count, dim, y.stride()}, seed, first_row + first, 0, kTagSampleStart);
    backend->colour(out + first * dim, y.first(count), to_gaussian, l.data(), nullptr);
  });
}

}  // namespace sklar
