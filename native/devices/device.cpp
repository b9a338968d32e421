#include "devices/device.hpp"

#include "backend/cuda/cuda_backend.hpp"
#include "core/error.hpp"

namespace sklar {

template <>
std::unique_ptr<Backend<float>> make_backend(const DeviceChoice& choice) {
  if (choice.kind == DeviceChoice::Kind::cpu) return make_cpu_backend<float>(choice.threads);
  return cuda::make_cuda_backend(choice.index, choice.precision);
}

template <>
std::unique_ptr<Backend<double>> make_backend(const DeviceChoice& choice) {
  if (choice.kind == DeviceChoice::Kind::cpu) return make_cpu_backend<double>(choice.threads);
  throw Error("DEVICE", "float64 is computed on the CPU only");
}

}  // namespace sklar
