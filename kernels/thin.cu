// Thin products on the ordinary cores, bound by memory: no tiles that would be empty for the most part.
#include "thin.h"

#include "backend/rows/classifier.h"
#include "epilogue.cuh"
#include "launch.cuh"
#include "rows.cuh"

namespace sklar::cuda {
namespace {

// Values column.. of a row, up to four; 16 bits where there is nothing else.
__device__ __forceinline__ void read_quad(float (&v)[4], const MatrixView<const float>& m, size_t row,
                                          size_t column, bool bf16) {
  if (m.data) {
    const float* const from = m.row(row) + column;
    if (column + 4 <= m.columns) {
      to_values(v, *reinterpret_cast<const float4*>(from));
      return;
    }
    for (unsigned e = 0; e < 4; ++e) v[e] = column + e < m.columns ? from[e] : 0.0f;
    return;
  }
  const uint16_t* const from = m.half + in_squares(row, column, squares_along(m.columns), m.half_parts);
  const uint2 high = *reinterpret_cast<const uint2*>(from);
  if (bf16) {
    v[0] = __uint_as_float(high.x << 16);
    v[1] = __uint_as_float(high.x & 0xffff0000u);
    v[2] = __uint_as_float(high.y << 16);
    v[3] = __uint_as_float(high.y & 0xffff0000u);
    return;
  }
  to_values(v, high);
  if (m.half_parts < 2) return;
  float low[4];
  to_values(low, *reinterpret_cast<const uint2*>(from + square_values));
  for (unsigned e = 0; e < 4; ++e) v[e] += low[e] * (1 / low_scale);
}

// ---- x B with few summed values

constexpr unsigned rows_of_thread = 4;
constexpr unsigned warp_columns = 4 * warp_lanes;

struct ThinProducts {
  ThinProduct of[most_thin];
  ThinProducts(const ThinProduct* from, size_t count) {
    for (size_t i = 0; i < count; ++i) of[i] = from[i];
  }
};

// A warp: four rows and 128 columns, a lane four neighbouring ones of them. blockIdx.z: product
__global__ void __launch_bounds__(block_threads) thin_inner_kernel(const ThinProducts products) {
  SKLAR_SHARED(float, shared);
  const auto& [x, b, finish] = products.of[blockIdx.z];
  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  const size_t column = static_cast<size_t>(blockIdx.x) * warp_columns + lane * 4;
  const size_t first = (static_cast<size_t>(blockIdx.y) * warps_of_block + warp) * rows_of_thread;
  if (column >= b.columns || first >= x.rows) return;
  float acc[rows_of_thread][4] = {};
  for (size_t k = 0; k < b.inner; k += 4) {
    float given[rows_of_thread][4];
#pragma unroll
    for (unsigned i = 0; i < rows_of_thread; ++i)
      read_quad(given[i], x, first + i < x.rows ? first + i : x.rows - 1, k, finish.bf16);
#pragma unroll
    for (unsigned e = 0; e < 4; ++e) {
      if (k + e >= b.inner) break;
      float w[4];
      to_values(w, *reinterpret_cast<const float4*>(b.b + (k + e) * b.stride + column));
#pragma unroll
      for (unsigned i = 0; i < rows_of_thread; ++i)
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) acc[i][j] = fmaf(given[i][e], w[j], acc[i][j]);
    }
  }
  with_finisher<Variants{}>(finish, [&](auto kind) {
    using Kind = typename decltype(kind)::type;
    if (finish.wide && first + rows_of_thread <= x.rows && column + 4 <= b.columns) {
      const Kind finisher(finish, column);
      const size_t across = squares_along(b.columns);
      typename Kind::Inputs in[rows_of_thread];
#pragma unroll
      for (unsigned i = 0; i < rows_of_thread; ++i) finisher.read(in[i], Place(first + i, column, across));
#pragma unroll
      for (unsigned i = 0; i < rows_of_thread; ++i)
        finisher.write(in[i], Place(first + i, column, across), acc[i]);
      return;
    }
    // element by element, from shared memory
    float* const sums = shared + warp * rows_of_thread * warp_columns + lane * 4;
#pragma unroll
    for (unsigned i = 0; i < rows_of_thread; ++i)
      *reinterpret_cast<float4*>(sums + i * warp_columns) =
          make_float4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
#pragma unroll 1
    for (unsigned k = 0; k < rows_of_thread * 4; ++k)
      if (first + k / 4 < x.rows && column + k % 4 < b.columns)
        Kind::one(finish, first + k / 4, column + k % 4, sums[k / 4 * warp_columns + k % 4]);
  });
}

// ---- x B with few columns

constexpr unsigned columns_at_once = 16;
constexpr unsigned warp_values = rows_of_thread * columns_at_once;

// Sums over the lanes: a lane halves what it holds and swaps the other half, until it has the sums of two
// values, the first of which is returned.
template <unsigned half>
__device__ __forceinline__ unsigned share_sums(float (&v)[warp_values], unsigned lane) {
  constexpr unsigned mask = half * 2 * warp_lanes / 2 / warp_values;
  const bool upper = (lane & mask) != 0;
#pragma unroll
  for (unsigned i = 0; i < half; ++i) {
    const float mine = upper ? v[half + i] : v[i], other = upper ? v[i] : v[half + i];
    v[i] = mine + __shfl_xor_sync(0xffffffffu, other, static_cast<int>(mask));
  }
  const unsigned first = upper ? half : 0;
  if constexpr (mask > 1) return first + share_sums<half / 2>(v, lane);
  return first;
}

// A warp: four rows; a lane sums over four neighbouring values in every 128. stored: the only epilogue is
// store.
template <bool stored>
__device__ __forceinline__ void multiply_thin_columns(const ThinProducts& products, unsigned count,
                                                      size_t first, float* shared) {
  const auto& [x, b, finish] = products.of[0];
  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  if (first >= x.rows) return;
  float* const sums = shared + warp * warp_values;
  for (size_t column = 0; column < b.columns; column += columns_at_once) {
    float acc[warp_values] = {};
    for (unsigned t = 0; t < count; ++t) {
      const MatrixView<const float>& left = products.of[t].x;
      const Factor& right = products.of[t].b;
      for (size_t k = lane * 4; k < right.inner; k += 4 * warp_lanes) {
        float given[rows_of_thread][4];
#pragma unroll
        for (unsigned i = 0; i < rows_of_thread; ++i)
          read_quad(given[i], left, first + i < x.rows ? first + i : x.rows - 1, k, finish.bf16);
#pragma unroll
        for (unsigned j = 0; j < columns_at_once; ++j) {
          if (column + j >= b.columns) break;
          float w[4];
          to_values(w, *reinterpret_cast<const float4*>(right.b + (column + j) * right.stride + k));
#pragma unroll
          for (unsigned i = 0; i < rows_of_thread; ++i)
#pragma unroll
            for (unsigned e = 0; e < 4; ++e)
              acc[i * columns_at_once + j] = fmaf(given[i][e], w[e], acc[i * columns_at_once + j]);
        }
      }
    }
    const unsigned held = share_sums<warp_values / 2>(acc, lane);
    __syncwarp();  // the sums before have been read
    sums[held] = acc[0];
    sums[held + 1] = acc[1];
    __syncwarp();
    const auto write = [&](auto kind) {
#pragma unroll 1
      for (unsigned k = lane; k < warp_values; k += warp_lanes) {
        const size_t row = first + k / columns_at_once, at = column + k % columns_at_once;
        if (row < x.rows && at < b.columns) decltype(kind)::type::one(finish, row, at, sums[k]);
      }
    };
    if constexpr (stored)
      write(std::type_identity<Finisher<Epilogue::store, false>>{});
    else
      with_finisher<Variants{}>(finish, write);
  }
}

__device__ __forceinline__ size_t first_row_of_warp() {
  return (static_cast<size_t>(blockIdx.x) * warps_of_block + threadIdx.x / warp_lanes) * rows_of_thread;
}

__global__ void __launch_bounds__(block_threads)
    thin_columns_kernel(const ThinProducts products, unsigned count) {
  SKLAR_SHARED(float, shared);
  multiply_thin_columns<false>(products, count, first_row_of_warp(), shared);
}

__global__ void __launch_bounds__(block_threads)
    gradient_and_loss_kernel(const ThinProducts products, unsigned count, const ClassifierLoss<float> loss) {
  SKLAR_SHARED(float, shared);
  const size_t first = first_row_of_warp();
  multiply_thin_columns<true>(products, count, first, shared);
  __syncwarp();  // the rows of the gradient are there
  for (size_t i = first; i < first + rows_of_thread && i < loss.logits.rows; ++i)
    rows::classifier_loss(loss, i, WarpLanes{threadIdx.x % warp_lanes});
}

// ---- sums of outer products

constexpr unsigned outer_warps = 16, outer_threads = outer_warps * warp_lanes;

struct ThinJob {
  MatrixView<const float> narrow[2], wide[2];
  float* c;
  float* column_sums;
  size_t c_stride, first_block;
  unsigned segments;
  bool narrow_is_left;
};
struct ThinJobs {
  ThinJob job[most_products];
  unsigned count;
};

__device__ __forceinline__ float read_one(const MatrixView<const float>& m, size_t row, size_t column,
                                          bool bf16) {
  if (m.data) return m.row(row)[column];
  float v[4];
  read_quad(v, m, row, column / 4 * 4, bf16);
  return column % 4 == 0 ? v[0] : column % 4 == 1 ? v[1] : column % 4 == 2 ? v[2] : v[3];
}

// A block: 32 columns of the wider factor, a lane one of them, and all columns of the narrow one; every warp
// takes its rows, and the sums of the warps are added in their order.
template <unsigned most>
__global__ void __launch_bounds__(outer_threads) thin_outer_kernel(const ThinJobs jobs, bool bf16) {
  SKLAR_SHARED(float, shared);  // [outer_warps][32]
  unsigned j = 0;
  while (j + 1 < jobs.count && jobs.job[j + 1].first_block <= blockIdx.x) ++j;
  const ThinJob& job = jobs.job[j];
  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  const size_t column = (blockIdx.x - job.first_block) * warp_lanes + lane;
  const unsigned narrow = static_cast<unsigned>(job.narrow[0].columns);
  const size_t wide = job.wide[0].columns, mine = column < wide ? column : wide - 1;
  float acc[most] = {}, left_sum = 0;
  for (unsigned s = 0; s < job.segments; ++s) {
    const auto &a = job.narrow[s], &b = job.wide[s];
    constexpr unsigned at_once = 2;
    for (size_t row = warp; row < a.rows; row += at_once * outer_warps) {
      float of_wide[at_once], of_narrow[at_once][most];
#pragma unroll
      for (unsigned r = 0; r < at_once; ++r) {
        const size_t at = row + r * outer_warps;
        const bool there = at < a.rows;
        of_wide[r] = there ? read_one(b, at, mine, bf16) : 0.0f;
#pragma unroll
        for (unsigned k = 0; k < most; k += 4) {
          float v[4] = {0, 0, 0, 0};
          if (there && k < narrow) read_quad(v, a, at, k, bf16);
#pragma unroll
          for (unsigned e = 0; e < 4; ++e) of_narrow[r][k + e] = v[e];
        }
      }
#pragma unroll
      for (unsigned r = 0; r < at_once; ++r) {
#pragma unroll
        for (unsigned k = 0; k < most; ++k) acc[k] = fmaf(of_narrow[r][k], of_wide[r], acc[k]);
        if (s > 0 || !job.column_sums) continue;
        if (!job.narrow_is_left)
          left_sum += of_wide[r];
        else if (lane < narrow && row + r * outer_warps < a.rows)
          left_sum += read_one(a, row + r * outer_warps, lane, bf16);
      }
    }
  }
  const auto all_warps = [&](float value) {
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    float sum = 0;
    if (warp == 0)
      for (unsigned w = 0; w < outer_warps; ++w) sum += shared[w * warp_lanes + lane];
    return sum;
  };
#pragma unroll
  for (unsigned k = 0; k < most; ++k) {
    if (k >= narrow) break;
    const float sum = all_warps(acc[k]);
    if (warp == 0 && column < wide)
      job.c[job.narrow_is_left ? k * job.c_stride + column : column * job.c_stride + k] = sum;
  }
  if (!job.column_sums) return;
  const float sum = all_warps(left_sum);
  if (warp > 0) return;
  if (!job.narrow_is_left && column < wide) job.column_sums[column] = sum;
  if (job.narrow_is_left && blockIdx.x == job.first_block && lane < narrow) job.column_sums[lane] = sum;
}

}  // namespace

