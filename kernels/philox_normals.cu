// Standard normals by counter, bit-equal to the CPU: one thread makes one block of four elements of a row.
// Bound by the store (16 bytes a thread); the arithmetic is about 150 instructions.
#include <cuda_runtime.h>

#include "core/philox.h"
#include "philox_normals.h"

namespace sklar::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint64_t kMaxBlocks = 1u << 20;

// Aligned: columns % 4 == 0 and a 16-byte aligned buffer, so that a block is one vector store.
template <bool Aligned>
__global__ void __launch_bounds__(kThreads)
    philox_normals_kernel(float* __restrict__ out, uint64_t rows, uint32_t columns, uint32_t blocks,
                          uint64_t row_offset, PhiloxKey key, uint64_t step, uint32_t tag) {
  const uint64_t total = rows * blocks;
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * kThreads;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * kThreads + threadIdx.x; i < total; i += stride) {
    const uint64_t row = i / blocks;
    const uint32_t block = static_cast<uint32_t>(i - row * blocks);
    const Normals4 n = philox_normals(philox(philox_counter(row_offset + row, block, step, tag), key));
    const uint32_t column = block * 4;
    float* at = out + row * columns + column;
    if constexpr (Aligned) {
      *reinterpret_cast<float4*>(at) = make_float4(n.x, n.y, n.z, n.w);
    } else {
      at[0] = n.x;
      if (column + 1 < columns) at[1] = n.y;
      if (column + 2 < columns) at[2] = n.z;
      if (column + 3 < columns) at[3] = n.w;
    }
  }
}

}  // namespace

int launch_philox_normals(float* out, uint64_t rows, uint32_t columns, uint64_t row_offset, uint64_t seed,
                          uint64_t step, uint32_t tag, void* stream) {
  if (rows == 0 || columns == 0) return cudaSuccess;
  const uint32_t blocks = columns / 4 + (columns % 4 != 0);
  const uint64_t wanted = (rows * blocks + kThreads - 1) / kThreads;
  const unsigned grid = static_cast<unsigned>(wanted < kMaxBlocks ? wanted : kMaxBlocks);
  const bool aligned = columns % 4 == 0 && reinterpret_cast<uintptr_t>(out) % 16 == 0;
  const auto kernel = aligned ? &philox_normals_kernel<true> : &philox_normals_kernel<false>;
  kernel<<<grid, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(out, rows, columns, blocks, row_offset,
                                                                   philox_key(seed), step, tag);
  return cudaGetLastError();
}

}  // namespace sklar::cuda
