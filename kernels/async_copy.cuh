#pragma once

// Copies from memory to shared memory that a thread does not wait for (sm_80 and later). They belong to the
// thread that asked for them, and so do groups of them: each thread commits and waits for its own.
#include "launch.cuh"

namespace sklar::cuda {

__device__ __forceinline__ void copy_async(float* shared, const float* from) {
#if defined(SKLAR_EMULATED_CUDA)
  emulator::copy_async(shared, from, 4, 4);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" : : "r"(at), "l"(from) : "memory");
#endif
}
// 16 bytes, both addresses multiples of 16, past L1; of them `bytes` are read, the others become zero.
__device__ __forceinline__ void copy_async_16(void* shared, const void* from, uint32_t bytes = 16) {
#if defined(SKLAR_EMULATED_CUDA)
  emulator::copy_async(shared, from, 16, bytes);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(at), "l"(from), "r"(bytes) : "memory");
#endif
}
// The thread's copies since its last call are a group.
__device__ __forceinline__ void commit_copies() {
#if defined(SKLAR_EMULATED_CUDA)
  emulator::commit_copies();
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" : : : "memory");
#endif
}
// Until all but the thread's `newest` last groups are there; a barrier makes them everybody's.
template <int newest>
__device__ __forceinline__ void wait_for_copies_but() {
#if defined(SKLAR_EMULATED_CUDA)
  emulator::wait_for_copies(newest);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" : : "n"(newest) : "memory");
#endif
}
// Until all of the thread's copies are there, those of no group too.
__device__ __forceinline__ void wait_for_copies() {
#if defined(SKLAR_EMULATED_CUDA)
  emulator::wait_for_copies(-1);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}

}  // namespace sklar::cuda
