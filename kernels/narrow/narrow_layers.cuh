#pragma once

// The passes of a narrow network over 16 rows of a warp. A result of a product (fragment c of mma.sync:
// element e of tile j is row lane / 4 + 8 (e / 2), column 8 j + 2 (lane % 4) + e % 2) is the next one's
// operand without leaving the registers: tiles 2 k and 2 k + 1 make fragment a of columns 16 k to 16 k + 15.
#include "core/silu.h"
#include "narrow/narrow.h"
#include "warp_mma.cuh"

namespace sklar::cuda {

struct alignas(16) Four {
  uint32_t pair[4];
};

__device__ __forceinline__ float to_half_range(float v, bool& saturated) {
  if (fabsf(v) > half_end) {
    saturated = true;
    v = copysignf(half_end, v);
  }
  return v;
}

// 16 rows rounded to fp16, and what is left of them.
template <unsigned width, bool three_products>
struct Rounded {
  uint32_t high[width / 16][4];
  uint32_t low[three_products ? width / 16 : 1][4];

  __device__ __forceinline__ void set(unsigned k, const float (&tile)[2][4], bool& saturated) {
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      const float a = to_half_range(tile[i / 2][i % 2 * 2], saturated);
      const float b = to_half_range(tile[i / 2][i % 2 * 2 + 1], saturated);
      high[k][i] = pack2<Operand::half>(a, b);
      if constexpr (three_products)
        low[k][i] = pack2<Operand::half>((a - half_value(high[k][i], false)) * low_scale,
                                         (b - half_value(high[k][i], true)) * low_scale);
    }
  }
};

// tile += x times columns 16 p to 16 p + 15 of W^T (or of W); w: rows of width + 8 in shared memory
template <unsigned width, bool three_products, bool transposed>
__device__ __forceinline__ void multiply(float (&tile)[2][4], const Rounded<width, three_products>& x,
                                         const uint16_t* w, const Four* low, unsigned p, unsigned lane) {
  constexpr unsigned pitch = width + 8;
  float rest[2][4] = {};
#pragma unroll
  for (unsigned k = 0; k < width / 16; ++k) {
    uint32_t b[4];
    if constexpr (transposed)
      load_matrices_transposed(b, w + (16 * k + lane % 16) * pitch + 16 * p + lane / 16 * 8);
    else
      load_matrices(b, w + (16 * p + lane % 8 + lane / 16 * 8) * pitch + 16 * k + lane / 8 % 2 * 8);
    multiply_add<Operand::half>(tile[0], x.high[k], b[0], b[1]);
    multiply_add<Operand::half>(tile[1], x.high[k], b[2], b[3]);
    if constexpr (three_products) {
      const Four other = low[(p * (width / 16) + k) * 32 + lane];
      multiply_add<Operand::half>(rest[0], x.high[k], other.pair[0], other.pair[1]);
      multiply_add<Operand::half>(rest[1], x.high[k], other.pair[2], other.pair[3]);
      multiply_add<Operand::half>(rest[0], x.low[k], b[0], b[1]);
      multiply_add<Operand::half>(rest[1], x.low[k], b[2], b[3]);
    }
  }
  if constexpr (three_products)
#pragma unroll
    for (int e = 0; e < 8; ++e) tile[e / 4][e % 4] += rest[e / 4][e % 4] * (1 / low_scale);
}

template <bool accurate>
__device__ __forceinline__ float fast_sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + (accurate ? expf(-x) : __expf(-x)));
}

// silu(x), and its derivative
template <bool accurate>
__device__ __forceinline__ float silu(float x, float& slope) {
  const float g = fast_sigmoid<accurate>(x);
  slope = silu_1<float>(x, g);
  return silu_0<float>(x, g);
}

// What a lane leaves of the derivatives of one activation in one block for the adjoint, pair by pair of
// tiles.
__device__ __forceinline__ Four pack_slopes(const float (&slope)[2][4]) {
  Four f;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    f.pair[i] = pack2<Operand::half>(slope[i / 2][i % 2 * 2], slope[i / 2][i % 2 * 2 + 1]);
  return f;
}
__device__ __forceinline__ float slope_of(const Four& f, int e) {
  return half_value(f.pair[e / 2], e % 2 != 0);
}

// The network as a warp sees it.
template <unsigned width, bool three_products, bool relu, bool levels>
struct NarrowPasses {
  static constexpr unsigned pairs = width / 16, pitch = width + 8, mask_words = (width + 63) / 64;

