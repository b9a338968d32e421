#pragma once

// What the wide products have in common: squares on their way to shared memory, and the fragments of a warp.
#include "async_copy.cuh"
#include "squares.h"
#include "warp_mma.cuh"

namespace sklar::cuda {

template <Operand operand_, unsigned row_squares_, unsigned column_squares_, unsigned warps_down,
          unsigned warps_across, unsigned stages_, unsigned parts_>
struct WideTile {
  static constexpr Operand operand = operand_;
  static constexpr unsigned row_squares = row_squares_, column_squares = column_squares_, parts = parts_,
                            stages = stages_;
  static constexpr unsigned rows = row_squares * square, columns = column_squares * square;
  static constexpr unsigned threads = warps_down * warps_across * warp_lanes;
  static constexpr unsigned warp_rows = rows / warps_down, warp_columns = columns / warps_across;
  static constexpr unsigned down = warp_rows / 16, across = warp_columns / 8;  // products of a warp and step
  static constexpr unsigned stage = (row_squares + column_squares) * parts * square_values;
  static constexpr unsigned pitch = columns + 8;  // of the sums in shared memory
  static constexpr size_t shared_bytes = stages * stage * sizeof(uint16_t) > rows* pitch * sizeof(float)
                                             ? stages* stage * sizeof(uint16_t)
                                             : rows* pitch * sizeof(float);
  static_assert(warp_rows <= square && warp_columns <= square && warp_columns % 16 == 0);

  // where the squares of a stage stand
  SKLAR_HD_INLINE static constexpr unsigned left(unsigned s) { return s * parts * square_values; }
  SKLAR_HD_INLINE static constexpr unsigned right(unsigned s) {
    return (row_squares + s) * parts * square_values;
  }
};

// This warp's part of a tile.
template <class Tile>
struct WarpPart {
  unsigned lane, row, column;
  __device__ __forceinline__ WarpPart() {
    constexpr unsigned warps_across = Tile::columns / Tile::warp_columns;
    const unsigned warp = threadIdx.x / warp_lanes;
    lane = threadIdx.x % warp_lanes;
    row = warp / warps_across * Tile::warp_rows;
    column = warp % warps_across * Tile::warp_columns;
  }
};

// Of a square, where a thread's copies are counted from: half of them are then within the 2 KiB that an
// asynchronous copy adds to an address by itself.
template <unsigned threads>
__device__ __forceinline__ const uint16_t* copies_from(const uint16_t* square_at) {
  return square_at + (threadIdx.x + threads) * 8;
}
// A square as it is; every thread its pieces, of rows threadIdx.x / 8 and so many further on. `from`:
// copies_from it.
template <unsigned threads>
__device__ __forceinline__ void copy_square(uint16_t* to, const uint16_t* from) {
  to += threadIdx.x * 8;
#pragma unroll
  for (int i = 0; i < static_cast<int>(square_values / 8 / threads); ++i)
    copy_async_16(to + i * static_cast<int>(threads) * 8, from + (i - 1) * static_cast<int>(threads) * 8);
}
// Rows from `rows` on are zero.
template <unsigned threads>
__device__ __forceinline__ void copy_square(uint16_t* to, const uint16_t* from, unsigned rows) {
  to += threadIdx.x * 8;
#pragma unroll
  for (int i = 0; i < static_cast<int>(square_values / 8 / threads); ++i)
    copy_async_16(to + i * static_cast<int>(threads) * 8, from + (i - 1) * static_cast<int>(threads) * 8,
                  threadIdx.x / 8 + static_cast<unsigned>(i) * (threads / 8) < rows ? 16 : 0);
}

// acc[i][j] += the i-th 16 rows times the j-th 8 columns
template <class Tile>
__device__ __forceinline__ void multiply_all(float (&acc)[Tile::down][Tile::across][4],
                                             const uint32_t (&a)[Tile::down][4],
                                             const uint32_t (&b)[Tile::across / 2][4]) {
#pragma unroll
  for (unsigned i = 0; i < Tile::down; ++i)
#pragma unroll
    for (unsigned j = 0; j < Tile::across; ++j)
      multiply_add<Tile::operand>(acc[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
}

template <class Tile>
__device__ __forceinline__ void stage_sums(float* to, const float (&acc)[Tile::down][Tile::across][4],
                                           const WarpPart<Tile>& w) {
  float* at = to + (w.row + w.lane / 4) * Tile::pitch + w.column + w.lane % 4 * 2;
#pragma unroll
  for (unsigned i = 0; i < Tile::down; ++i)
#pragma unroll
    for (unsigned j = 0; j < Tile::across; ++j) {
      *reinterpret_cast<float2*>(at + 16 * i * Tile::pitch + 8 * j) = make_float2(acc[i][j][0], acc[i][j][1]);
      *reinterpret_cast<float2*>(at + (16 * i + 8) * Tile::pitch + 8 * j) =
          make_float2(acc[i][j][2], acc[i][j][3]);
    }
}

}  // namespace sklar::cuda