int launch_thin_inner(const ThinProduct* products, size_t count, void* stream) {
  size_t columns = 0;
  for (size_t i = 0; i < count; ++i)
    columns = columns < products[i].b.columns ? products[i].b.columns : columns;
  const dim3 grid(static_cast<unsigned>((columns + warp_columns - 1) / warp_columns),
                  static_cast<unsigned>((products[0].x.rows + warps_of_block * rows_of_thread - 1) /
                                        (warps_of_block * rows_of_thread)),
                  static_cast<unsigned>(count));
  const auto kernel = &thin_inner_kernel;
  const ThinProducts of(products, count);
  SKLAR_LAUNCH(kernel, grid, block_threads, block_threads * rows_of_thread * sizeof(float4), stream, of);
  return cudaGetLastError();
}

int launch_thin_columns(const ThinProduct* products, size_t count, void* stream) {
  const unsigned blocks = static_cast<unsigned>((products[0].x.rows + warps_of_block * rows_of_thread - 1) /
                                                (warps_of_block * rows_of_thread));
  const ThinProducts of(products, count);
  const unsigned terms = static_cast<unsigned>(count);
  SKLAR_LAUNCH(thin_columns_kernel, blocks, block_threads, warps_of_block * warp_values * sizeof(float),
               stream, of, terms);
  return cudaGetLastError();
}

