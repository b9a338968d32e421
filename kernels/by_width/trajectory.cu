// The kernel of narrow.h, at one width.
#include <type_traits>

#include "narrow/narrow_layers.cuh"
#include "narrow/narrow_rows.cuh"

namespace sklar::cuda {
namespace {

// Parameters as residual_mlp_slices orders them, to where the layout wants them.
template <unsigned width>
__device__ __forceinline__ void load_network(unsigned char* shared, const NarrowLayout& at,
                                             const NarrowNetwork& n) {
  constexpr uint32_t matrix = width * width, stage = matrix + width;
  const uint32_t threads = blockDim.x, matrices = 2 * n.depth;
  const float* const blocks = n.parameters + n.inputs * width + width;
  const float* const head = blocks + matrices * stage;
  auto copy = [&](uint32_t to, const float* from, uint32_t count) {
    float* const begin = reinterpret_cast<float*>(shared + to);
    for (uint32_t i = threadIdx.x; i < count; i += threads) begin[i] = from[i];
  };
  uint32_t* const weights = reinterpret_cast<uint32_t*>(shared);
#pragma unroll 4
  for (uint32_t i = threadIdx.x; i < matrices * (matrix / 2); i += threads) {
    const uint32_t m = i / (matrix / 2), pair = i % (matrix / 2), row = pair / (width / 2),
                   column = pair % (width / 2);
    const float* const from = blocks + m * stage + 2 * pair;
    weights[(m * width + row) * ((width + 8) / 2) + column] = pack2<Operand::half>(from[0], from[1]);
  }
  copy(at.biases, n.parameters + n.inputs * width, width);
  for (uint32_t m = 0; m < matrices; ++m)
    copy(at.biases + (m + 1) * width * sizeof(float), blocks + m * stage + matrix, width);
  float* const input = reinterpret_cast<float*>(shared + at.input);
  for (uint32_t i = threadIdx.x; i < n.inputs * width; i += threads)
    input[i] = n.parameters[i % width * n.inputs + i / width];
  copy(at.head, head, n.outputs * (width + 1));
  if (n.slope) copy(at.slope, n.slope, n.dim * n.dim);
}

// Blocks of a processor, at least, as ptxas is to plan registers for; left to itself (0) it saves some at the
// cost of spills, but for the widest.
constexpr unsigned blocks_planned(unsigned width) { return width > 64 ? 0 : 1; }

template <unsigned width, bool three_products, bool relu, bool levels>
__global__ void __launch_bounds__(narrow_warps* warp_lanes, blocks_planned(width))
    narrow_kernel(const NarrowProgram program) {
  if constexpr (!has_16_bit_products) return;
  SKLAR_SHARED(unsigned char, shared);
  const NarrowNetwork& n = program.network;
  const bool lifts = !levels && velocity_lifts(program.velocity);
  const NarrowLayout at(n, width, levels, relu, lifts);
  load_network<width>(shared, at, n);
  __syncthreads();

  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  const size_t first = (static_cast<size_t>(blockIdx.x) * (blockDim.x / warp_lanes) + warp) * narrow_rows;
  if (first >= program.z.rows) return;
  unsigned char* const own = shared + at.warps + warp * at.warp_bytes;
  float* const z = reinterpret_cast<float*>(own);
  const uint32_t area = narrow_rows * at.state_pitch;
  const NarrowRows rows{z,     z + area,       z + 2 * area,     z + 3 * area, lifts ? z + 4 * area : z,
                        n.dim, at.state_pitch, at.feature_pitch, lane,         first};
  NarrowPasses<width, three_products, relu, levels> network{
      reinterpret_cast<const uint16_t*>(shared),
      reinterpret_cast<const Four*>(program.low),
      reinterpret_cast<const float*>(shared + at.biases),
      reinterpret_cast<Four*>(own + at.outer),
      reinterpret_cast<Four*>(own + at.inner),
      n.depth,
      lane};
  const float* const input = reinterpret_cast<const float*>(shared + at.input);
  const float* const head = reinterpret_cast<const float*>(shared + at.head);

  rows.load(program.z);
  int32_t failed = 0;
  __syncwarp();
#pragma unroll 1
  for (uint32_t i = 0; i < program.count; ++i) {
    const NarrowStep& s = program.steps[i];
    float scale = s.scale;
    if (scale != 0) {
      if (lifts) {
        rows.lift(program.velocity);
        __syncwarp();
      }
      float h[width / 8][4];
      network.enter(h, input, rows.features, at.feature_pitch, n.lifted, s.feature, n.inputs - n.lifted);
      network.forward(h);
      if constexpr (levels) {
        network.seed(h, head, s, n.outputs - 1);
        network.adjoint(h);
        network.leave(rows.field, at.state_pitch, h, input, nullptr, n.dim);
      } else {
        network.leave(rows.field, at.state_pitch, h, head, head + n.outputs * width, n.dim);
      }
      __syncwarp();
      if (lifts) {
        rows.bound(program.velocity);
        __syncwarp();
      }
    }
    if (levels && s.reference != 0) {
      rows.add_slope(scale, reinterpret_cast<const float*>(shared + at.slope), s.reference);
      scale = 1;
      __syncwarp();
    }
    rows.move(s, scale, program.reflected, program.first_row, program.seed);
    __syncwarp();
    if (s.mark) {
      rows.keep_finite(failed, s.mark);
      __syncwarp();
    }
  }
  rows.store(program.z);
  if (lane < narrow_rows && first + lane < program.z.rows) program.failed[first + lane] = failed;
  if (network.saturated) atomicAdd(program.saturated, 1u);
}

}  // namespace

template <unsigned width>
int launch_narrow(const NarrowProgram& given, bool levels, bool relu, uint32_t warps, void* stream) {
  const NarrowProgram program = given;
  const bool lifts = !levels && velocity_lifts(program.velocity);
  const size_t shared = NarrowLayout(program.network, width, levels, relu, lifts).bytes(warps);
  const unsigned threads = warps * warp_lanes;
  const unsigned blocks =
      static_cast<unsigned>((program.z.rows + warps * narrow_rows - 1) / (warps * narrow_rows));
  auto start = [&](auto kernel) -> int {
    if (const int status = allow_most_shared(reinterpret_cast<const void*>(kernel))) return status;
    SKLAR_LAUNCH(kernel, blocks, threads, shared, stream, program);
    return cudaGetLastError();
  };
  auto start_as = [&](auto three_products) {
    constexpr bool t = decltype(three_products)::value;
    if (levels)
      return relu ? start(&narrow_kernel<width, t, true, true>)
                  : start(&narrow_kernel<width, t, false, true>);
    return relu ? start(&narrow_kernel<width, t, true, false>)
                : start(&narrow_kernel<width, t, false, false>);
  };
  if constexpr (narrow_in_three(width))
    if (program.low) return start_as(std::true_type{});
  return start_as(std::false_type{});
}

template int launch_narrow<SKLAR_NARROW_WIDTH>(const NarrowProgram&, bool, bool, uint32_t, void*);

}  // namespace sklar::cuda
