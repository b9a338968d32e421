// Products by mma.sync: tiles of 64 x 64 of the result, 8 warps of 16 x 32 each. Operands come from memory in
// float32 and are rounded on the way to shared memory; pitches are such that ldmatrix has no bank conflicts.
#include "tensor.h"

#include <float.h>

#include "epilogue.cuh"
#include "outer_jobs.cuh"
#include "warp_mma.cuh"

namespace sklar::cuda {
namespace {

constexpr unsigned depth = 32;              // of the sums between two barriers
constexpr unsigned row_pitch = depth + 8;   // of a factor whose rows are those of the result
constexpr unsigned depth_pitch = tile + 8;  // of one whose rows are the summed index
constexpr unsigned row_part = tile * row_pitch;
constexpr unsigned depth_part = depth * depth_pitch;

constexpr size_t larger(size_t a, size_t b) { return a < b ? b : a; }
constexpr size_t tile_bytes = sizeof(float) * tile * tile_pitch;
template <Arithmetic arithmetic>
constexpr size_t linear_bytes = larger(
    2 * sizeof(uint16_t) * (row_part + depth_part) * (arithmetic == Arithmetic::three_products ? 2 : 1),
    tile_bytes);
constexpr size_t outer_bytes = larger(2 * sizeof(uint16_t) * 2 * depth_part, tile_bytes);

template <Arithmetic arithmetic>
constexpr Operand operand_of = arithmetic == Arithmetic::brain ? Operand::brain : Operand::half;

// Eight neighbouring values of a row, zero outside of the matrix; rows are aligned to 16 bytes.
struct Eight {
  float value[8];
};
__device__ __forceinline__ Eight fetch(const MatrixView<const float>& m, size_t row, size_t column) {
  Eight e;
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    const size_t at = column + 4 * part;
    float4 v = make_float4(0, 0, 0, 0);
    if (row < m.rows && at < m.columns) {
      const float* from = m.row(row) + at;
      if (at + 4 <= m.columns)
        v = *reinterpret_cast<const float4*>(from);
      else
        v = make_float4(from[0], at + 1 < m.columns ? from[1] : 0.0f, at + 2 < m.columns ? from[2] : 0.0f, 0);
    }
    e.value[4 * part] = v.x;
    e.value[4 * part + 1] = v.y;
    e.value[4 * part + 2] = v.z;
    e.value[4 * part + 3] = v.w;
  }
  return e;
}

struct alignas(16) Packed8 {
  uint32_t pair[4];
};

// Rounded to the operand's type; `low` (three products) receives what is left.
template <Arithmetic arithmetic>
__device__ __forceinline__ Packed8 round8(Eight e, Packed8* low, unsigned* saturated) {
  Packed8 high;
  if constexpr (arithmetic != Arithmetic::brain) {
    bool beyond = false;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float v = e.value[i];
      if (fabsf(v) > half_end && fabsf(v) <= FLT_MAX) {
        e.value[i] = v > 0 ? half_end : -half_end;
        beyond = true;
      }
    }
    if (beyond) atomicAdd(saturated, 1u);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    high.pair[i] = pack2<operand_of<arithmetic>>(e.value[2 * i], e.value[2 * i + 1]);
    if constexpr (arithmetic == Arithmetic::three_products)
      low->pair[i] = pack2<Operand::half>((e.value[2 * i] - half_value(high.pair[i], false)) * low_scale,
                                          (e.value[2 * i + 1] - half_value(high.pair[i], true)) * low_scale);
  }
  return high;
}

__device__ __forceinline__ void store8(uint16_t* to, const Packed8& v) {
  *reinterpret_cast<Packed8*>(to) = v;
}

// What a warp sums: 16 x 32 of the tile.
struct WarpTile {
  unsigned lane, row, column;
};
__device__ __forceinline__ WarpTile warp_tile() {
  const unsigned warp = threadIdx.x / warp_lanes;
  return {threadIdx.x % warp_lanes, warp / 2 * 16, warp % 2 * 32};
}

