#pragma once

// Copies from memory to shared memory that a thread does not wait for (sm_80 and later).
#include "launch.cuh"

namespace sklar::cuda {

__device__ __forceinline__ void copy_async(float* shared, const float* from) {
#if defined(SKLAR_EMULATED_CUDA)
  *shared = *from;
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" : : "r"(at), "l"(from) : "memory");
#endif
}
// Until the thread's own copies are there; a barrier makes them everybody's.
__device__ __forceinline__ void wait_for_copies() {
#if !defined(SKLAR_EMULATED_CUDA) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800)
  asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}

}  // namespace sklar::cuda
