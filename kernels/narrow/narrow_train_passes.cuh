#pragma once

// The four passes over 16 rows of a block, and what they give to the weight gradients. A warp has 16 columns
// of every matrix that is as wide as the network: of its 16 x 16 values a thread holds, in tile j and element
// e, row lane / 4 + 8 (e / 2), column 16 warp + 8 j + 2 (lane % 4) + e % 2 (fragments c of mma.sync). What
// others need of them, operands of products, goes through shared memory in fp16; letters as in
// docs/mathematics.md, L.
#include "narrow/narrow_layers.cuh"
#include "narrow/narrow_train.h"

namespace sklar::cuda {

enum class BlockOperand : uint32_t { h, p, mu, nu, h_dot, p_dot };
enum class Slope : uint32_t { outer, inner, outer_source, inner_source };

// silu(x) with its first two derivatives
template <bool accurate>
__device__ __forceinline__ float silu(float x, float& first, float& second) {
  const float g = fast_sigmoid<accurate>(x);
  first = silu_1<float>(x, g);
  second = silu_2<float>(x, g);
  return silu_0<float>(x, g);
}

// second_order: all four passes, else forward and second_adjoint alone
template <unsigned width, bool three_products, bool relu, bool second_order>
struct TrainPasses {
  static constexpr unsigned network_width = width, parts = width / 16, pitch = width + 8, threads = 2 * width;
  static constexpr uint32_t matrix = width * width, stage = matrix + width, operand_size = train_rows * pitch;
  static constexpr uint32_t slope_kinds = TrainLayout::slope_kinds(relu, second_order),
                            block_operands = TrainLayout::block_operands(second_order);

  uint16_t* weights;    // W1, W2 of each block
  uint16_t* operands;   // of each block, then two that are used again and again
  float4* slopes;       // of each block and kind
  const float* biases;  // of the input projection, then of each matrix
  const float* blocks;  // parameters of the blocks
  float* block_shares;  // of their gradient
  uint32_t depth, wide_pitch;
  unsigned lane, warp;
  bool saturated = false;

  using Own = float[2][4];
  // A warp's columns of W^T in float32, as it multiplies with them: fragments b.
  struct Columns {
    float2 pair[parts][4];
  };

  __device__ __forceinline__ unsigned thread() const { return warp * warp_lanes + lane; }
  __device__ __forceinline__ unsigned column() const { return 16 * warp + lane % 4 * 2; }
  __device__ __forceinline__ uint16_t* operand(uint32_t l, BlockOperand which) const {
    return operands + (block_operands * l + static_cast<uint32_t>(which)) * operand_size;
  }
  __device__ __forceinline__ uint16_t* passing(uint32_t which) const {
    return operands + (block_operands * depth + which) * operand_size;
  }

  __device__ __forceinline__ void keep(uint32_t l, Slope kind, const Own& v) const {
    float4* const to = slopes + (l * slope_kinds + static_cast<uint32_t>(kind)) * 2 * threads + thread();
#pragma unroll
    for (unsigned j = 0; j < 2; ++j) to[j * threads] = make_float4(v[j][0], v[j][1], v[j][2], v[j][3]);
  }
  __device__ __forceinline__ void recall(uint32_t l, Slope kind, Own& v) const {
    const float4* const from =
        slopes + (l * slope_kinds + static_cast<uint32_t>(kind)) * 2 * threads + thread();
#pragma unroll
    for (unsigned j = 0; j < 2; ++j) {
      const float4 f = from[j * threads];
      v[j][0] = f.x;
      v[j][1] = f.y;
      v[j][2] = f.z;
      v[j][3] = f.w;
    }
  }

  // Rounds to fp16; low: where what is left goes, or null.
  __device__ __forceinline__ void put(uint16_t* to, uint16_t* low, const Own& v) {
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned at = (lane / 4 + i % 2 * 8) * pitch + column() + i / 2 * 8;
      const float a = to_half_range(v[i / 2][i % 2 * 2], saturated);
      const float b = to_half_range(v[i / 2][i % 2 * 2 + 1], saturated);
      const uint32_t high = pack2<Operand::half>(a, b);
      *reinterpret_cast<uint32_t*>(to + at) = high;
      if (low)
        *reinterpret_cast<uint32_t*>(low + at) = pack2<Operand::half>(
            (a - half_value(high, false)) * low_scale, (b - half_value(high, true)) * low_scale);
    }
  }
  __device__ __forceinline__ void put_wide(float* to, const Own& v) const {
#pragma unroll
    for (unsigned i = 0; i < 4; ++i)
      *reinterpret_cast<float2*>(to + (lane / 4 + i % 2 * 8) * wide_pitch + column() + i / 2 * 8) =
          make_float2(v[i / 2][i % 2 * 2], v[i / 2][i % 2 * 2 + 1]);
  }

