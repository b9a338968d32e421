// What a step begins with, in one launch: weights as the factors of products, merged maps, the batch.
#include "wide/begin.h"

#include "backend/rows/classifier.h"
#include "epilogue.cuh"
#include "merged_linear.cuh"
#include "process/ou.h"
#include "rows.cuh"

namespace sklar::cuda {
namespace {

struct PackJobs {
  PackJob job[most_packs];
  unsigned count;
  bool bf16;
};

constexpr unsigned side = 32;  // of the tiles by which factors are packed

// Tiles of 32 x 32 of the factor in turn, read along the rows of w and written along those of the factor.
__device__ __forceinline__ void pack(const PackJob& job, bool bf16, float* shared) {
  const size_t squares = even(squares_along(job.columns));
  const size_t width = job.b ? job.width : squares * square;
  const size_t length = job.b ? job.inner : squares_along(job.inner) * square;
  const size_t across = (width + side - 1) / side, down = (length + side - 1) / side;
  const unsigned x = threadIdx.x % side;
  for (size_t t = blockIdx.x; t < across * down; t += gridDim.x) {
    const size_t k0 = t / across * side, j0 = t % across * side;
    for (unsigned y = threadIdx.x / side; y < side; y += block_threads / side) {
      const size_t k = job.transposed ? k0 + x : k0 + y, j = job.transposed ? j0 + y : j0 + x;
      const size_t at = job.transposed ? j * job.w_stride + k : k * job.w_stride + j;
      const float value = k < job.inner && j < job.columns ? job.w[at] : 0.0f;
      shared[job.transposed ? x * (side + 1) + y : y * (side + 1) + x] = value;
    }
    __syncthreads();
    if (job.b)
      for (unsigned y = threadIdx.x / side; y < side; y += block_threads / side) {
        if (k0 + y < length && j0 + x < width)
          job.b[(k0 + y) * job.b_stride + j0 + x] = shared[y * (side + 1) + x];
      }
    else {
      // four values a thread; weights are never beyond the range of fp16 but where training has failed
      const unsigned y = threadIdx.x / (side / 4), j = threadIdx.x % (side / 4) * 4;
      float v[4];
      for (unsigned e = 0; e < 4; ++e) v[e] = shared[y * (side + 1) + j + e];
      const size_t at = in_squares(k0 + y, j0 + j, squares, job.parts);
      write_half(job.halves + at, job.parts, v, bf16, nullptr);
    }
    __syncthreads();
  }
}
static_assert(block_threads == side * side / 4);

// Four columns of a row of the batch (docs/mathematics.md, A.1): what belongs to the row alone is worked out
// for each of them.
__device__ __forceinline__ void noise_four(const BatchDraw<float>& b, const MatrixView<float>& cotangent,
                                           size_t k) {
  const size_t d = b.data.columns, blocks = (d + 3) / 4;
  const size_t i = k / blocks, first = k % blocks * 4, n = b.data.rows;
  const uint64_t step = b.state->step, at = step * b.x.rows + i;
  const float* from = b.data.row(shuffled(at % n, n, shuffle_key(b.seed, at / n)));
  const size_t level = rows::draw_level(b, i, rows::level_turn(b));
  const float alpha = b.levels.alpha[level], sigma = b.levels.sigma[level];
  float noise[4];
  four_normals(noise, b.seed, i, first / 4, step, kTagTrainNoise);
  for (size_t j = first; j < d && j < first + 4; ++j) {
    b.noise.row(i)[j] = noise[j - first];
    b.x.row(i)[j] = OuProcess::state(alpha, sigma, from[j], noise[j - first]);
  }
  if (first > 0) return;
  b.level[i] = static_cast<int32_t>(level);
  b.x.row(i)[d] = 1;
  if (i >= cotangent.rows) return;
  for (size_t j = 0; j < cotangent.columns; ++j)
    cotangent.row(i)[j] = rows::level_cotangent<float>(j, level, cotangent.columns);
}

// blockIdx.y: factor; then what is merged; then the batch
__global__ void __launch_bounds__(block_threads)
    begin_kernel(const PackJobs packs, const MergeLinear merge, unsigned blocks_of_merge,
                 const BatchDraw<float> draw, const MatrixView<float> cotangent) {
  SKLAR_SHARED(float, shared);  // [side][side + 1]
  if (blockIdx.y < packs.count) {
    pack(packs.job[blockIdx.y], packs.bf16, shared);
    return;
  }
  if (blockIdx.y == packs.count) {
    for (unsigned block = blockIdx.x; block < blocks_of_merge; block += gridDim.x) merge_block(merge, block);
    return;
  }
  const size_t quads = draw.x.rows * ((draw.data.columns + 3) / 4);
  for (size_t k = static_cast<size_t>(blockIdx.x) * block_threads + threadIdx.x; k < quads;
       k += static_cast<size_t>(gridDim.x) * block_threads)
    noise_four(draw, cotangent, k);
}

}  // namespace

int launch_begin(const PackJob* given, size_t count, bool bf16, const MergeLinear* merge,
                 const BatchDraw<float>* draw, MatrixView<float> cotangent, void* stream) {
  PackJobs packs;
  packs.count = static_cast<unsigned>(count);
  packs.bf16 = bf16;
  size_t largest = 1;
  const auto grow = [&](size_t blocks) { largest = largest < blocks ? blocks : largest; };
  for (size_t i = 0; i < count; ++i) {
    packs.job[i] = given[i];
    grow(squares_along(given[i].inner) * even(squares_along(given[i].columns)) * (square / side) *
         (square / side));
  }
  const MergeLinear merged = merge ? *merge : MergeLinear{};
  const unsigned blocks_of_merge =
      merge ? static_cast<unsigned>(merge_blocks(merged.to.rows, merged.to.columns)) : 0;
  grow(blocks_of_merge);
  const BatchDraw<float> batch = draw ? *draw : BatchDraw<float>{};
  if (draw) grow((batch.x.rows * ((batch.data.columns + 3) / 4) + block_threads - 1) / block_threads);
  const dim3 grid(blocks_for(largest, 1), packs.count + (draw ? 2 : merge ? 1 : 0));
  SKLAR_LAUNCH(begin_kernel, grid, block_threads, side * (side + 1) * sizeof(float), stream, packs, merged,
               blocks_of_merge, batch, cotangent);
  return cudaGetLastError();
}

// a thread for four columns of a row
int launch_round(MatrixView<const float> from, uint16_t* to, unsigned parts, bool bf16, unsigned* saturated,
                 void* stream) {
  const size_t across = squares_along(from.columns), quads = across * square / 4;
  return each(from.rows * quads, stream, [=] __device__(size_t k) {
    const size_t row = k / quads, column = k % quads * 4;
    float v[4] = {0, 0, 0, 0};
    for (unsigned e = 0; e < 4; ++e)
      if (column + e < from.columns) v[e] = from.row(row)[column + e];
    write_half(to + in_squares(row, column, across, parts), parts, v, bf16, saturated);
  });
}

}  // namespace sklar::cuda