// acc[j] += 16 x 16 of a times 16 x 8 of b, j-th of four neighbouring columns
template <Operand operand>
__device__ __forceinline__ void multiply_row(float (&acc)[4][4], const uint32_t (&a)[4],
                                             const uint32_t (&b)[2][4]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) multiply_add<operand>(acc[j], a, b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
}

__device__ __forceinline__ void load_columns(uint32_t (&b)[2][4], const uint16_t* part, unsigned k,
                                             const WarpTile& w) {
  const unsigned row = k + w.lane % 16, column = w.column + w.lane / 16 * 8;
  load_matrices_transposed(b[0], part + row * depth_pitch + column);
  load_matrices_transposed(b[1], part + row * depth_pitch + column + 16);
}

__device__ __forceinline__ void store_sums(float* to, const float (&acc)[4][4], const WarpTile& w) {
  float* at = to + (w.row + w.lane / 4) * tile_pitch + w.column + w.lane % 4 * 2;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    at[8 * j] = acc[j][0];
    at[8 * j + 1] = acc[j][1];
    at[8 * tile_pitch + 8 * j] = acc[j][2];
    at[8 * tile_pitch + 8 * j + 1] = acc[j][3];
  }
}

template <Arithmetic arithmetic>
__global__ void __launch_bounds__(block_threads)
    tensor_linear_kernel(MatrixView<const float> x, Factor16 b, EpilogueOperands<float> epilogue,
                         unsigned* saturated) {
  constexpr bool three_products = arithmetic == Arithmetic::three_products;
  constexpr unsigned stage = (row_part + depth_part) * (three_products ? 2 : 1);
  SKLAR_SHARED(uint16_t, shared);
  const size_t row = static_cast<size_t>(blockIdx.x) * tile, column = static_cast<size_t>(blockIdx.y) * tile;
  const WarpTile w = warp_tile();
  float acc[4][4] = {}, rest[4][4] = {};

  const unsigned x_row = threadIdx.x / 4, x_column = threadIdx.x % 4 * 8;
  const unsigned b_row = threadIdx.x / 8, b_column = threadIdx.x % 8 * 8;
  auto fetch_b = [&](const uint16_t* from, size_t k) {
    Packed8 v = {{0, 0, 0, 0}};
    if (k + b_row < b.inner && column + b_column < b.stride)
      v = *reinterpret_cast<const Packed8*>(from + (k + b_row) * b.stride + column + b_column);
    return v;
  };
  Eight next_x = fetch(x, row + x_row, x_column);
  Packed8 next_b = fetch_b(b.high, 0), next_low = {{0, 0, 0, 0}};
  if constexpr (three_products) next_low = fetch_b(b.low, 0);

  unsigned buffer = 0;
  for (size_t k0 = 0; k0 < b.inner; k0 += depth, buffer ^= 1) {
    uint16_t* const at_x = shared + buffer * stage;
    uint16_t* const at_b = at_x + row_part;
    uint16_t* const low_x = at_b + depth_part;
    uint16_t* const low_b = low_x + row_part;
    Packed8 rounded_low;
    store8(at_x + x_row * row_pitch + x_column, round8<arithmetic>(next_x, &rounded_low, saturated));
    store8(at_b + b_row * depth_pitch + b_column, next_b);
    if constexpr (three_products) {
      store8(low_x + x_row * row_pitch + x_column, rounded_low);
      store8(low_b + b_row * depth_pitch + b_column, next_low);
    }
    __syncthreads();
    if (k0 + depth < b.inner) {
      next_x = fetch(x, row + x_row, k0 + depth + x_column);
      next_b = fetch_b(b.high, k0 + depth);
      if constexpr (three_products) next_low = fetch_b(b.low, k0 + depth);
    }
#pragma unroll
    for (unsigned k = 0; k < depth; k += 16) {
      const unsigned at = (w.row + w.lane % 16) * row_pitch + k + w.lane / 16 * 8;
      uint32_t fragment[4], columns[2][4];
      load_matrices(fragment, at_x + at);
      load_columns(columns, at_b, k, w);
      multiply_row<operand_of<arithmetic>>(acc, fragment, columns);
      if constexpr (three_products) {
        uint32_t other[2][4];
        load_columns(other, low_b, k, w);
        multiply_row<Operand::half>(rest, fragment, other);
        load_matrices(fragment, low_x + at);
        multiply_row<Operand::half>(rest, fragment, columns);
      }
    }
  }
  if constexpr (three_products)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < 4; ++i) acc[j][i] += rest[j][i] * (1 / low_scale);
  __syncthreads();  // the result takes the place of the factors
  float* const sums = reinterpret_cast<float*>(shared);
  store_sums(sums, acc, w);
  __syncthreads();
  finish_tile(sums, tile_pitch, tile, tile, row, column, x.rows, b.columns, epilogue);
}

