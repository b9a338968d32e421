#pragma once

// The epilogues of backend/operations/epilogue.hpp on a tile of the product that lies in shared memory.
#include "backend/operations/operations.h"
#include "core/silu.h"
#include "launch.cuh"

namespace sklar::cuda {

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// One element of the product at offset `at` of the in and out arrays.
struct Element {
  const EpilogueOperands<float>& e;
  size_t at;
  bool active;

  __device__ __forceinline__ float in(int i) const { return e.in[i].data[at]; }
  __device__ __forceinline__ void out(int i, float v) const { e.out[i].data[at] = v; }

  template <int order>
  __device__ __forceinline__ void silu(float x) const {
    const float g = sigmoid(x);
    out(0, silu_0<float>(x, g));
    if constexpr (order >= 1) out(1, silu_1<float>(x, g));
    if constexpr (order >= 2) out(2, silu_2<float>(x, g));
  }

  template <Epilogue kind>
  __device__ __forceinline__ void finish(float acc) const {
    using E = Epilogue;
    if constexpr (kind == E::store) out(0, acc);
    if constexpr (kind == E::inner_relu) out(0, acc > 0 ? acc : 0.0f);
    if constexpr (kind == E::inner_silu) silu<0>(acc);
    if constexpr (kind == E::inner_silu_1) silu<1>(acc);
    if constexpr (kind == E::inner_silu_2) silu<2>(acc);
    if constexpr (kind == E::outer) silu<0>(acc + in(0));
    if constexpr (kind == E::outer_1) silu<1>(acc + in(0));
    if constexpr (kind == E::outer_2) silu<2>(acc + in(0));
    if constexpr (kind == E::top_adjoint) {
      out(0, acc);
      out(1, acc * in(0));
    }
    if constexpr (kind == E::inner_adjoint_relu || kind == E::inner_tangent_relu ||
                  kind == E::inner_second_relu)
      out(0, in(0) > 0 ? acc : 0.0f);
    if constexpr (kind == E::inner_adjoint_silu) out(0, acc * in(0));
    if constexpr (kind == E::inner_adjoint_silu_2) {
      out(0, acc * in(0));
      out(1, acc);
    }
    if constexpr (kind == E::outer_adjoint) {
      const float lambda = in(0) + acc;
      out(0, lambda);
      out(1, in(1) * lambda);
    }
    if constexpr (kind == E::bottom_adjoint || kind == E::bottom_second || kind == E::accumulate)
      out(0, in(0) + acc);
    if constexpr (kind == E::inner_tangent_silu) {
      const float f1 = in(0), source = in(1) * in(2) * acc;
      out(0, f1 * acc);
      out(1, source);
    }
    if constexpr (kind == E::outer_tangent) {
      const float z = acc + in(0), s1 = in(1), source = in(2) * in(3) * z;
      out(0, s1 * z);
      out(1, source);
    }
    if constexpr (kind == E::top_second || kind == E::inner_second_silu)
      out(0, active ? in(0) * acc + in(1) : in(0) * acc);
    if constexpr (kind == E::outer_second) {
      const float m = in(1) * (in(0) + acc);
      out(0, active ? m + in(2) : m);
    }
  }
};

template <Epilogue kind>
__device__ __forceinline__ void finish_elements(const float* tile, unsigned tile_stride, unsigned tile_rows,
                                                unsigned tile_columns, size_t row, size_t column, size_t rows,
                                                size_t columns, const EpilogueOperands<float>& e) {
#pragma unroll 1
  for (unsigned k = threadIdx.x; k < tile_rows * tile_columns; k += blockDim.x) {
    const unsigned i = k / tile_columns, j = k % tile_columns;
    if (row + i >= rows || column + j >= columns) continue;
    float acc = tile[i * tile_stride + j];
    if (e.bias) acc += e.bias[column + j];
    Element{e, (row + i) * e.out[0].stride + column + j, row + i < e.active}.template finish<kind>(acc);
  }
}

// `tile` holds rows row.. and columns column.. of the product; rows and columns are those of the whole.
__device__ __forceinline__ void finish_tile(const float* tile, unsigned tile_stride, unsigned tile_rows,
                                            unsigned tile_columns, size_t row, size_t column, size_t rows,
                                            size_t columns, const EpilogueOperands<float>& e) {
  switch (e.kind) {
#define SKLAR_CASE(name)                                                                                  \
  case Epilogue::name:                                                                                    \
    return finish_elements<Epilogue::name>(tile, tile_stride, tile_rows, tile_columns, row, column, rows, \
                                           columns, e);
    SKLAR_CASE(store)
    SKLAR_CASE(inner_relu)
    SKLAR_CASE(inner_silu)
    SKLAR_CASE(inner_silu_1)
    SKLAR_CASE(inner_silu_2)
    SKLAR_CASE(outer)
    SKLAR_CASE(outer_1)
    SKLAR_CASE(outer_2)
    SKLAR_CASE(top_adjoint)
    SKLAR_CASE(inner_adjoint_relu)
    SKLAR_CASE(inner_adjoint_silu)
    SKLAR_CASE(inner_adjoint_silu_2)
    SKLAR_CASE(outer_adjoint)
    SKLAR_CASE(bottom_adjoint)
    SKLAR_CASE(inner_tangent_relu)
    SKLAR_CASE(inner_tangent_silu)
    SKLAR_CASE(outer_tangent)
    SKLAR_CASE(top_second)
    SKLAR_CASE(inner_second_relu)
    SKLAR_CASE(inner_second_silu)
    SKLAR_CASE(outer_second)
    SKLAR_CASE(bottom_second)
    SKLAR_CASE(accumulate)
#undef SKLAR_CASE
    case Epilogue::count:
      return;
  }
}

}  // namespace sklar::cuda