  const uint16_t* weights;  // W1, W2 of each block
  const Four* low;
  const float* biases;  // of the input projection, then of each matrix
  Four* outer;          // silu'(z) of each block and pair, a lane beside the other
  Four* inner;          // silu'(a); for ReLU bits: a > 0
  uint32_t depth;
  unsigned lane;
  bool saturated = false;

  // c += bias
  __device__ __forceinline__ void add_bias(float (&tile)[2][4], const float* bias, unsigned p) const {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const float2 b = *reinterpret_cast<const float2*>(bias + 16 * p + 8 * j + lane % 4 * 2);
#pragma unroll
      for (int e = 0; e < 4; ++e) tile[j][e] += e % 2 ? b.y : b.x;
    }
  }

  // h of the input projection becomes that of the last block
  __device__ __forceinline__ void forward(float (&h)[2 * pairs][4]) {
    Rounded<width, three_products> x, p;
#pragma unroll 1
    for (uint32_t l = 0; l < depth; ++l) {
      const uint16_t* const w = weights + 2 * l * width * pitch;
      const Four* const w_low = three_products ? low + 2 * l * pairs * pairs * 32 : nullptr;
      const float* const bias = biases + (2 * l + 1) * width;
      uint32_t mask[mask_words] = {};
#pragma unroll
      for (unsigned k = 0; k < pairs; ++k) {
        const float tile[2][4] = {{h[2 * k][0], h[2 * k][1], h[2 * k][2], h[2 * k][3]},
                                  {h[2 * k + 1][0], h[2 * k + 1][1], h[2 * k + 1][2], h[2 * k + 1][3]}};
        x.set(k, tile, saturated);
      }
#pragma unroll
      for (unsigned k = 0; k < pairs; ++k) {
        float tile[2][4] = {}, slope[2][4];
        multiply<width, three_products, false>(tile, x, w, w_low, k, lane);
        add_bias(tile, bias, k);
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          float& a = tile[e / 4][e % 4];
          if constexpr (relu) {
            const bool on = a > 0;
            if constexpr (levels) mask[k / 4] |= static_cast<uint32_t>(on) << (k % 4 * 8 + e);
            if (a <= 0) a = 0;
          } else {
            a = silu<three_products>(a, slope[e / 4][e % 4]);
          }
        }
        p.set(k, tile, saturated);
        if constexpr (levels && !relu) inner[(l * pairs + k) * 32 + lane] = pack_slopes(slope);
      }
      if constexpr (levels && relu)
#pragma unroll
        for (unsigned i = 0; i < mask_words; ++i)
          reinterpret_cast<uint32_t*>(inner)[(l * mask_words + i) * 32 + lane] = mask[i];
#pragma unroll
      for (unsigned k = 0; k < pairs; ++k) {
        float tile[2][4] = {}, slope[2][4];
        multiply<width, three_products, false>(
            tile, p, w + width * pitch, three_products ? w_low + pairs * pairs * 32 : nullptr, k, lane);
        add_bias(tile, bias + width, k);
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          float& z = h[2 * k + e / 4][e % 4];
          z = silu<three_products>(z + tile[e / 4][e % 4], slope[e / 4][e % 4]);
        }
        if constexpr (levels) outer[(l * pairs + k) * 32 + lane] = pack_slopes(slope);
      }
    }
  }

  // lambda of the last block becomes that of the input projection
  __device__ __forceinline__ void adjoint(float (&lambda)[2 * pairs][4]) {
    Rounded<width, false> mu, nu;
#pragma unroll 1
    for (uint32_t l = depth; l-- > 0;) {
      const uint16_t* const w = weights + 2 * l * width * pitch;
#pragma unroll
      for (unsigned k = 0; k < pairs; ++k) {
        const Four slope = outer[(l * pairs + k) * 32 + lane];
        float tile[2][4];
#pragma unroll
        for (int e = 0; e < 8; ++e) tile[e / 4][e % 4] = lambda[2 * k + e / 4][e % 4] *= slope_of(slope, e);
        mu.set(k, tile, saturated);
      }
#pragma unroll
      for (unsigned k = 0; k < pairs; ++k) {
        float tile[2][4] = {};
        multiply<width, false, true>(tile, mu, w + width * pitch, nullptr, k, lane);
        if constexpr (relu) {
          const uint32_t mask =
              reinterpret_cast<const uint32_t*>(inner)[(l * mask_words + k / 4) * 32 + lane] >> (k % 4 * 8);
#pragma unroll
          for (int e = 0; e < 8; ++e)
            if (!(mask >> e & 1)) tile[e / 4][e % 4] = 0;
        } else {
          const Four slope = inner[(l * pairs + k) * 32 + lane];
#pragma unroll
          for (int e = 0; e < 8; ++e) tile[e / 4][e % 4] *= slope_of(slope, e);
        }
        nu.set(k, tile, saturated);
      }
#pragma unroll
      for (unsigned k = 0; k < pairs; ++k) {
        float tile[2][4] = {};
        multiply<width, false, true>(tile, nu, w, nullptr, k, lane);
#pragma unroll
        for (int e = 0; e < 8; ++e) lambda[2 * k + e / 4][e % 4] += tile[e / 4][e % 4];
      }
    }
  }

  // h = bias + features W, in float32. w: a row of `width` for each input; x: 16 rows
  __device__ __forceinline__ void enter(float (&h)[2 * pairs][4], const float* w, const float* x,
                                        uint32_t x_pitch, uint32_t lifted, const float* feature,
                                        uint32_t features) const {
    const float* const column = w + lane % 4 * 2;
#pragma unroll
    for (unsigned j = 0; j < 2 * pairs; ++j) {
      const float2 b = *reinterpret_cast<const float2*>(biases + 8 * j + lane % 4 * 2);
      h[j][0] = h[j][2] = b.x;
      h[j][1] = h[j][3] = b.y;
    }
    // features of the time are the same for all rows
    auto add = [&](const float* row, float first, float second) {
#pragma unroll
      for (unsigned j = 0; j < 2 * pairs; ++j) {
        const float2 v = *reinterpret_cast<const float2*>(row + 8 * j);
        h[j][0] += first * v.x;
        h[j][1] += first * v.y;
        h[j][2] += second * v.x;
        h[j][3] += second * v.y;
      }
    };
#pragma unroll 1
    for (uint32_t i = 0; i < lifted; ++i)
      add(column + i * width, x[lane / 4 * x_pitch + i], x[(lane / 4 + 8) * x_pitch + i]);
#pragma unroll 1
    for (uint32_t i = 0; i < features; ++i) add(column + (lifted + i) * width, feature[i], feature[i]);
  }

  // out (16 rows of `count` columns) = bias + h W^T, in float32; bias may be null
  __device__ __forceinline__ void leave(float* out, uint32_t out_pitch, const float (&h)[2 * pairs][4],
                                        const float* w, const float* bias, uint32_t count) const {
#pragma unroll 1
    for (uint32_t i = 0; i < count; ++i) {
      const float* const row = w + i * width + lane % 4 * 2;
      float first = 0, second = 0;
#pragma unroll
      for (unsigned j = 0; j < 2 * pairs; ++j) {
        const float2 v = *reinterpret_cast<const float2*>(row + 8 * j);
        first += h[j][0] * v.x + h[j][1] * v.y;
        second += h[j][2] * v.x + h[j][3] * v.y;
      }
#pragma unroll
      for (int mask = 1; mask < 4; mask *= 2) {
        first += __shfl_xor_sync(0xffffffffu, first, mask);
        second += __shfl_xor_sync(0xffffffffu, second, mask);
      }
      if (lane % 4 != i % 4) continue;
      const float b = bias ? bias[i] : 0.0f;
      out[lane / 4 * out_pitch + i] = first + b;
      out[(lane / 4 + 8) * out_pitch + i] = second + b;
    }
  }

  // lambda = near_weight (head[near] - head[last]) + far_weight (head[far] - head[last]), the same for all
  // rows
  __device__ __forceinline__ void seed(float (&lambda)[2 * pairs][4], const float* head, const NarrowStep& s,
                                       uint32_t last) const {
    const float both = s.near_weight + s.far_weight;
    const unsigned column = lane % 4 * 2;
#pragma unroll
    for (unsigned j = 0; j < 2 * pairs; ++j) {
#pragma unroll
      for (unsigned e = 0; e < 2; ++e) {
        const unsigned at = 8 * j + column + e;
        lambda[j][e] = lambda[j][e + 2] = s.near_weight * head[s.near * width + at] +
                                          s.far_weight * head[s.far * width + at] -
                                          both * head[last * width + at];
      }
    }
  }
};

}  // namespace sklar::cuda