  // The parameters of a member of an ensemble (first order) may begin at an odd one.
  __device__ __forceinline__ void fetch(Columns& w, uint32_t m) const {
    const float* const from = blocks + m * stage + (16 * warp + lane / 4) * width + lane % 4 * 2;
#pragma unroll
    for (unsigned k = 0; k < parts; ++k)
#pragma unroll
      for (unsigned i = 0; i < 4; ++i) {
        const float* const pair = from + i / 2 * 8 * width + 16 * k + i % 2 * 8;
        if constexpr (second_order)
          w.pair[k][i] = *reinterpret_cast<const float2*>(pair);
        else
          w.pair[k][i] = make_float2(pair[0], pair[1]);
      }
  }

  __device__ __forceinline__ void load_rows(uint32_t (&a)[4], const uint16_t* x, unsigned k) const {
    load_matrices(a, x + lane % 16 * pitch + 16 * k + lane / 16 * 8);
  }

  // v = x W^T + bias for matrix m, whose fp16 copy is left for the passes to come.
  __device__ __forceinline__ void multiply_first(Own& v, uint32_t m, const Columns& w, const uint16_t* x,
                                                 const uint16_t* x_low) const {
    uint16_t* const copy = weights + m * width * pitch + (16 * warp + lane / 4) * pitch + lane % 4 * 2;
    float rest[2][2][4] = {};
#pragma unroll
    for (unsigned j = 0; j < 2; ++j) {
      const float2 b = *reinterpret_cast<const float2*>(biases + (m + 1) * width + column() + 8 * j);
#pragma unroll
      for (unsigned e = 0; e < 4; ++e) v[j][e] = e % 2 ? b.y : b.x;
    }
#pragma unroll
    for (unsigned k = 0; k < parts; ++k) {
      uint32_t a[4], b[4];
      load_rows(a, x, k);
#pragma unroll
      for (unsigned i = 0; i < 4; ++i) {
        b[i] = pack2<Operand::half>(w.pair[k][i].x, w.pair[k][i].y);
        *reinterpret_cast<uint32_t*>(copy + i / 2 * 8 * pitch + 16 * k + i % 2 * 8) = b[i];
      }
#pragma unroll
      for (unsigned j = 0; j < 2; ++j) multiply_add<Operand::half>(v[j], a, b[2 * j], b[2 * j + 1]);
      if constexpr (three_products) {
        uint32_t a_low[4], b_low[4];
        load_rows(a_low, x_low, k);
#pragma unroll
        for (unsigned i = 0; i < 4; ++i)
          b_low[i] = pack2<Operand::half>((w.pair[k][i].x - half_value(b[i], false)) * low_scale,
                                          (w.pair[k][i].y - half_value(b[i], true)) * low_scale);
#pragma unroll
        for (unsigned j = 0; j < 2; ++j) {
          multiply_add<Operand::half>(rest[0][j], a, b_low[2 * j], b_low[2 * j + 1]);
          multiply_add<Operand::half>(rest[1][j], a_low, b[2 * j], b[2 * j + 1]);
        }
      }
    }
    if constexpr (three_products)
#pragma unroll
      for (unsigned e = 0; e < 8; ++e)
        v[e / 4][e % 4] += (rest[0][e / 4][e % 4] + rest[1][e / 4][e % 4]) * (1 / low_scale);
  }

