#pragma once

// What the training kernels of all heads do alike.
#include <type_traits>

#include "async_copy.cuh"
#include "narrow/narrow_train_passes.cuh"

namespace sklar::cuda {
namespace {

// The threads of a row: all rows of a block at once (rows/lanes.h).
template <unsigned width>
struct RowLanes {
  unsigned first;
  static constexpr size_t count = width / 8;
  template <class T>
  __device__ __forceinline__ T sum(T value) const {
#pragma unroll
    for (int mask = count / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(0xffffffffu, value, mask);
    return value;
  }
  template <class T>
  __device__ __forceinline__ T largest(T value) const {
#pragma unroll
    for (int mask = count / 2; mask > 0; mask /= 2) {
      const T other = __shfl_xor_sync(0xffffffffu, value, mask);
      value = value < other ? other : value;
    }
    return value;
  }
};

// The passes of a block, and on the way to shared memory (wait_for_copies) what they read of the network.
template <class Passes>
__device__ __forceinline__ Passes load_network(unsigned char* shared, const TrainLayout& at,
                                               const FusedNetwork<float>& n, float* slopes, float* share,
                                               typename Passes::Columns& columns) {
  constexpr unsigned width = Passes::network_width;
  const TrainParameters from(n);
  const uint32_t thread = threadIdx.x, inputs = static_cast<uint32_t>(n.inputs),
                 depth = static_cast<uint32_t>(n.depth);
  float* const biases = reinterpret_cast<float*>(shared + at.biases);
  float* const input = reinterpret_cast<float*>(shared + at.input);
  float* const head = reinterpret_cast<float*>(shared + at.head);
  const Passes passes{
      reinterpret_cast<uint16_t*>(shared),
      reinterpret_cast<uint16_t*>(shared + at.operands),
      reinterpret_cast<float4*>(slopes ? slopes : reinterpret_cast<float*>(shared + at.slopes)),
      biases,
      n.parameters + from.blocks,
      share + from.blocks,
      depth,
      at.wide_pitch,
      thread % warp_lanes,
      thread / warp_lanes};
  passes.fetch(columns, 0);
  for (uint32_t i = thread; i < (2 * depth + 1) * width; i += Passes::threads)
    copy_async(biases + i, n.parameters + i % width +
                               (i < width ? from.input_bias
                                          : from.blocks + (i / width - 1) * from.stage + Passes::matrix));
  for (uint32_t i = thread; i < inputs * width; i += Passes::threads)
    copy_async(input + i, n.parameters + i % width * inputs + i / width);
  for (uint32_t i = thread; i < from.count - from.head; i += Passes::threads)
    copy_async(head + i, n.parameters + from.head + i);
  return passes;
}

// kernel_of(three_products, relu): the kernel for these as types
template <class KernelOf, class Program>
int launch_training(bool three_products, bool relu, KernelOf kernel_of, dim3 grid, unsigned threads,
                    size_t shared, const Program& given, void* stream) {
  const Program program = given;
  const auto start = [&](auto kernel) -> int {
    if (const int status = allow_most_shared(reinterpret_cast<const void*>(kernel))) return status;
    SKLAR_LAUNCH(kernel, grid, threads, shared, stream, program);
    return cudaGetLastError();
  };
  const std::true_type yes;
  const std::false_type no;
  if (three_products) return relu ? start(kernel_of(yes, yes)) : start(kernel_of(yes, no));
  return relu ? start(kernel_of(no, yes)) : start(kernel_of(no, no));
}

}  // namespace
}  // namespace sklar::cuda
