#pragma once

// What the kernels for sums of outer products share: which tile of which result a block makes.
#include "launch.cuh"
#include "linear.h"

namespace sklar::cuda {

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

/// Adds up what finish_outer left in `partials`.
int launch_outer_sums(const OuterJobs& jobs, size_t tiles, unsigned splits, const float* partials,
                      void* stream);

}  // namespace sklar::cuda
