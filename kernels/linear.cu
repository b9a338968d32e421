// Products in float32 on the ordinary cores: any width, any GPU. Tiles of 64 x 64, 256 threads with 4 x 4
// sums each; the next tile is on its way from memory while this one is multiplied. Bound by shared memory.
#include "linear.h"

#include "epilogue.cuh"
#include "launch.cuh"

namespace sklar::cuda {
namespace {

constexpr unsigned tile = 64;              // rows and columns of a tile of a result
constexpr unsigned tile_pitch = tile + 4;  // of its rows in shared memory

constexpr size_t tile_values = tile * tile + tile;  // a tile and the column sums beside it

struct OuterJob {
  MatrixView<const float> a[2], b[2];
  float* c;
  float* column_sums;
  size_t c_stride, first_tile;
  unsigned segments;
};
struct OuterJobs {
  OuterJob job[most_products];
  unsigned count;
};

inline size_t tiles_along(size_t length) { return (length + tile - 1) / tile; }

struct OuterTile {
  const OuterJob* job;
  size_t row, column;
};
__device__ __forceinline__ OuterTile outer_tile(const OuterJobs& jobs, size_t index) {
  unsigned j = 0;
  while (j + 1 < jobs.count && jobs.job[j + 1].first_tile <= index) ++j;
  const OuterJob& job = jobs.job[j];
  const size_t along = (job.b[0].columns + tile - 1) / tile, local = index - job.first_tile;
  return {&job, local / along * tile, local % along * tile};
}

__device__ __forceinline__ void store_outer(const OuterTile& t, unsigned i, unsigned j, float value) {
  if (t.row + i < t.job->a[0].columns && t.column + j < t.job->b[0].columns)
    t.job->c[(t.row + i) * t.job->c_stride + t.column + j] = value;
}
__device__ __forceinline__ void store_column_sum(const OuterTile& t, unsigned i, float value) {
  if (t.job->column_sums && t.column == 0 && t.row + i < t.job->a[0].columns)
    t.job->column_sums[t.row + i] = value;
}

// The rows of segment s that part blockIdx.y of gridDim.y sums over; parts are multiples of `depth`.
struct OuterPart {
  size_t begin, end;
};
__device__ __forceinline__ OuterPart outer_part(size_t length, unsigned depth) {
  const size_t share = ((length + gridDim.y - 1) / gridDim.y + depth - 1) / depth * depth;
  const size_t begin = share * blockIdx.y;
  return {begin, begin + share < length ? begin + share : length};
}

// From the sums of this part, a tile in shared memory: to the result, or to `partials` where there are
// several parts.
__device__ __forceinline__ void finish_outer(const OuterTile& t, const float* sums, float column_sum,
                                             float* partials) {
  if (gridDim.y > 1) {
    float* to = partials + (static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x) * tile_values;
    for (unsigned k = threadIdx.x; k < tile * tile; k += blockDim.x)
      to[k] = sums[k / tile * tile_pitch + k % tile];
    if (threadIdx.x < tile) to[tile * tile + threadIdx.x] = column_sum;
    return;
  }
  for (unsigned k = threadIdx.x; k < tile * tile; k += blockDim.x)
    store_outer(t, k / tile, k % tile, sums[k / tile * tile_pitch + k % tile]);
  if (threadIdx.x < tile) store_column_sum(t, threadIdx.x, column_sum);
}

inline OuterJobs outer_jobs(const OuterProduct<float>* products, size_t count, size_t& tiles) {
  OuterJobs jobs;
  jobs.count = static_cast<unsigned>(count);
  tiles = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto& p = products[i];
    OuterJob& job = jobs.job[i];
    job.segments = static_cast<unsigned>(p.segments);
    for (int s = 0; s < p.segments; ++s) {
      job.a[s] = p.segment[s].a;
      job.b[s] = p.segment[s].b;
    }
    job.c = p.c;
    job.column_sums = p.column_sums;
    job.c_stride = p.c_stride;
    job.first_tile = tiles;
    tiles += tiles_along(job.a[0].columns) * tiles_along(job.b[0].columns);
  }
  return jobs;
}

constexpr unsigned depth = 16;          // of the sums between two barriers
constexpr unsigned pitch = tile_pitch;  // of the factors in shared memory: [depth][pitch]
constexpr unsigned part = depth * pitch;
constexpr size_t shared_bytes = sizeof(float) * (4 * part > tile * pitch ? 4 * part : tile * pitch);
static_assert(block_threads == 256);

// Four values of row `row` from `column` on, zero outside of the matrix. Rows are aligned to 16 bytes.
__device__ __forceinline__ float4 fetch(const MatrixView<const float>& m, size_t row, size_t column) {
  if (row >= m.rows || column >= m.columns) return make_float4(0, 0, 0, 0);
  const float* at = m.row(row) + column;
  if (column + 4 <= m.columns) return *reinterpret_cast<const float4*>(at);
  return make_float4(at[0], column + 1 < m.columns ? at[1] : 0.0f, column + 2 < m.columns ? at[2] : 0.0f, 0);
}

// This thread's part of a factor whose rows are those of the result, and of one whose rows are the summed
// index.
__device__ __forceinline__ float4 fetch_rows(const MatrixView<const float>& x, size_t row, size_t k) {
  return fetch(x, row + threadIdx.x / 4, k + threadIdx.x % 4 * 4);
}
__device__ __forceinline__ void store_rows(float* to, const float4& v) {
  float* at = to + threadIdx.x % 4 * 4 * pitch + threadIdx.x / 4;
  at[0] = v.x;
  at[pitch] = v.y;
  at[2 * pitch] = v.z;
  at[3 * pitch] = v.w;
}
__device__ __forceinline__ float4 fetch_depth(const MatrixView<const float>& b, size_t k, size_t column) {
  return fetch(b, k + threadIdx.x / 16, column + threadIdx.x % 16 * 4);
}
__device__ __forceinline__ void store_depth(float* to, const float4& v) {
  *reinterpret_cast<float4*>(to + threadIdx.x / 16 * pitch + threadIdx.x % 16 * 4) = v;
}

__device__ __forceinline__ void multiply(float (&acc)[4][4], const float* a, const float* b) {
  const unsigned row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
#pragma unroll
  for (unsigned k = 0; k < depth; ++k) {
    const float4 p = *reinterpret_cast<const float4*>(a + k * pitch + row);
    const float4 q = *reinterpret_cast<const float4*>(b + k * pitch + column);
    const float x[4] = {p.x, p.y, p.z, p.w}, y[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (unsigned i = 0; i < 4; ++i)
#pragma unroll
      for (unsigned j = 0; j < 4; ++j) acc[i][j] = fmaf(x[i], y[j], acc[i][j]);
  }
}

// acc += sum over k of a^T b for k in [begin, end); both factors come by fetch(k). `also` sees each part of
// the left factor in shared memory.
template <class FetchA, class StoreA, class FetchB, class Also>
__device__ __forceinline__ void accumulate(float (&acc)[4][4], float* shared, size_t begin, size_t end,
                                           FetchA fetch_a, StoreA store_a, FetchB fetch_b, Also also) {
  if (begin >= end) return;
  float4 next_a = fetch_a(begin), next_b = fetch_b(begin);
  unsigned buffer = 0;
  for (size_t k = begin; k < end; k += depth, buffer ^= 1) {
    float* const at_a = shared + 2 * buffer * part;
    float* const at_b = at_a + part;
    store_a(at_a, next_a);
    store_depth(at_b, next_b);
    __syncthreads();
    if (k + depth < end) {
      next_a = fetch_a(k + depth);
      next_b = fetch_b(k + depth);
    }
    multiply(acc, at_a, at_b);
    also(at_a);
  }
  __syncthreads();  // what comes next may take the place of the factors
}

__device__ __forceinline__ void store_sums(float* to, unsigned to_pitch, const float (&acc)[4][4]) {
  float* at = to + threadIdx.x / 16 * 4 * to_pitch + threadIdx.x % 16 * 4;
#pragma unroll
  for (unsigned i = 0; i < 4; ++i)
    *reinterpret_cast<float4*>(at + i * to_pitch) = make_float4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
}

__global__ void __launch_bounds__(block_threads)
    linear_kernel(MatrixView<const float> x, Factor factor, Finish finish) {
  SKLAR_SHARED(float, shared);
  const size_t row = static_cast<size_t>(blockIdx.y) * tile, column = static_cast<size_t>(blockIdx.x) * tile;
  const MatrixView<const float> b(factor.b, factor.inner, factor.columns, factor.stride);
  float acc[4][4] = {};
  accumulate(
      acc, shared, 0, b.rows, [&](size_t k) { return fetch_rows(x, row, k); },
      [](float* to, const float4& v) { store_rows(to, v); },
      [&](size_t k) { return fetch_depth(b, k, column); }, [](const float*) {});
  store_sums(shared, pitch, acc);
  __syncthreads();
  finish_tile<StagedTile<block_threads, tile, tile, pitch>, Variants{.kept = false}>(shared, row, column,
                                                                                     x.rows, finish);
}

// ---- sums of outer products

constexpr size_t wanted_blocks =
    264;  // two for each multiprocessor of the largest GPUs: fixed, so that sums are
constexpr size_t shortest_part = 128;  // rows that are worth a block of their own

// blockIdx.x: tile; blockIdx.y: part of the sums, left in `partials` where there are several
__global__ void __launch_bounds__(block_threads) outer_kernel(OuterJobs jobs, float* partials) {
  SKLAR_SHARED(float, shared);
  const OuterTile t = outer_tile(jobs, blockIdx.x);
  const OuterJob& job = *t.job;
  const bool sums = job.column_sums && t.column == 0;
  float acc[4][4] = {}, column_sum = 0;
  for (unsigned s = 0; s < job.segments; ++s) {
    const OuterPart part_of_sums = outer_part(job.a[s].rows, depth);
    // rows from its end on belong to the next part
    const MatrixView<const float> a = job.a[s].first(part_of_sums.end), b = job.b[s].first(part_of_sums.end);
    accumulate(
        acc, shared, part_of_sums.begin, part_of_sums.end, [&](size_t k) { return fetch_depth(a, k, t.row); },
        [](float* to, const float4& v) { store_depth(to, v); },
        [&](size_t k) { return fetch_depth(b, k, t.column); },
        [&](const float* part_a) {
          if (!sums || s != 0 || threadIdx.x >= tile) return;
          for (unsigned k = 0; k < depth; ++k) column_sum += part_a[k * pitch + threadIdx.x];
        });
  }
  store_sums(shared, pitch, acc);
  __syncthreads();
  finish_outer(t, shared, column_sum, partials);
}

// blockIdx.x: tile
__global__ void __launch_bounds__(block_threads)
    outer_sums_kernel(const OuterJobs jobs, const float* partials, unsigned splits) {
  const OuterTile t = outer_tile(jobs, blockIdx.x);
  for (unsigned k = threadIdx.x; k < tile_values; k += block_threads) {
    float sum = 0;
    for (unsigned s = 0; s < splits; ++s)
      sum += partials[(static_cast<size_t>(s) * gridDim.x + blockIdx.x) * tile_values + k];
    if (k < tile * tile)
      store_outer(t, k / tile, k % tile, sum);
    else
      store_column_sum(t, k - tile * tile, sum);
  }
}

}  // namespace

int launch_linear(MatrixView<const float> x, const Factor& b, const Finish& given, void* stream) {
  const dim3 grid(static_cast<unsigned>((b.columns + tile - 1) / tile),
                  static_cast<unsigned>((x.rows + tile - 1) / tile));
  const Factor factor = b;
  const Finish finish = given;
  SKLAR_LAUNCH(linear_kernel, grid, block_threads, shared_bytes, stream, x, factor, finish);
  return cudaGetLastError();
}

OuterPlan plan_outer(const OuterProduct<float>* products, size_t count) {
  size_t tiles = 0, longest = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto& p = products[i];
    tiles += tiles_along(p.segment[0].a.columns) * tiles_along(p.segment[0].b.columns);
    size_t length = 0;
    for (int s = 0; s < p.segments; ++s) length += p.segment[s].a.rows;
    longest = longest < length ? length : longest;
  }
  return plan_parts(tiles, longest, wanted_blocks, shortest_part, tile_values);
}

int launch_outer(const OuterProduct<float>* products, size_t count, const OuterPlan& plan, float* workspace,
                 void* stream) {
  if (plan.tiles == 0) return cudaSuccess;
  size_t tiles = 0;
  const OuterJobs jobs = outer_jobs(products, count, tiles);
  const unsigned splits = static_cast<unsigned>(plan.splits);
  const dim3 grid(static_cast<unsigned>(tiles), splits);
  SKLAR_LAUNCH(outer_kernel, grid, block_threads, shared_bytes, stream, jobs, workspace);
  if (splits > 1)
    SKLAR_LAUNCH(outer_sums_kernel, static_cast<unsigned>(tiles), block_threads, 0, stream, jobs, workspace,
                 splits);
  return cudaGetLastError();
}

}  // namespace sklar::cuda
