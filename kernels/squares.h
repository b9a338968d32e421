// How matrices lie in memory in 16 bits. Plain C++, for host and device.
#pragma once

#include "core/linear/matrix.hpp"

namespace sklar::cuda {

// Squares of 64 x 64 values, each of 8 KiB on end, those beside each other first. The eight pieces of 16
// bytes of row r of a square stand in the order piece ^ r % 8: a square is copied to shared memory as it is,
// and ldmatrix finds no bank conflicts there. Where values have a second part, the square of what the first
// part left, times 2^11, follows its own. What lies beyond the matrix is zero in its rows, and memory.
constexpr size_t square = 64;
constexpr size_t square_values = square * square;

SKLAR_HD_INLINE constexpr size_t squares_along(size_t length) { return (length + square - 1) / square; }
SKLAR_HD_INLINE constexpr size_t even(size_t count) { return (count + 1) / 2 * 2; }

/// Elements of activations: tiles of 128 rows may be read whole.
SKLAR_HD_INLINE constexpr size_t activation_halves(size_t rows, size_t columns, unsigned parts) {
  return even(squares_along(rows)) * squares_along(columns) * parts * square_values;
}
/// Elements of the right factor of a product: tiles of 128 columns may be read whole.
SKLAR_HD_INLINE constexpr size_t factor_halves(size_t inner, size_t columns, unsigned parts) {
  return squares_along(inner) * even(squares_along(columns)) * parts * square_values;
}

/// Where a value of row r and column c of a square stands in it.
SKLAR_HD_INLINE constexpr size_t in_square(size_t r, size_t c) {
  return r * square + ((c / 8 ^ r % 8) * 8) + c % 8;
}
/// Where the first part of a value stands; `across`: squares beside each other.
SKLAR_HD_INLINE constexpr size_t in_squares(size_t row, size_t column, size_t across, unsigned parts) {
  return (row / square * across + column / square) * parts * square_values +
         in_square(row % square, column % square);
}

struct Squares {
  const uint16_t* at = nullptr;
  size_t across = 0;
  unsigned parts = 0;
};

}  // namespace sklar::cuda
