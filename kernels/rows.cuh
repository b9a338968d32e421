#pragma once

// What rows of backend/rows take on the device: the lanes of a warp, random numbers four at a time.
#include "core/random/philox.h"
#include "launch.cuh"

namespace sklar::cuda {

// The lanes of a warp as rows/lanes.h knows them.
struct WarpLanes {
  unsigned first;
  static constexpr size_t count = warp_lanes;
  template <class T>
  __device__ __forceinline__ T sum(T value) const {
    return warp_sum(value);
  }
  template <class T>
  __device__ __forceinline__ T largest(T value) const {
    for (int mask = 16; mask > 0; mask /= 2) {
      const T other = __shfl_xor_sync(0xffffffffu, value, mask);
      value = value < other ? other : value;
    }
    return value;
  }
  __device__ __forceinline__ void wait() const { __syncwarp(); }
};

__device__ __forceinline__ void four_normals(float (&out)[4], uint64_t seed, uint64_t row, size_t block,
                                             uint64_t step, uint32_t tag) {
  const PhiloxBlock counter = philox_counter(row, static_cast<uint32_t>(block), step, tag);
  const Normals4 n = philox_normals(philox(counter, philox_key(seed)));
  out[0] = n.x;
  out[1] = n.y;
  out[2] = n.z;
  out[3] = n.w;
}

}  // namespace sklar::cuda
