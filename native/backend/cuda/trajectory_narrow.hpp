#pragma once

#include "backend/backend.hpp"

namespace sklar::cuda {

// Backend::run_trajectory by the kernels of kernels/narrow/narrow.h; false for networks that are too wide, or
// whose weights leave no room in shared memory. three_products: float32-like products in the forward pass.
bool run_narrow_trajectory(Backend<float>& backend, const TrajectoryProgram<float>& program,
                           bool three_products, unsigned* saturated, void* stream);

}  // namespace sklar::cuda