template <Arithmetic arithmetic>
__global__ void __launch_bounds__(block_threads)
    tensor_outer_kernel(const OuterJobs jobs, float* partials, unsigned* saturated) {
  SKLAR_SHARED(uint16_t, shared);
  const OuterTile t = outer_tile(jobs, blockIdx.x);
  const OuterJob& job = *t.job;
  const bool wants_sums = job.column_sums && t.column == 0;
  const WarpTile w = warp_tile();
  const unsigned from_row = threadIdx.x / 8, from_column = threadIdx.x % 8 * 8;
  float acc[4][4] = {}, column_sum[8] = {};
  for (unsigned s = 0; s < job.segments; ++s) {
    const OuterPart part = outer_part(job.a[s].rows, depth);
    if (part.begin >= part.end) continue;
    // rows from its end on belong to the next part
    const MatrixView<const float> a = job.a[s].first(part.end), b = job.b[s].first(part.end);
    Eight next_a = fetch(a, part.begin + from_row, t.row + from_column);
    Eight next_b = fetch(b, part.begin + from_row, t.column + from_column);
    unsigned buffer = 0;
    for (size_t k0 = part.begin; k0 < part.end; k0 += depth, buffer ^= 1) {
      uint16_t* const at_a = shared + buffer * 2 * depth_part;
      uint16_t* const at_b = at_a + depth_part;
      if (wants_sums && s == 0)
        for (int i = 0; i < 8; ++i) column_sum[i] += next_a.value[i];
      Packed8 unused;
      const unsigned at = from_row * depth_pitch + from_column;
      store8(at_a + at, round8<arithmetic>(next_a, &unused, saturated));
      store8(at_b + at, round8<arithmetic>(next_b, &unused, saturated));
      __syncthreads();
      if (k0 + depth < part.end) {
        next_a = fetch(a, k0 + depth + from_row, t.row + from_column);
        next_b = fetch(b, k0 + depth + from_row, t.column + from_column);
      }
#pragma unroll
      for (unsigned k = 0; k < depth; k += 16) {
        uint32_t fragment[4], columns[2][4];
        // rows of the fragment are columns of a: transposed on the way
        load_matrices_transposed(
            fragment, at_a + (k + w.lane % 8 + w.lane / 16 * 8) * depth_pitch + w.row + w.lane / 8 % 2 * 8);
        load_columns(columns, at_b, k, w);
        multiply_row<operand_of<arithmetic>>(acc, fragment, columns);
      }
    }
    __syncthreads();  // the next segment, or the result, takes the place of this one
  }
  float* const sums = reinterpret_cast<float*>(shared);
  float total = 0;
  if (wants_sums) {  // thread t holds sums of columns 8 (t % 8).. over rows t / 8 of every part
    for (int i = 0; i < 8; ++i) sums[from_row * tile + from_column + i] = column_sum[i];
    __syncthreads();
    if (threadIdx.x < tile)
      for (unsigned r = 0; r < depth; ++r) total += sums[r * tile + threadIdx.x];
    __syncthreads();
  }
  store_sums(sums, acc, w);
  __syncthreads();
  finish_outer(t, sums, total, partials);
}

struct PackJobs {
  PackJob job[most_packs];
};