  // v = x W^T, or x W, for matrix m; two sums in turn are half the wait for a result
  template <bool transposed>
  __device__ __forceinline__ void multiply(Own& v, uint32_t m, const uint16_t* x) const {
    const uint16_t* const w = weights + m * width * pitch;
    float sum[2][2][4] = {};
#pragma unroll
    for (unsigned k = 0; k < parts; ++k) {
      uint32_t a[4], b[4];
      load_rows(a, x, k);
      if constexpr (transposed)
        load_matrices(b, w + (16 * warp + lane % 8 + lane / 16 * 8) * pitch + 16 * k + lane / 8 % 2 * 8);
      else
        load_matrices_transposed(b, w + (16 * k + lane % 16) * pitch + 16 * warp + lane / 16 * 8);
#pragma unroll
      for (unsigned j = 0; j < 2; ++j) multiply_add<Operand::half>(sum[k % 2][j], a, b[2 * j], b[2 * j + 1]);
    }
#pragma unroll
    for (unsigned e = 0; e < 8; ++e) v[e / 4][e % 4] = sum[0][e / 4][e % 4] + sum[1][e / 4][e % 4];
  }

  // v = bias + x w in float32; w: `count` rows of `width`, bias may be null
  __device__ __forceinline__ void enter(Own& v, const float* bias, const float* w, const float* x,
                                        uint32_t x_pitch, uint32_t count) const {
#pragma unroll
    for (unsigned j = 0; j < 2; ++j) {
      const float2 b = bias ? *reinterpret_cast<const float2*>(bias + column() + 8 * j) : make_float2(0, 0);
#pragma unroll
      for (unsigned e = 0; e < 4; ++e) v[j][e] = e % 2 ? b.y : b.x;
    }
    const float* const first = x + lane / 4 * x_pitch;
#pragma unroll 2
    for (uint32_t i = 0; i < count; ++i) {
      const float of[2] = {first[i], first[8 * x_pitch + i]};
#pragma unroll
      for (unsigned j = 0; j < 2; ++j) {
        const float2 b = *reinterpret_cast<const float2*>(w + i * width + column() + 8 * j);
#pragma unroll
        for (unsigned e = 0; e < 4; ++e) v[j][e] += of[e / 2] * (e % 2 ? b.y : b.x);
      }
    }
  }