int launch_thin_columns_and_loss(const ThinProduct* products, size_t count,
                                 const ClassifierLoss<float>& given, void* stream) {
  const unsigned blocks = static_cast<unsigned>((given.logits.rows + warps_of_block * rows_of_thread - 1) /
                                                (warps_of_block * rows_of_thread));
  const ThinProducts of(products, count);
  const unsigned terms = static_cast<unsigned>(count);
  const ClassifierLoss<float> loss = given;
  SKLAR_LAUNCH(gradient_and_loss_kernel, blocks, block_threads, warps_of_block * warp_values * sizeof(float),
               stream, of, terms, loss);
  return cudaGetLastError();
}

int launch_thin_outer(const OuterProduct<float>* products, size_t count, bool bf16, void* stream) {
  if (count == 0) return cudaSuccess;
  ThinJobs jobs;
  jobs.count = static_cast<unsigned>(count);
  size_t blocks = 0, most = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto& p = products[i];
    ThinJob& job = jobs.job[i];
    job.narrow_is_left = p.segment[0].a.columns <= p.segment[0].b.columns;
    job.segments = static_cast<unsigned>(p.segments);
    for (int s = 0; s < p.segments; ++s) {
      job.narrow[s] = job.narrow_is_left ? p.segment[s].a : p.segment[s].b;
      job.wide[s] = job.narrow_is_left ? p.segment[s].b : p.segment[s].a;
    }
    job.c = p.c;
    job.column_sums = p.column_sums;
    job.c_stride = p.c_stride;
    job.first_block = blocks;
    blocks += (job.wide[0].columns + warp_lanes - 1) / warp_lanes;
    most = most < job.narrow[0].columns ? job.narrow[0].columns : most;
  }
  const auto kernel = most <= 16 ? &thin_outer_kernel<16> : &thin_outer_kernel<32>;
  SKLAR_LAUNCH(kernel, static_cast<unsigned>(blocks), outer_threads, outer_threads * sizeof(float), stream,
               jobs, bf16);
  return cudaGetLastError();
}

}  // namespace sklar::cuda
