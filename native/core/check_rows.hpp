#pragma once

#include <cstddef>

namespace sklar {

// Rows must be finite and, on the copula scale, inside (0, 1); throws Error("VALUE") naming row and column.
void check_rows(const double* u, bool from_gaussian, std::size_t rows, std::size_t dim);
// The same of levels to learn from, NaN where one is missing; first: number of the first row.
void check_training_rows(const double* u, std::size_t rows, std::size_t dim, std::size_t first = 0);

}  // namespace sklar
