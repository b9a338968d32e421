#pragma once

// Two linear maps with nothing between them as one: Backend::merge_linear and MergedGradient, a block's part
// of each.
#include "backend/operations/operations.h"
#include "launch.cuh"
#include "linear.h"

namespace sklar::cuda {

constexpr unsigned merged_rows = 16;  // at once
constexpr size_t merged_shared_bytes = warps_of_block * merged_rows * warp_lanes * sizeof(float);

inline size_t merge_blocks(size_t rows, size_t width) {
  return (width + warps_of_block - 1) / warps_of_block * ((rows + merged_rows - 1) / merged_rows);
}

// A warp: a row of w, and 16 columns of w0 and b0.
__device__ __forceinline__ void merge_block(const MergeLinear& f, unsigned block) {
  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  const size_t width = f.to.columns, inputs = f.to.rows - 1;
  const size_t across = (width + warps_of_block - 1) / warps_of_block;
  const size_t j = block % across * warps_of_block + warp, first = block / across * merged_rows;
  if (j >= width) return;
  float acc[merged_rows] = {};
  for (size_t k = lane; k < width; k += warp_lanes) {
    const float of_w = f.w[j * width + k];
#pragma unroll
    for (unsigned i = 0; i < merged_rows; ++i)
      if (first + i <= inputs)
        acc[i] = fmaf(first + i < inputs ? f.w0[k * inputs + first + i] : f.b0[k], of_w, acc[i]);
  }
#pragma unroll
  for (unsigned i = 0; i < merged_rows; ++i) {
    const float sum = warp_sum(acc[i]);
    if (lane == i && first + i <= inputs) f.to.row(first + i)[j] = first + i == inputs ? sum + f.b[j] : sum;
  }
}

// Parameters of both maps; none where there is no gradient.
SKLAR_HD_INLINE size_t merged_parameters(const MergedGradient<float>& g) {
  return g.w ? g.input.columns * (g.input.columns + 1 + g.input.rows) : 0;
}
inline size_t merged_outer_blocks(size_t width) {
  return (width * width + block_threads - 1) / block_threads;
}
inline size_t merged_gradient_blocks(const MergedGradient<float>& g) {
  const size_t width = g.input.columns;
  return merged_outer_blocks(width) +
         (width + warp_lanes - 1) / warp_lanes * ((g.input.rows + merged_rows - 1) / merged_rows);
}

// The first blocks: dw, a thread for one value. The others: 32 columns of [dw0 | db0]^T each and 16 rows of
// it, sums over the rows of w cut into eight parts. Returns the sum of squares of what the thread has made.
__device__ __forceinline__ double merged_gradient_block(const MergedGradient<float>& g, unsigned block,
                                                        float* shared) {
  const size_t width = g.input.columns, rows = g.input.rows;
  const unsigned outer_blocks = static_cast<unsigned>((width * width + block_threads - 1) / block_threads);
  double squares = 0;
  const auto count = [&](float v) {
    squares += static_cast<double>(v) * static_cast<double>(v);
    return v;
  };
  if (block < outer_blocks) {
    const size_t at = static_cast<size_t>(block) * block_threads + threadIdx.x;
    if (at >= width * width) return 0;
    const size_t j = at / width, k = at % width;
    float sum = 0;
    for (size_t i = 0; i < rows; ++i) sum = fmaf(g.sums_n.row(i)[j], g.input.row(i)[k], sum);
    g.dw[at] = count(sum);
    if (k == 0) g.dbias[j] = count(g.sums_n.row(rows - 1)[j]);
    return squares;
  }
  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  const size_t across = (width + warp_lanes - 1) / warp_lanes;
  const size_t j = (block - outer_blocks) % across * warp_lanes + lane;
  const size_t first = (block - outer_blocks) / across * merged_rows;
  float acc[merged_rows] = {};
  if (j < width)
    for (size_t k = warp; k < width; k += warps_of_block) {
      const float w = g.w[k * width + j];
#pragma unroll
      for (unsigned i = 0; i < merged_rows; ++i)
        if (first + i < rows) acc[i] = fmaf(g.sums_n.row(first + i)[k], w, acc[i]);
    }
#pragma unroll
  for (unsigned i = 0; i < merged_rows; ++i) shared[(warp * merged_rows + i) * warp_lanes + lane] = acc[i];
  __syncthreads();
  for (unsigned i = warp; i < merged_rows; i += warps_of_block) {
    const size_t row = first + i;
    if (row >= rows || j >= width) continue;
    float sum = g.sums_m.row(row)[j];
    for (unsigned p = 0; p < warps_of_block; ++p) sum += shared[(p * merged_rows + i) * warp_lanes + lane];
    (row + 1 == rows ? g.dbias0[j] : g.dw0[j * (rows - 1) + row]) = count(sum);
  }
  return squares;
}

}  // namespace sklar::cuda
