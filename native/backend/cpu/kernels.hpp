#pragma once

// The CPU's matrix products with fused epilogues. One source (kernels.inl) is compiled once for each
// instruction set; the table of the best one that the processor has is chosen at run time. This header is
// read by files that are compiled with extra instruction-set flags: it must not pull in inline functions of
// the standard library, or the linker could keep an AVX-512 copy of one for everybody.

#include <stddef.h>

#include "backend/operations/epilogue.hpp"

namespace sklar::cpu {

template <class T>
struct EpilogueArguments {
  Epilogue kind = Epilogue::store;
  const T* bias = nullptr;  // a value for each column, or null
  const T* in[4] = {};
  T* out[3] = {};
  size_t stride = 0;  // of every in and out
  size_t active =
      ~size_t{0};  // rows from here on have no second-order source (their terms of a tangent are zero)
};

// y = x B, B packed in panels [panel][k][tile_columns]
template <class T>
struct LinearCall {
  const T* x;
  size_t x_stride;
  const T* panels;
  size_t inner;    // length of the sums
  size_t columns;  // of y
  EpilogueArguments<T> epilogue;
};

// C = sum over segments of A^T B; rows of A and B are the summed index
template <class T>
struct OuterSegment {
  const T* a;
  size_t a_stride;
  const T* b;
  size_t b_stride;
  size_t length;
};

template <class T>
struct OuterCall {
  OuterSegment<T> segment[2];
  int segments;
  size_t rows, columns;  // of C
  T* c;
  size_t c_stride;
  T* column_sums;  // of segment 0's A (a bias gradient), or null
};

template <class T>
struct KernelTable {
  const char* name;
  size_t tile_rows, tile_columns;
  // scratch: linear_scratch elements
  void (*linear)(const LinearCall<T>&, size_t row_begin, size_t row_end, T* scratch);
  // rows [row_begin, row_end) and columns [column_begin, column_end) of C; column_begin a multiple of
  // tile_columns
  void (*outer)(const OuterCall<T>&, size_t row_begin, size_t row_end, size_t column_begin, size_t column_end,
                T* scratch);
  // packs B[k][n] = w[k * stride + n] (transposed: w[n * stride + k]) for panels [panel_begin, panel_end)
  void (*pack)(const T* w, size_t stride, size_t inner, size_t columns, bool transposed, size_t panel_begin,
               size_t panel_end, T* panels);
};

inline constexpr size_t linear_chunk_rows = 96;  // a multiple of every tile height
inline constexpr size_t inner_block =
    256;  // sums are cut here: fixed, so that results do not depend on threads
inline constexpr size_t outer_block_rows = 192;
inline constexpr size_t outer_block_columns = 512;
inline constexpr size_t outer_block_inner = 128;
inline constexpr size_t max_tile_columns = 32, max_tile_rows = 12;

inline constexpr size_t linear_scratch = linear_chunk_rows * max_tile_columns;
inline constexpr size_t outer_scratch =
    outer_block_rows * outer_block_columns  // C
                                            // what is left of A and B beside whole tiles
    + outer_block_inner * (max_tile_columns + max_tile_rows);

template <class T>
const KernelTable<T>& baseline_kernels();
template <class T>
const KernelTable<T>& avx2_kernels();
template <class T>
const KernelTable<T>& avx512_kernels();

}  // namespace sklar::cpu
