#include "backend/cuda/device_probe.hpp"

#include <algorithm>
#include <charconv>

#if defined(SKLAR_WITH_CUDA)
#include <cuda_runtime.h>

#include "backend/cuda/device_loss.hpp"
#endif

namespace sklar::cuda {
namespace {

#if defined(SKLAR_WITH_CUDA)

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// Why no device can be used, whichever they are.
std::optional<std::string> obstacle(const Probe& probe, cudaError_t count_status) {
  if (probe.driver_version == 0) return "no NVIDIA driver found";
  if (probe.driver_version / 1000 < probe.runtime_version / 1000) {
    return "the NVIDIA driver supports CUDA " + version_text(probe.driver_version) +
           ", this build needs CUDA " + std::to_string(probe.runtime_version / 1000) + ": update the driver";
  }
  if (count_status == cudaErrorNoDevice || (count_status == cudaSuccess && probe.devices.empty())) {
    return "the NVIDIA driver is there, but no device is visible (CUDA_VISIBLE_DEVICES?)";
  }
  if (count_status != cudaSuccess) {
    return std::string("CUDA failed to start: ") + cudaGetErrorString(count_status);
  }
  return std::nullopt;
}

Device describe(int index) {
  cudaDeviceProp properties;
  const cudaError_t status = cudaGetDeviceProperties(&properties, index);
  if (status != cudaSuccess) {
    cudaGetLastError();
    Device unknown;
    unknown.name = "unknown";
    unknown.reason = std::string("it does not answer: ") + cudaGetErrorString(status) + " (" +
                     cudaGetErrorName(status) + ")";
    return unknown;
  }
  Device device{properties.name,
                properties.major,
                properties.minor,
                static_cast<uint64_t>(properties.totalGlobalMem),
                properties.multiProcessorCount,
                {}};
  if (!architectures_cover(compiled_architectures(), device.major, device.minor))
    device.reason = "this build has no code for " + device.name + " (compute capability " +
                    std::to_string(device.major) + "." + std::to_string(device.minor) +
                    "); it was compiled for " SKLAR_CUDA_ARCHITECTURES;
  return device;
}

Probe ask_driver() {
  Probe result;
  // With a static runtime these calls load the driver themselves and return an error where there is none.
  if (cudaDriverGetVersion(&result.driver_version) != cudaSuccess) result.driver_version = 0;
  if (cudaRuntimeGetVersion(&result.runtime_version) != cudaSuccess) result.runtime_version = CUDART_VERSION;
  int count = 0;
  cudaError_t status = cudaSuccess;
  if (result.driver_version > 0) status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess)
    for (int i = 0; i < count; ++i) result.devices.push_back(describe(i));
  cudaGetLastError();
  result.reason = obstacle(result, status);
  if (result.reason)
    for (Device& device : result.devices) device.reason = result.reason;
  return result;
}

#endif

}  // namespace

std::vector<std::string> compiled_architectures() {
  std::vector<std::string> list;
#if defined(SKLAR_WITH_CUDA)
  std::string_view rest = SKLAR_CUDA_ARCHITECTURES;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (end > 0) list.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
#endif
  return list;
}

bool architectures_cover(const std::vector<std::string>& architectures, int major, int minor) {
  const int device = 10 * major + minor;
  for (const std::string& text : architectures) {
    const std::size_t dash = text.find('-');
    std::string_view number = std::string_view(text).substr(0, dash);
    const std::string_view kind = dash == std::string::npos ? "" : std::string_view(text).substr(dash + 1);
    const bool exact = !number.empty() && number.back() == 'a';
    const bool family = !number.empty() && number.back() == 'f';
    if (exact || family) number.remove_suffix(1);
    int compiled = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), compiled);
    if (error != std::errc() || end != number.data() + number.size()) continue;
    if (exact) {
      if (compiled == device) return true;
      continue;
    }
    const bool same_major = compiled / 10 == major && compiled <= device;
    const bool machine_code = kind != "virtual" && same_major;
    const bool ptx = kind != "real" && (family ? same_major : compiled <= device);
    if (machine_code || ptx) return true;
  }
  return false;
}

#if defined(SKLAR_WITH_CUDA)

Probe probe() {
  static const Probe asked = ask_driver();
  Probe result = asked;
  for (std::size_t i = 0; i < result.devices.size(); ++i)
    if (auto loss = loss_of_device(static_cast<int>(i))) result.devices[i].reason = std::move(loss);
  if (!result.reason && std::ranges::none_of(result.devices, &Device::usable))
    result.reason = result.devices.front().reason;
  return result;
}

#else

Probe probe() {
  Probe result;
  result.reason = "this build was made without CUDA";
  return result;
}

#endif

}  // namespace sklar::cuda
