#pragma once

// How kernels are started: by nvcc's syntax, or by the emulator of test/emulator, where they run on the host.
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#if defined(SKLAR_EMULATED_CUDA)
#define SKLAR_LAUNCH(kernel, grid, block, shared, stream, ...)                          \
  ::sklar::emulator::launch(reinterpret_cast<const void*>(kernel), grid, block, shared, \
                            static_cast<cudaStream_t>(stream), [=] { kernel(__VA_ARGS__); })
#define SKLAR_SHARED(type, name) type* name = reinterpret_cast<type*>(::sklar::emulator::shared_memory())
#else
#define SKLAR_LAUNCH(kernel, grid, block, shared, stream, ...) \
  kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define SKLAR_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char sklar_shared[]; \
  type* name = reinterpret_cast<type*>(sklar_shared)
#endif

namespace sklar::cuda {

// Kernels of 16-bit products have no code for devices before 8.0, where cuda_backend.cpp refuses that
// precision.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr bool has_16_bit_products = false;
#else
constexpr bool has_16_bit_products = true;
#endif

constexpr unsigned block_threads = 256;
constexpr unsigned warp_lanes = 32;
constexpr unsigned warps_of_block = block_threads / warp_lanes;
constexpr size_t most_blocks = 1u << 16;

inline unsigned blocks_for(size_t count, size_t each) {
  const size_t wanted = (count + each - 1) / each;
  return static_cast<unsigned>(wanted < most_blocks ? wanted : most_blocks);
}

// Before a launch with more than 48 KiB of dynamic shared memory, which a kernel must have been allowed on
// the device. The limit is the kernel's for all threads of the process: one of just this launch's size could
// be lowered by another thread before the launch, so it is raised to the most that the device has, once.
inline int allow_most_shared(const void* kernel) {
  static std::mutex mutex;
  static std::set<std::pair<const void*, int>> allowed;
  int device = 0, most = 0;
  if (const cudaError_t status = cudaGetDevice(&device)) return status;
  const std::lock_guard lock(mutex);
  if (allowed.count({kernel, device})) return cudaSuccess;
  if (const cudaError_t status =
          cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device))
    return status;
  if (const cudaError_t status =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most))
    return status;
  allowed.emplace(kernel, device);
  return cudaSuccess;
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