  // out (16 rows of `count`) = bias + x w^T in float32, x as wide as the network; bias may be null
  __device__ __forceinline__ void leave(float* out, uint32_t out_pitch, const float* x, const float* w,
                                        const float* bias, uint32_t count) const {
    for (uint32_t t = thread(); t < train_rows * count; t += threads) {
      const uint32_t row = t % train_rows, i = t / train_rows;
      const float4* const a = reinterpret_cast<const float4*>(x + row * wide_pitch);
      const float4* const b = reinterpret_cast<const float4*>(w + i * width);
      float sum[4] = {};
#pragma unroll 4
      for (unsigned k = 0; k < width / 4; ++k) {
        sum[0] += a[k].x * b[k].x;
        sum[1] += a[k].y * b[k].y;
        sum[2] += a[k].z * b[k].z;
        sum[3] += a[k].w * b[k].w;
      }
      out[row * out_pitch + i] = (bias ? bias[i] : 0.0f) + ((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
  }

  // v of the input projection becomes that of the last block; w: the columns of the first matrix
  __device__ __forceinline__ void forward(Own& h, Columns& w) {
    uint16_t* const low[2] = {three_products ? passing(0) : nullptr, three_products ? passing(1) : nullptr};
    Columns next;
#pragma unroll 1
    for (uint32_t l = 0; l < depth; ++l) {
      Own v, first, second;
      put(operand(l, BlockOperand::h), low[0], h);
      __syncthreads();
      fetch(next, 2 * l + 1);
      multiply_first(v, 2 * l, w, operand(l, BlockOperand::h), low[0]);
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        float& a = v[e / 4][e % 4];
        if constexpr (relu) {
          first[e / 4][e % 4] = a > 0 ? 1.0f : 0.0f;
          if (a <= 0) a = 0;
        } else {
          a = silu<three_products>(a, first[e / 4][e % 4], second[e / 4][e % 4]);
        }
      }
      put(operand(l, BlockOperand::p), low[1], v);
      keep(l, Slope::inner, first);
      if constexpr (!relu && second_order) keep(l, Slope::inner_source, second);
      __syncthreads();
      if (l + 1 < depth) fetch(w, 2 * l + 2);
      multiply_first(v, 2 * l + 1, next, operand(l, BlockOperand::p), low[1]);
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        float& z = h[e / 4][e % 4];
        z = silu<three_products>(z + v[e / 4][e % 4], first[e / 4][e % 4], second[e / 4][e % 4]);
      }
      keep(l, Slope::outer, first);
      if constexpr (second_order) keep(l, Slope::outer_source, second);
    }
  }

  // lambda of the last block becomes that of the input projection; the sources become phi'' lambda and
  // f'' (W2^T mu)
  __device__ __forceinline__ void adjoint(Own& lambda) {
    Own slope, source, v;
#pragma unroll 1
    for (uint32_t l = depth; l-- > 0;) {
      recall(l, Slope::outer, slope);
      recall(l, Slope::outer_source, source);
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        source[e / 4][e % 4] *= lambda[e / 4][e % 4];
        lambda[e / 4][e % 4] *= slope[e / 4][e % 4];
      }
      put(operand(l, BlockOperand::mu), nullptr, lambda);
      keep(l, Slope::outer_source, source);
      __syncthreads();
      recall(l, Slope::inner, slope);
      if constexpr (!relu) recall(l, Slope::inner_source, source);
      multiply<false>(v, 2 * l + 1, operand(l, BlockOperand::mu));
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        if constexpr (!relu) source[e / 4][e % 4] *= v[e / 4][e % 4];
        v[e / 4][e % 4] *= slope[e / 4][e % 4];
      }
      put(operand(l, BlockOperand::nu), nullptr, v);
      if constexpr (!relu) keep(l, Slope::inner_source, source);
      __syncthreads();
      multiply<false>(v, 2 * l, operand(l, BlockOperand::nu));
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) lambda[e / 4][e % 4] += v[e / 4][e % 4];
    }
  }

  // h-dot of the input projection becomes that of the last block; the sources get their last factors, z-dot
  // and a-dot
  __device__ __forceinline__ void tangent(Own& h) {
    Own slope, source, v;
#pragma unroll 1
    for (uint32_t l = 0; l < depth; ++l) {
      put(operand(l, BlockOperand::h_dot), nullptr, h);
      __syncthreads();
      recall(l, Slope::inner, slope);
      if constexpr (!relu) recall(l, Slope::inner_source, source);
      multiply<true>(v, 2 * l, operand(l, BlockOperand::h_dot));
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        if constexpr (!relu) source[e / 4][e % 4] *= v[e / 4][e % 4];
        v[e / 4][e % 4] *= slope[e / 4][e % 4];
      }
      put(operand(l, BlockOperand::p_dot), nullptr, v);
      if constexpr (!relu) keep(l, Slope::inner_source, source);
      __syncthreads();
      recall(l, Slope::outer, slope);
      recall(l, Slope::outer_source, source);
      multiply<true>(v, 2 * l + 1, operand(l, BlockOperand::p_dot));
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        const float z = h[e / 4][e % 4] + v[e / 4][e % 4];
        source[e / 4][e % 4] *= z;
        h[e / 4][e % 4] = slope[e / 4][e % 4] * z;
      }
      keep(l, Slope::outer_source, source);
    }
  }

  // Lambda of the last block becomes that of the input projection; on the way go the shares of the gradients
  // of all blocks. made: the two passes before were; without them it is the adjoint of whatever it is given
  __device__ __forceinline__ void second_adjoint(Own& lambda, bool made) {
    const bool has_source = second_order && made;
    Own slope, source = {}, v;
    uint16_t* const m = passing(0);
    uint16_t* const n = passing(1);
#pragma unroll 1
    for (uint32_t l = depth; l-- > 0;) {
      float* const share = block_shares + 2 * l * stage;
      recall(l, Slope::outer, slope);
      if (has_source) recall(l, Slope::outer_source, source);
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        lambda[e / 4][e % 4] *= slope[e / 4][e % 4];
        if (has_source) lambda[e / 4][e % 4] += source[e / 4][e % 4];
      }
      put(m, nullptr, lambda);
      __syncthreads();
      recall(l, Slope::inner, slope);
      if (!relu && has_source) recall(l, Slope::inner_source, source);
      multiply<false>(v, 2 * l + 1, m);
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) {
        v[e / 4][e % 4] *= slope[e / 4][e % 4];
        if (!relu && has_source) v[e / 4][e % 4] += source[e / 4][e % 4];
      }
      put(n, nullptr, v);
      column_sums(share + matrix, v);
      column_sums(share + stage + matrix, lambda);
      outer(share + stage, m, operand(l, BlockOperand::p), operand(l, BlockOperand::mu),
            operand(l, BlockOperand::p_dot), has_source);
      __syncthreads();
      multiply<false>(v, 2 * l, n);
