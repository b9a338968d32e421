#pragma once

// The epilogues of backend/operations/epilogue.hpp on four neighbouring columns at a time.
#include <float.h>

#include <type_traits>

#include "core/silu.h"
#include "launch.cuh"
#include "linear.h"
#include "squares.h"
#include "warp_mma.cuh"

namespace sklar::cuda {

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// One element of the product.
struct Element {
  const float (&given)[4];
  float (&result)[3];
  bool active;

  __device__ __forceinline__ float in(int i) const { return given[i]; }
  __device__ __forceinline__ void out(int i, float v) const { result[i] = v; }

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

SKLAR_HD_INLINE constexpr int outputs_of(Epilogue kind) {
  switch (kind) {
    case Epilogue::inner_silu_2:
    case Epilogue::outer_2:
      return 3;
    case Epilogue::inner_silu_1:
    case Epilogue::outer_1:
    case Epilogue::top_adjoint:
    case Epilogue::inner_adjoint_silu_2:
    case Epilogue::outer_adjoint:
    case Epilogue::inner_tangent_silu:
    case Epilogue::outer_tangent:
      return 2;
    default:
      return 1;
  }
}

// Four neighbouring values of a view as they are in memory.
template <bool half>
using Raw = std::conditional_t<half, uint2, float4>;

// Where four values stand: row and column, and in the squares of a matrix of so many columns.
struct Place {
  size_t row, column, square_at, inside;
  __device__ __forceinline__ Place(size_t r, size_t c, size_t across)
      : row(r),
        column(c),
        square_at(r / square * across + c / square),
        inside(in_square(r % square, c % square)) {}
  __device__ __forceinline__ size_t in(unsigned parts) const {
    return square_at * parts * square_values + inside;
  }
};

template <bool half, class T>
__device__ __forceinline__ Raw<half> read_raw(const MatrixView<T>& m, const Place& at) {
  if constexpr (half)
    return *reinterpret_cast<const uint2*>(m.half + at.in(m.half_parts));
  else
    return *reinterpret_cast<const float4*>(m.row(at.row) + at.column);
}
__device__ __forceinline__ void to_values(float (&v)[4], const float4& raw) {
  v[0] = raw.x;
  v[1] = raw.y;
  v[2] = raw.z;
  v[3] = raw.w;
}
__device__ __forceinline__ void to_values(float (&v)[4], const uint2& raw) {
  v[0] = half_value(raw.x, false);
  v[1] = half_value(raw.x, true);
  v[2] = half_value(raw.y, false);
  v[3] = half_value(raw.y, true);
}

// Rounded to 16 bits, with what that leaves where the matrix has a second part. Finite values beyond the
// range of fp16 are set to its end and counted.
__device__ __forceinline__ void write_half(uint16_t* to, unsigned parts, float (&v)[4], bool bf16,
                                           unsigned* saturated) {
  uint2 high;
  if (bf16) {
    high.x = pack2<Operand::bf16>(v[0], v[1]);
    high.y = pack2<Operand::bf16>(v[2], v[3]);
    *reinterpret_cast<uint2*>(to) = high;
    return;
  }
  if (fmaxf(fmaxf(fabsf(v[0]), fabsf(v[1])), fmaxf(fabsf(v[2]), fabsf(v[3]))) > half_end) {
    bool beyond = false;
    for (int i = 0; i < 4; ++i)
      if (fabsf(v[i]) > half_end && fabsf(v[i]) <= FLT_MAX) {
        v[i] = v[i] > 0 ? half_end : -half_end;
        beyond = true;
      }
    if (beyond && saturated) atomicAdd(saturated, 1u);
  }
  high.x = pack2<Operand::half>(v[0], v[1]);
  high.y = pack2<Operand::half>(v[2], v[3]);
  *reinterpret_cast<uint2*>(to) = high;
  if (parts < 2) return;
  uint2 low;
  low.x = pack2<Operand::half>((v[0] - half_value(high.x, false)) * low_scale,
                               (v[1] - half_value(high.x, true)) * low_scale);
  low.y = pack2<Operand::half>((v[2] - half_value(high.y, false)) * low_scale,
                               (v[3] - half_value(high.y, true)) * low_scale);
  *reinterpret_cast<uint2*>(to + square_values) = low;
}

__device__ __forceinline__ void write_one(uint16_t* to, unsigned parts, float v, bool bf16,
                                          unsigned* saturated) {
  if (bf16) {
    *to = static_cast<uint16_t>(pack2<Operand::bf16>(v, 0));
    return;
  }
  if (fabsf(v) > half_end && fabsf(v) <= FLT_MAX) {
    v = v > 0 ? half_end : -half_end;
    atomicAdd(saturated, 1u);
  }
  const uint32_t high = pack2<Operand::half>(v, 0);
  *to = static_cast<uint16_t>(high);
  if (parts > 1)
    to[square_values] =
        static_cast<uint16_t>(pack2<Operand::half>((v - half_value(high, false)) * low_scale, 0));
}

// The epilogue of one kind. kept: slopes are read in 16 bits, else as plain values; terms of sums always are.
template <Epilogue kind, bool kept>
struct Finisher {
  static constexpr int inputs = epilogue_inputs(kind), outputs = outputs_of(kind);
  static constexpr int terms = epilogue_adds(kind) ? 1 : 0;

