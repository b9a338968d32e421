#include "core/check_rows.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"

namespace sklar {

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
