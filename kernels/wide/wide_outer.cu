// Sums of outer products by mma.sync: a block makes 128 x 64 of a result from all rows, or from its part of
// them, 64 rows a stage. Rows beyond its part come as zeros.
#include "epilogue.cuh"
#include "wide/wide.h"
#include "wide/wide_fragments.cuh"

namespace sklar::cuda {
namespace {

template <Operand operand>
using Tile = WideTile<operand, 2, 1, 2, 2, 3, 1>;
using AnyTile = Tile<Operand::half>;

constexpr unsigned tile_rows = AnyTile::rows, tile_columns = AnyTile::columns;
constexpr size_t result_values = size_t{tile_rows} * tile_columns;
constexpr size_t part_values = result_values + tile_rows;  // and the column sums beside it

// so many blocks are worth having, and so many rows are worth a block of their own: fixed, as sums are
constexpr size_t wanted_blocks = 264, shortest_part = 256;

struct Jobs {
  WideOuter job[most_products];
  unsigned first_tile[most_products + 1];
  unsigned count;
};

struct Place2 {
  const WideOuter* job;
  size_t row, column;
};
__device__ __forceinline__ Place2 place_of(const Jobs& jobs, unsigned index) {
  unsigned j = 0;
  while (j + 1 < jobs.count && jobs.first_tile[j + 1] <= index) ++j;
  const WideOuter& job = jobs.job[j];
  const unsigned across = static_cast<unsigned>((job.b_columns + tile_columns - 1) / tile_columns);
  const unsigned local = index - jobs.first_tile[j];
  return {&job, size_t{local / across} * tile_rows, size_t{local % across} * tile_columns};
}

// Four neighbouring values of a result, and one of the column sums.
__device__ __forceinline__ void store_values(const Place2& t, unsigned i, unsigned j, const float4& v) {
  const WideOuter& job = *t.job;
  const size_t row = t.row + i, column = t.column + j;
  if (row >= job.a_columns || column >= job.b_columns) return;
  float* const to = job.c + row * job.c_stride + column;
  if (column + 4 <= job.b_columns && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
    *reinterpret_cast<float4*>(to) = v;
    return;
  }
  const float values[4] = {v.x, v.y, v.z, v.w};
  for (unsigned e = 0; e < 4; ++e)
    if (column + e < job.b_columns) to[e] = values[e];
}
__device__ __forceinline__ void store_sum(const Place2& t, unsigned i, float value) {
  const WideOuter& job = *t.job;
  if (job.column_sums && t.column == 0 && t.row + i < job.a_columns) job.column_sums[t.row + i] = value;
}

template <class T>
__device__ __forceinline__ void multiply_stage(float (&acc)[T::down][T::across][4], float (&sums)[T::down][4],
                                               bool wants_sums, const uint16_t* stage,
                                               const unsigned (&left)[T::down],
                                               const unsigned (&right)[T::across / 2]) {
  constexpr uint32_t ones = T::operand == Operand::half ? 0x3C003C00u : 0x3F803F80u;
#pragma unroll
  for (unsigned k = 0; k < square / 16; ++k) {
    uint32_t a[T::down][4], b[T::across / 2][4];
#pragma unroll
    for (unsigned i = 0; i < T::down; ++i) load_matrices_transposed(a[i], stage + left[i] + k * 16 * square);
#pragma unroll
    for (unsigned j = 0; j < T::across / 2; ++j)
      load_matrices_transposed(b[j], stage + right[j] + k * 16 * square);
    multiply_all<T>(acc, a, b);
    if (wants_sums)
#pragma unroll
      for (unsigned i = 0; i < T::down; ++i) multiply_add<T::operand>(sums[i], a[i], ones, ones);
  }
}

// blockIdx.x: tile; blockIdx.y: part of the rows, left in `partials` where there are several
template <class T>
__global__ void __launch_bounds__(T::threads) wide_outer_kernel(const Jobs jobs, float* partials) {
  if constexpr (!has_16_bit_products) return;
  SKLAR_SHARED(uint16_t, shared);
  const Place2 t = place_of(jobs, blockIdx.x);
  const WideOuter& job = *t.job;
  const WarpPart<T> w;
  const bool sums_here = job.column_sums && t.column == 0 && w.column == 0;

  // rows of a fragment of the left factor are its columns: transposed on the way
  unsigned left[T::down], right[T::across / 2];
  const unsigned from_row = w.lane % 8 + w.lane / 16 * 8;
#pragma unroll
  for (unsigned i = 0; i < T::down; ++i)
    left[i] = T::left(w.row / square) + from_row * square +
              ((w.row % square / 8 + 2 * i + w.lane / 8 % 2) ^ w.lane % 8) * 8;
#pragma unroll
  for (unsigned j = 0; j < T::across / 2; ++j)
    right[j] = T::right(w.column / square) + w.lane % 16 * square +
               ((w.column % square / 8 + 2 * j + w.lane / 16) ^ w.lane % 8) * 8;

  float acc[T::down][T::across][4] = {}, sums[T::down][4] = {};
  for (unsigned s = 0; s < job.segments; ++s) {
    const size_t length = job.rows[s], share = squares_along((length + gridDim.y - 1) / gridDim.y);
    const size_t begin = share * blockIdx.y * square;
    const size_t end = begin + share * square < length ? begin + share * square : length;
    if (begin >= end) continue;
    const Squares left_of = job.a[s], right_of = job.b[s];
    const size_t a_step = left_of.across * left_of.parts * square_values;
    const size_t b_step = right_of.across * right_of.parts * square_values;
    const uint16_t* a[T::row_squares];
    // a tile may be wider than the matrix
#pragma unroll
    for (unsigned k = 0; k < T::row_squares; ++k) {
      const size_t at = t.row / square + k;
      a[k] = copies_from<T::threads>(left_of.at + begin / square * a_step +
                                     (at < left_of.across ? at : left_of.across - 1) * left_of.parts *
                                         square_values);
    }
    const uint16_t* b = copies_from<T::threads>(right_of.at + begin / square * b_step +
                                                t.column / square * right_of.parts * square_values);
    unsigned rows_left = static_cast<unsigned>(end - begin);  // that are still to be asked for
    const auto load = [&](uint16_t* stage) {
#pragma unroll
      for (unsigned k = 0; k < T::row_squares; ++k) {
        copy_square<T::threads>(stage + T::left(k), a[k], rows_left);
        a[k] += a_step;
      }
      copy_square<T::threads>(stage + T::right(0), b, rows_left);
      b += b_step;
      rows_left = rows_left > square ? rows_left - static_cast<unsigned>(square) : 0;
    };
    const bool wants_sums = sums_here && s == 0;
    unsigned to_come = static_cast<unsigned>(squares_along(end - begin));
#pragma unroll
    for (unsigned k = 0; k + 1 < T::stages; ++k) {
      if (rows_left > 0) load(shared + k * T::stage);
      commit_copies();
    }
#pragma unroll 1
    while (to_come > 0) {
#pragma unroll
      for (unsigned k = 0; k < T::stages; ++k) {
        wait_for_copies_but<T::stages - 2>();
        __syncthreads();  // this stage is here, and everybody is done with the one before
        if (rows_left > 0) load(shared + (k + T::stages - 1) % T::stages * T::stage);
        commit_copies();
        multiply_stage<T>(acc, sums, wants_sums, shared + k * T::stage, left, right);
        if (--to_come == 0) break;
      }
    }
    __syncthreads();  // the next segment, or the result, takes the place of this one
  }

  float* const staged = reinterpret_cast<float*>(shared);
  float* const to = gridDim.y > 1
                        ? partials + (static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x) * part_values
                        : nullptr;
  // every column of these products is the sum of the rows
  if (sums_here && w.lane % 4 == 0)
    for (unsigned i = 0; i < T::down; ++i)
      for (unsigned half = 0; half < 2; ++half) {
        const unsigned row = w.row + 16 * i + 8 * half + w.lane / 4;
        if (to)
          to[result_values + row] = sums[i][2 * half];
        else
          store_sum(t, row, sums[i][2 * half]);
      }
  stage_sums<T>(staged, acc, w);
  __syncthreads();
  for (unsigned k = threadIdx.x; k < result_values / 4; k += T::threads) {
    const unsigned i = k / (tile_columns / 4), j = k % (tile_columns / 4) * 4;
    const float4 v = *reinterpret_cast<const float4*>(staged + i * T::pitch + j);
    if (to)
      reinterpret_cast<float4*>(to)[k] = v;
    else
      store_values(t, i, j, v);
  }
}

// blockIdx.x: tile
__global__ void __launch_bounds__(block_threads)
    wide_outer_sums_kernel(const Jobs jobs, const float* partials, unsigned splits) {
  const Place2 t = place_of(jobs, blockIdx.x);
  const size_t stride = gridDim.x * part_values;
  partials += blockIdx.x * part_values;
  for (unsigned k = threadIdx.x; k < result_values / 4; k += block_threads) {
    float4 sum = make_float4(0, 0, 0, 0);
    for (unsigned s = 0; s < splits; ++s) {
      const float4 v = reinterpret_cast<const float4*>(partials + s * stride)[k];
      sum.x += v.x;
      sum.y += v.y;
      sum.z += v.z;
      sum.w += v.w;
    }
    store_values(t, k / (tile_columns / 4), k % (tile_columns / 4) * 4, sum);
  }
  if (!t.job->column_sums || t.column != 0) return;
  for (unsigned i = threadIdx.x; i < tile_rows; i += block_threads) {
    float sum = 0;
    for (unsigned s = 0; s < splits; ++s) sum += partials[s * stride + result_values + i];
    store_sum(t, i, sum);
  }
}

size_t tiles_of(const WideOuter& p) {
  return (p.a_columns + tile_rows - 1) / tile_rows * ((p.b_columns + tile_columns - 1) / tile_columns);
}

template <class T>
int launch(const Jobs& given, unsigned tiles, unsigned splits, float* workspace, void* stream) {
  const auto kernel = &wide_outer_kernel<T>;
  if (const int status = allow_most_shared(reinterpret_cast<const void*>(kernel))) return status;
  const Jobs jobs = given;
  SKLAR_LAUNCH(kernel, dim3(tiles, splits), T::threads, T::shared_bytes, stream, jobs, workspace);
  return cudaGetLastError();
}

}  // namespace

OuterPlan plan_wide_outer(const WideOuter* products, size_t count) {
  size_t tiles = 0, longest = 0;
  for (size_t i = 0; i < count; ++i) {
    tiles += tiles_of(products[i]);
    size_t length = 0;
    for (unsigned s = 0; s < products[i].segments; ++s) length += products[i].rows[s];
    longest = longest < length ? length : longest;
  }
  return plan_parts(tiles, longest, wanted_blocks, shortest_part, part_values);
}

int launch_wide_outer(const WideOuter* products, size_t count, const OuterPlan& plan, bool bf16,
                      float* workspace, void* stream) {
  if (plan.tiles == 0) return cudaSuccess;
  Jobs jobs;
  jobs.count = static_cast<unsigned>(count);
  jobs.first_tile[0] = 0;
  for (size_t i = 0; i < count; ++i) {
    jobs.job[i] = products[i];
    jobs.first_tile[i + 1] = jobs.first_tile[i] + static_cast<unsigned>(tiles_of(products[i]));
  }
  const unsigned tiles = jobs.first_tile[count], splits = static_cast<unsigned>(plan.splits);
  const int status = bf16 ? launch<Tile<Operand::bf16>>(jobs, tiles, splits, workspace, stream)
                          : launch<Tile<Operand::half>>(jobs, tiles, splits, workspace, stream);
  if (status || splits == 1) return status;
  SKLAR_LAUNCH(wide_outer_sums_kernel, tiles, block_threads, 0, stream, jobs, workspace, splits);
  return cudaGetLastError();
}

}  // namespace sklar::cuda