  struct Inputs {
    float4 term[1];
    Raw<kept> slope[inputs - terms > 0 ? inputs - terms : 1];
  };

  const Finish& f;
  float bias[4];

  // for four columns
  __device__ __forceinline__ Finisher(const Finish& finish, size_t column) : f(finish) {
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) bias[j] = f.e.bias ? f.e.bias[column + j] : 0.0f;
  }

  __device__ __forceinline__ void read(Inputs& in, const Place& at) const {
    if constexpr (terms > 0) in.term[0] = read_raw<false>(f.e.in[0], at);
#pragma unroll
    for (int i = terms; i < inputs; ++i) in.slope[i - terms] = read_raw<kept>(f.e.in[i], at);
  }
  __device__ __forceinline__ void write(const Inputs& in, const Place& at, const float (&acc)[4]) const {
    float given[4][4], result[3][4];
    if constexpr (terms > 0) to_values(given[0], in.term[0]);
#pragma unroll
    for (int i = terms; i < inputs; ++i) to_values(given[i], in.slope[i - terms]);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float of[4], out[3];
#pragma unroll
      for (int i = 0; i < inputs; ++i) of[i] = given[i][j];
      Element{of, out, at.row < f.e.active}.template finish<kind>(acc[j] + bias[j]);
#pragma unroll
      for (int i = 0; i < outputs; ++i) result[i][j] = out[i];
    }
#pragma unroll
    for (int i = 0; i < outputs; ++i) {
      const auto& out = f.e.out[i];
      if (out.data)
        *reinterpret_cast<float4*>(out.row(at.row) + at.column) =
            make_float4(result[i][0], result[i][1], result[i][2], result[i][3]);
      if (out.half)
        write_half(out.half + at.in(out.half_parts), out.half_parts, result[i], f.bf16, f.saturated);
    }
  }

  // One element, for edges and for rows that do not begin at 16 bytes.
  static __device__ __forceinline__ void one(const Finish& f, size_t row, size_t column, float acc) {
    const Place at(row, column, squares_along(f.columns));
    float of[4], out[3];
#pragma unroll
    for (int i = 0; i < inputs; ++i) {
      const auto& in = f.e.in[i];
      of[i] = kept && i >= terms ? half_value(in.half[at.in(in.half_parts)], false) : in.row(row)[column];
    }
    if (f.e.bias) acc += f.e.bias[column];
    Element{of, out, row < f.e.active}.template finish<kind>(acc);
#pragma unroll
    for (int i = 0; i < outputs; ++i) {
      const auto& to = f.e.out[i];
      if (to.data) to.row(row)[column] = out[i];
      if (to.half) write_one(to.half + at.in(to.half_parts), to.half_parts, out[i], f.bf16, f.saturated);
    }
  }
};

