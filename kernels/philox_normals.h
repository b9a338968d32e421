// Launcher of the normal generator; plain C++, so callers need no CUDA headers.
#pragma once

#include <cstdint>

namespace sklar::cuda {

/// Fills `out` (device memory, row-major rows x columns) with standard normals on `stream` (a cudaStream_t).
/// Element (r, c) is lane c % 4 of counter (row_offset + r, c / 4, step, tag); see native/core/philox.h.
/// Returns a cudaError_t, 0 on success; does not wait.
int launch_philox_normals(float* out, uint64_t rows, uint32_t columns, uint64_t row_offset, uint64_t seed,
                          uint64_t step, uint32_t tag, void* stream);

}  // namespace sklar::cuda
