#include "backend/cuda/cuda_backend.hpp"

#include "backend/cuda/device_probe.hpp"
#include "core/error.hpp"

namespace sklar::cuda {

std::unique_ptr<Backend<float>> make_cuda_backend(int, Precision) {
  const Probe found = probe();
  throw Error("DEVICE", "CUDA can't be used: " + found.reason.value_or("no kernels"));
}

}  // namespace sklar::cuda
