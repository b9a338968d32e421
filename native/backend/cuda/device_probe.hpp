// What CUDA offers in this process. Compiled into every build, with or without CUDA.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sklar::cuda {

struct Device {
  std::string name;
  int major = 0, minor = 0;
  uint64_t memory_bytes = 0;
  int multiprocessors = 0;
  std::optional<std::string> reason;  ///< why it can't be used; empty when it can run our kernels

  bool usable() const noexcept { return !reason.has_value(); }
};

struct Probe {
  int driver_version =
      0;  ///< highest CUDA version the driver supports, as 1000 * major + 10 * minor; 0: no driver
  int runtime_version = 0;  ///< CUDA version compiled in, same form; 0: built without CUDA
  std::vector<Device> devices;
  std::optional<std::string> reason;  ///< why no device can be used; empty when one can

  bool usable() const noexcept { return !reason.has_value(); }
};

/// Never throws on account of CUDA and makes no context; without a driver it only says so. The driver is
/// asked once in a process; which devices were lost since (device_loss.hpp) is always up to date.
Probe probe();

/// The architecture list of this build, such as {"80-real", "90-real", "120"}; empty without CUDA.
std::vector<std::string> compiled_architectures();

/// True if code compiled for `architectures` (CMake's notation) runs on a device of that compute capability:
/// machine code within its major version and not above its minor (`90a`: on 9.0 alone), PTX on all later
/// devices.
bool architectures_cover(const std::vector<std::string>& architectures, int major, int minor);

}  // namespace sklar::cuda
