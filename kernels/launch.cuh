#pragma once

// How kernels are started: by nvcc's syntax, or by the emulator of test/emulator, where they run on the host.
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#if defined(SKLAR_EMULATED_CUDA)
#define SKLAR_LAUNCH(kernel, grid, block, shared, stream, ...)                             \
  ::sklar::emulator::enqueue(static_cast<cudaStream_t>(stream), [=] {                      \
    const dim3 emulated_grid(grid), emulated_block(block);                                 \
    ::sklar::emulator::run({emulated_grid.x, emulated_grid.y, emulated_grid.z},            \
                           {emulated_block.x, emulated_block.y, emulated_block.z}, shared, \
                           [&] { kernel(__VA_ARGS__); });                                  \
  })
#define SKLAR_SHARED(type, name) type* name = reinterpret_cast<type*>(::sklar::emulator::shared_memory())
#else
#define SKLAR_LAUNCH(kernel, grid, block, shared, stream, ...) \
  kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define SKLAR_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char sklar_shared[]; \
  type* name = reinterpret_cast<type*>(sklar_shared)
#endif

namespace sklar::cuda {

constexpr unsigned block_threads = 256;
constexpr unsigned warp_lanes = 32;
constexpr unsigned warps_of_block = block_threads / warp_lanes;
constexpr size_t most_blocks = 1u << 16;

inline unsigned blocks_for(size_t count, size_t each) {
  const size_t wanted = (count + each - 1) / each;
  return static_cast<unsigned>(wanted < most_blocks ? wanted : most_blocks);
}

template <class Body>
__global__ void __launch_bounds__(block_threads) each_kernel(const Body body, size_t count) {
  const size_t stride = static_cast<size_t>(gridDim.x) * block_threads;
  for (size_t i = static_cast<size_t>(blockIdx.x) * block_threads + threadIdx.x; i < count; i += stride)
    body(i);
}

// body(i) for i below count, a thread each.
template <class Body>
int each(size_t count, void* stream, Body body) {
  if (count == 0) return cudaSuccess;
  const auto kernel = &each_kernel<Body>;
  SKLAR_LAUNCH(kernel, blocks_for(count, block_threads), block_threads, 0, stream, body, count);
  return cudaGetLastError();
}

template <class Body>
__global__ void __launch_bounds__(block_threads) each_warp_kernel(const Body body, size_t count) {
  const unsigned lane = threadIdx.x % warp_lanes, warp = threadIdx.x / warp_lanes;
  const size_t stride = static_cast<size_t>(gridDim.x) * warps_of_block;
  for (size_t i = static_cast<size_t>(blockIdx.x) * warps_of_block + warp; i < count; i += stride)
    body(i, lane);
}

// body(i, lane) for i below count, a warp each.
template <class Body>
int each_warp(size_t count, void* stream, Body body) {
  if (count == 0) return cudaSuccess;
  const auto kernel = &each_warp_kernel<Body>;
  SKLAR_LAUNCH(kernel, blocks_for(count, warps_of_block), block_threads, 0, stream, body, count);
  return cudaGetLastError();
}

// The same for every lane, in an order that depends on nothing.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int mask = 16; mask > 0; mask /= 2) value += __shfl_xor_sync(0xffffffffu, value, mask);
  return value;
}

}  // namespace sklar::cuda