#pragma unroll
      for (unsigned e = 0; e < 8; ++e) lambda[e / 4][e % 4] += v[e / 4][e % 4];
      outer(share, n, operand(l, BlockOperand::h), operand(l, BlockOperand::nu),
            operand(l, BlockOperand::h_dot), has_source);
    }
  }

  // to (width x width) = a^T b (+ c^T d): the warp's columns of a and c are its rows of the result
  __device__ __forceinline__ void outer(float* to, const uint16_t* a, const uint16_t* b, const uint16_t* c,
                                        const uint16_t* d, bool both) const {
    const unsigned from = (lane % 8 + lane / 16 * 8) * pitch + 16 * warp + lane / 8 % 2 * 8;
    float* const at = to + (16 * warp + lane / 4) * width + lane % 4 * 2;
    uint32_t rows[2][4];
    load_matrices_transposed(rows[0], a + from);
    if (both) load_matrices_transposed(rows[1], c + from);
#pragma unroll
    for (unsigned k = 0; k < parts; ++k) {
      const unsigned columns = lane % 16 * pitch + 16 * k + lane / 16 * 8;
      float sum[2][4] = {};
      uint32_t f[4];
      load_matrices_transposed(f, b + columns);
#pragma unroll
      for (unsigned j = 0; j < 2; ++j) multiply_add<Operand::half>(sum[j], rows[0], f[2 * j], f[2 * j + 1]);
      if (both) {
        load_matrices_transposed(f, d + columns);
#pragma unroll
        for (unsigned j = 0; j < 2; ++j) multiply_add<Operand::half>(sum[j], rows[1], f[2 * j], f[2 * j + 1]);
      }
#pragma unroll
      for (unsigned i = 0; i < 4; ++i)
        *reinterpret_cast<float2*>(at + i % 2 * 8 * width + 16 * k + i / 2 * 8) =
            make_float2(sum[i / 2][i % 2 * 2], sum[i / 2][i % 2 * 2 + 1]);
    }
  }

  __device__ __forceinline__ void column_sums(float* to, const Own& v) const {
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      float sum = v[i / 2][i % 2] + v[i / 2][i % 2 + 2];
#pragma unroll
      for (int mask = 4; mask < 32; mask *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      if (lane < 4) to[column() + i / 2 * 8 + i % 2] = sum;
    }
  }

  // to[k thin_step + column wide_step] = sum over rows of thin[row][k] wide[row][column], and the same of
  // another pair where there is one
  __device__ __forceinline__ void thin_outer(float* to, uint32_t thin_step, uint32_t wide_step,
                                             uint32_t count, uint32_t thin_pitch, const float* thin,
                                             const float* wide, const float* thin_2, const float* wide_2,
                                             bool both) const {
    const unsigned own = thread() % width;
    float v[train_rows], v_2[train_rows];
#pragma unroll
    for (unsigned i = 0; i < train_rows; ++i) {
      v[i] = wide[i * wide_pitch + own];
      v_2[i] = both ? wide_2[i * wide_pitch + own] : 0.0f;
    }
#pragma unroll 1
    for (uint32_t k = thread() / width; k < count; k += threads / width) {
      float sum = 0, sum_2 = 0;
#pragma unroll
      for (unsigned i = 0; i < train_rows; ++i) sum += thin[i * thin_pitch + k] * v[i];
      if (both)
#pragma unroll
        for (unsigned i = 0; i < train_rows; ++i) sum_2 += thin_2[i * thin_pitch + k] * v_2[i];
      to[k * thin_step + own * wide_step] = sum + sum_2;
    }
  }

  __device__ __forceinline__ void thin_sums(float* to, uint32_t count, uint32_t pitch, const float* x) const {
    for (uint32_t k = thread(); k < count; k += threads) {
      float sum = 0;
      for (uint32_t i = 0; i < train_rows; ++i) sum += x[i * pitch + k];
      to[k] = sum;
    }
  }
};

}  // namespace sklar::cuda
