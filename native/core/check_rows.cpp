#include "core/check_rows.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"

namespace sklar {

namespace {

template <class Fits>
void expect_all(const double* u, bool from_gaussian, std::size_t rows, std::size_t dim, std::size_t first,
                Fits&& fits) {
  for (std::size_t i = 0; i < rows * dim; ++i) {
    if (!fits(u[i]))
      throw Error("VALUE", std::string("expected ") +
                               (from_gaussian ? "finite values" : "values strictly between 0 and 1") +
                               ", got " + std::to_string(u[i]) + " (row " +
                               std::to_string(first + i / dim + 1) + ", column " +
                               std::to_string(i % dim + 1) + ")");
  }
}

}  // namespace

void check_rows(const double* u, bool from_gaussian, std::size_t rows, std::size_t dim) {
  expect_all(u, from_gaussian, rows, dim, 0,
             [&](double x) { return from_gaussian ? std::isfinite(x) : x > 0 && x < 1; });
}

void check_training_rows(const double* u, std::size_t rows, std::size_t dim, std::size_t first) {
  expect_all(u, false, rows, dim, first, [](double x) { return std::isnan(x) || (x > 0 && x < 1); });
}

}  // namespace sklar