// blockIdx.y: job; tiles of 32 x 32 of the factor in turn, read along the rows of w and written along those
// of the factor
__global__ void __launch_bounds__(block_threads) pack_kernel(const PackJobs jobs, bool brain) {
  constexpr unsigned side = 32;
  SKLAR_SHARED(float, shared);  // [side][side + 1]
  const PackJob& job = jobs.job[blockIdx.y];
  const size_t width = job.b ? factor_stride(job.columns) : factor16_stride(job.columns);
  const size_t across = (width + side - 1) / side, down = (job.inner + side - 1) / side;
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
    for (unsigned y = threadIdx.x / side; y < side; y += block_threads / side) {
      const size_t k = k0 + y, j = j0 + x;
      if (k >= job.inner || j >= width) continue;
      const float value = shared[y * (side + 1) + x];
      const size_t at = k * width + j;
      if (job.b) {
        job.b[at] = value;
        continue;
      }
      // one value of a pair is enough here
      const uint32_t bits = brain ? pack2<Operand::brain>(value, 0) : pack2<Operand::half>(value, 0);
      job.high[at] = static_cast<uint16_t>(bits);
      if (job.low)
        job.low[at] =
            static_cast<uint16_t>(pack2<Operand::half>((value - half_value(bits, false)) * low_scale, 0));
    }
    __syncthreads();
  }
}

template <Arithmetic arithmetic>
int launch_linear_as(MatrixView<const float> x, const Factor16& b, const EpilogueOperands<float>& epilogue,
                     unsigned* saturated, void* stream) {
  const dim3 grid(static_cast<unsigned>((x.rows + tile - 1) / tile),
                  static_cast<unsigned>((b.columns + tile - 1) / tile));
  const auto kernel = &tensor_linear_kernel<arithmetic>;
  const Factor16 factor = b;
  const EpilogueOperands<float> e = epilogue;
  SKLAR_LAUNCH(kernel, grid, block_threads, linear_bytes<arithmetic>, stream, x, factor, e, saturated);
  return cudaGetLastError();
}

static_assert(linear_bytes<Arithmetic::three_products> <= 48 * 1024 && outer_bytes <= 48 * 1024);

}  // namespace

int launch_packs(const PackJob* given, size_t count, bool brain, void* stream) {
  if (count == 0) return cudaSuccess;
  PackJobs jobs;
  size_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    jobs.job[i] = given[i];
    const size_t tiles = (given[i].inner + 31) / 32 * ((factor16_stride(given[i].columns) + 31) / 32);
    largest = largest < tiles ? tiles : largest;
  }
  const dim3 grid(blocks_for(largest, 1), static_cast<unsigned>(count));
  SKLAR_LAUNCH(pack_kernel, grid, block_threads, 32 * 33 * sizeof(float), stream, jobs, brain);
  return cudaGetLastError();
}

int launch_tensor_linear(MatrixView<const float> x, const Factor16& b, Arithmetic arithmetic,
                         const EpilogueOperands<float>& epilogue, unsigned* saturated, void* stream) {
  switch (arithmetic) {
    case Arithmetic::half:
      return launch_linear_as<Arithmetic::half>(x, b, epilogue, saturated, stream);
    case Arithmetic::brain:
      return launch_linear_as<Arithmetic::brain>(x, b, epilogue, saturated, stream);
    case Arithmetic::three_products:
      break;
  }
  return launch_linear_as<Arithmetic::three_products>(x, b, epilogue, saturated, stream);
}

int launch_tensor_outer(const OuterProduct<float>* products, size_t count, const OuterPlan& plan, bool brain,
                        float* workspace, unsigned* saturated, void* stream) {
  if (plan.tiles == 0) return cudaSuccess;
  size_t tiles = 0;
  const OuterJobs jobs = outer_jobs(products, count, tiles);
  const unsigned splits = static_cast<unsigned>(plan.splits);
  const dim3 grid(static_cast<unsigned>(tiles), splits);
  const auto kernel =
      brain ? &tensor_outer_kernel<Arithmetic::brain> : &tensor_outer_kernel<Arithmetic::half>;
  SKLAR_LAUNCH(kernel, grid, block_threads, outer_bytes, stream, jobs, workspace, saturated);
  if (splits > 1) return launch_outer_sums(jobs, tiles, splits, workspace, stream);
  return cudaGetLastError();
}

}  // namespace sklar::cuda
