#include "backend/cuda/device_loss.hpp"

#include <cuda_runtime.h>

#include <map>
#include <mutex>

namespace sklar::cuda {
namespace {

std::mutex mutex;

std::map<int, std::string>& lost() {
  static auto* devices = new std::map<int, std::string>;  // outlives all threads
  return *devices;
}

}  // namespace

bool is_lasting(int status) {
  switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case 226:  // cudaErrorContained, of CUDA 12.8 and later
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case 721:  // cudaErrorTensorMemoryLeak, of CUDA 12.8 and later
      return true;
    default:
      return false;
  }
}

std::string lose_device(int device, const std::string& error) {
  const std::lock_guard lock(mutex);
  return lost()
      .emplace(device, "cuda:" + std::to_string(device) +
                           " cannot be used again in this process, which must be started anew: " + error)
      .first->second;
}

std::optional<std::string> loss_of_device(int device) {
  const std::lock_guard lock(mutex);
  const auto at = lost().find(device);
  if (at == lost().end()) return std::nullopt;
  return at->second;
}

}  // namespace sklar::cuda
