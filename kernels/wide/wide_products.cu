// x B by mma.sync. Squares of both factors come to shared memory as they are, three or four stages ahead;
// the loop has no checks, since squares are whole.
#include "epilogue.cuh"
#include "wide/wide.h"
#include "wide/wide_fragments.cuh"

namespace sklar::cuda {
namespace {

template <Arithmetic arithmetic, TileSize size>
struct TileOf {
  using type = WideTile<arithmetic == Arithmetic::bf16 ? Operand::bf16 : Operand::half, 1, 1, 2, 2, 4, 1>;
};
template <>
struct TileOf<Arithmetic::half, TileSize::large> {
  using type = WideTile<Operand::half, 2, 2, 2, 2, 3, 1>;
};
template <>
struct TileOf<Arithmetic::three_products, TileSize::small> {
  using type = WideTile<Operand::half, 1, 1, 2, 2, 3, 2>;
};
template <>
struct TileOf<Arithmetic::three_products, TileSize::large> {
  using type = WideTile<Operand::half, 2, 1, 4, 2, 3, 2>;
};
template <Arithmetic arithmetic, TileSize size>
using Tile = typename TileOf<arithmetic, size>::type;

struct WideOperands {
  Squares x, b;
  unsigned chunks;  // squares along the sums
  size_t rows;
};

// Of one stage: steps of 16 along the sums
template <class T>
__device__ __forceinline__ void multiply_stage(float (&acc)[T::down][T::across][4],
                                               float (&rest)[T::down][T::across][4], const uint16_t* stage,
                                               const unsigned (&left)[4],
                                               const unsigned (&right)[T::across / 2]) {
#pragma unroll
  for (unsigned k = 0; k < square / 16; ++k) {
    uint32_t a[T::down][4], b[T::across / 2][4];
#pragma unroll
    for (unsigned i = 0; i < T::down; ++i) load_matrices(a[i], stage + left[k] + i * 16 * square);
#pragma unroll
    for (unsigned j = 0; j < T::across / 2; ++j)
      load_matrices_transposed(b[j], stage + right[j] + k * 16 * square);
    multiply_all<T>(acc, a, b);
    if constexpr (T::parts == 2) {
      uint32_t low[T::across / 2][4];
#pragma unroll
      for (unsigned j = 0; j < T::across / 2; ++j)
        load_matrices_transposed(low[j], stage + right[j] + square_values + k * 16 * square);
      multiply_all<T>(rest, a, low);
#pragma unroll
      for (unsigned i = 0; i < T::down; ++i)
        load_matrices(a[i], stage + left[k] + square_values + i * 16 * square);
      multiply_all<T>(rest, a, b);
    }
  }
}

// nvcc has no kernels with parameters that are values of a class
template <class T, bool backward, bool plain, bool kept>
__global__ void __launch_bounds__(T::threads) wide_linear_kernel(const WideOperands p, const Finish finish) {
  if constexpr (!has_16_bit_products) return;
  SKLAR_SHARED(uint16_t, shared);
  const size_t row = static_cast<size_t>(blockIdx.y) * T::rows;
  const size_t column = static_cast<size_t>(blockIdx.x) * T::columns;
  const WarpPart<T> w;
  const size_t x_step = p.x.parts * square_values, b_step = p.b.across * p.b.parts * square_values;
  const uint16_t* x[T::row_squares];
  const uint16_t* b[T::column_squares];
#pragma unroll
  for (unsigned s = 0; s < T::row_squares; ++s)
    x[s] = copies_from<T::threads>(p.x.at + (row / square + s) * p.x.across * x_step);
#pragma unroll
  for (unsigned s = 0; s < T::column_squares; ++s)
    b[s] = copies_from<T::threads>(p.b.at + (column / square + s) * p.b.parts * square_values);
  const auto load = [&](uint16_t* stage) {
#pragma unroll
    for (unsigned part = 0; part < T::parts; ++part) {
#pragma unroll
      for (unsigned s = 0; s < T::row_squares; ++s)
        copy_square<T::threads>(stage + T::left(s) + part * square_values, x[s] + part * square_values);
#pragma unroll
      for (unsigned s = 0; s < T::column_squares; ++s)
        copy_square<T::threads>(stage + T::right(s) + part * square_values, b[s] + part * square_values);
    }
#pragma unroll
    for (unsigned s = 0; s < T::row_squares; ++s) x[s] += x_step;
#pragma unroll
    for (unsigned s = 0; s < T::column_squares; ++s) b[s] += b_step;
  };

  // of the fragments in a stage: pieces of a row are exchanged by its number, which is that of the lane
  unsigned left[4], right[T::across / 2];
#pragma unroll
  for (unsigned k = 0; k < 4; ++k)
    left[k] = T::left(w.row / square) + (w.row % square + w.lane % 16) * square +
              ((2 * k + w.lane / 16) ^ w.lane % 8) * 8;
#pragma unroll
  for (unsigned j = 0; j < T::across / 2; ++j)
    right[j] = T::right(w.column / square) + w.lane % 16 * square +
               ((w.column % square / 8 + 2 * j + w.lane / 16) ^ w.lane % 8) * 8;

  float acc[T::down][T::across][4] = {}, rest[T::down][T::across][4] = {};
#pragma unroll
  for (unsigned s = 0; s + 1 < T::stages; ++s) {
    if (s < p.chunks) load(shared + s * T::stage);
    commit_copies();
  }
  unsigned to_come = p.chunks;
#pragma unroll 1
  while (to_come > 0) {
    // a turn through all stages, so that their addresses are constants
#pragma unroll
    for (unsigned s = 0; s < T::stages; ++s) {
      wait_for_copies_but<T::stages - 2>();
      __syncthreads();  // this stage is here, and everybody is done with the one before
      if (to_come >= T::stages) load(shared + (s + T::stages - 1) % T::stages * T::stage);
      commit_copies();
      multiply_stage<T>(acc, rest, shared + s * T::stage, left, right);
      if (--to_come == 0) break;
    }
  }
  if constexpr (T::parts == 2)
#pragma unroll
    for (unsigned i = 0; i < T::down; ++i)
#pragma unroll
      for (unsigned j = 0; j < T::across; ++j)
#pragma unroll
        for (unsigned e = 0; e < 4; ++e) acc[i][j][e] += rest[i][j][e] * (1 / low_scale);
  __syncthreads();  // the result takes the place of the factors
  float* const sums = reinterpret_cast<float*>(shared);
  stage_sums<T>(sums, acc, w);
  __syncthreads();
  constexpr Variants variants{.backward = backward, .plain = plain, .kept = kept};
  finish_tile<StagedTile<T::threads, T::rows, T::columns, T::pitch>, variants>(sums, row, column, p.rows,
                                                                               finish);
}

template <Arithmetic arithmetic, TileSize size>
int launch(const WideOperands& operands, const Finish& given, void* stream) {
  using T = Tile<arithmetic, size>;
  constexpr Variants variants{.backward = arithmetic != Arithmetic::three_products,
                              .plain = size == TileSize::small,
                              .kept = arithmetic == Arithmetic::half};
  const auto kernel = &wide_linear_kernel<T, variants.backward, variants.plain, variants.kept>;
  if (const int status = allow_most_shared(reinterpret_cast<const void*>(kernel))) return status;
  const dim3 grid(static_cast<unsigned>((given.columns + T::columns - 1) / T::columns),
                  static_cast<unsigned>((operands.rows + T::rows - 1) / T::rows));
  const WideOperands p = operands;
  const Finish finish = given;
  SKLAR_LAUNCH(kernel, grid, T::threads, T::shared_bytes, stream, p, finish);
  return cudaGetLastError();
}

}  // namespace

size_t wide_shared_bytes(Arithmetic arithmetic, TileSize size) {
  const bool large = size == TileSize::large;
  switch (arithmetic) {
    case Arithmetic::half:
      return large ? Tile<Arithmetic::half, TileSize::large>::shared_bytes
                   : Tile<Arithmetic::half, TileSize::small>::shared_bytes;
    case Arithmetic::bf16:
      return Tile<Arithmetic::bf16, TileSize::small>::shared_bytes;
    case Arithmetic::three_products:
      break;
  }
  return large ? Tile<Arithmetic::three_products, TileSize::large>::shared_bytes
               : Tile<Arithmetic::three_products, TileSize::small>::shared_bytes;
}

int launch_wide_linear(const Squares& x, size_t rows, const Squares& b, size_t inner, Arithmetic arithmetic,
                       TileSize size, const Finish& finish, void* stream) {
  const WideOperands p{x, b, static_cast<unsigned>(squares_along(inner)), rows};
  const bool large = size == TileSize::large;
  switch (arithmetic) {
    case Arithmetic::half:
      return large ? launch<Arithmetic::half, TileSize::large>(p, finish, stream)
                   : launch<Arithmetic::half, TileSize::small>(p, finish, stream);
    case Arithmetic::bf16:
      return launch<Arithmetic::bf16, TileSize::small>(p, finish, stream);
    case Arithmetic::three_products:
      break;
  }
  return large ? launch<Arithmetic::three_products, TileSize::large>(p, finish, stream)
               : launch<Arithmetic::three_products, TileSize::small>(p, finish, stream);
}

}  // namespace sklar::cuda
