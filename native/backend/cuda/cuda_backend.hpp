#pragma once

#include <memory>

#include "backend/backend.hpp"
#include "backend/precision.hpp"

namespace sklar::cuda {

// Throws Error("DEVICE") where the device cannot be used or this build has no CUDA.
std::unique_ptr<Backend<float>> make_cuda_backend(int device, Precision precision);

}  // namespace sklar::cuda