// Which epilogues a kernel has: all, or those of the forward pass; slopes as plain values, in 16 bits, or
// both.
struct Variants {
  bool backward = true, plain = true, kept = true;
};

// body(Finisher type) for the kind of f.
template <Variants variants, class Body>
__device__ __forceinline__ void with_finisher(const Finish& f, Body body) {
  switch (f.e.kind) {
#define SKLAR_CASE(name)                                                                                  \
  case Epilogue::name:                                                                                    \
    if constexpr (variants.backward || epilogue_is_forward(Epilogue::name)) {                             \
      constexpr bool slopes = epilogue_has_slopes(Epilogue::name);                                        \
      if constexpr (slopes && variants.kept)                                                              \
        if (f.kept || !variants.plain) return body(std::type_identity<Finisher<Epilogue::name, true>>{}); \
      if constexpr (!slopes || variants.plain)                                                            \
        return body(std::type_identity<Finisher<Epilogue::name, false>>{});                               \
    }                                                                                                     \
    return;
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

// A tile of the product in shared memory.
template <unsigned threads_, unsigned rows_, unsigned columns_, unsigned pitch_>
struct StagedTile {
  static constexpr unsigned threads = threads_, rows = rows_, columns = columns_, pitch = pitch_;
  static constexpr unsigned quads = columns / 4, step = threads / quads;
  static_assert(threads % quads == 0 && rows % (step * 4) == 0);
};

template <class Tile, class OneKind>
__device__ __forceinline__ void finish_staged(const float* tile, size_t row, size_t column, size_t rows,
                                              const Finish& f, OneKind) {
  using Kind = typename OneKind::type;
  if (f.wide && row + Tile::rows <= rows && column + Tile::columns <= f.columns) {
    const unsigned j = threadIdx.x % Tile::quads * 4, first = threadIdx.x / Tile::quads;
    const size_t across = squares_along(f.columns);
    const float* from = tile + first * Tile::pitch + j;
    const Kind finisher(f, column + j);
    constexpr unsigned batch = Kind::inputs > 0 ? 4 : 1;  // reads on their way
#pragma unroll 1
    for (unsigned i = first; i < Tile::rows; i += Tile::step * batch) {
      typename Kind::Inputs in[batch];
#pragma unroll
      for (unsigned b = 0; b < batch; ++b)
        finisher.read(in[b], Place(row + i + b * Tile::step, column + j, across));
#pragma unroll
      for (unsigned b = 0; b < batch; ++b) {
        float acc[4];
        to_values(acc, *reinterpret_cast<const float4*>(from + b * Tile::step * Tile::pitch));
        finisher.write(in[b], Place(row + i + b * Tile::step, column + j, across), acc);
      }
      from += Tile::step * batch * Tile::pitch;
    }
    return;
  }
#pragma unroll 1
  for (unsigned k = threadIdx.x; k < Tile::rows * Tile::columns; k += Tile::threads) {
    const unsigned i = k / Tile::columns, e = k % Tile::columns;
    if (row + i < rows && column + e < f.columns)
      Kind::one(f, row + i, column + e, tile[i * Tile::pitch + e]);
  }
}

// `tile` holds rows row.. and columns column.. of the product, which has `rows`.
template <class Tile, Variants variants>
__device__ __forceinline__ void finish_tile(const float* tile, size_t row, size_t column, size_t rows,
                                            const Finish& f) {
  with_finisher<variants>(f, [&](auto kind) { finish_staged<Tile>(tile, row, column, rows, f, kind); });
}

}  // namespace sklar::cuda
