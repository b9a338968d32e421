#include "backend/scores.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "core/error.hpp"

namespace sklar {

std::vector<double> correlation_of_products(const std::vector<double>& products, double n, std::size_t dim) {
  const std::size_t width = dim + 1;
  std::vector<double> correlation(dim * dim), scale(dim);
  auto covariance = [&](std::size_t i, std::size_t j) {
    return products[i * width + j] / n - products[i * width + dim] / n * (products[j * width + dim] / n);
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

void products_of_scores(Backend<double>& backend, MatrixView<const double> z, std::vector<double>& to) {
  OuterProduct<double> product;
  product.segment[0] = {z, z};
  product.c = to.data();
  product.c_stride = z.columns;
  backend.outer(std::span<const OuterProduct<double>>(&product, 1));
}

std::vector<double> correlation_of_scores(Backend<double>& backend, MatrixView<const double> z) {
  std::vector<double> products(z.columns * z.columns);
  products_of_scores(backend, z, products);
  return correlation_of_products(products, static_cast<double>(z.rows), z.columns - 1);
}

}  // namespace sklar
