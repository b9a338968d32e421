#include <napi.h>

#include <optional>
#include <string>
#include <vector>

#include "addon/common/register.hpp"
#include "backend/cuda/device_probe.hpp"
#include "core/threads/cpu.hpp"

namespace sklar::addon {
namespace {

#if defined(SKLAR_WITH_CUDA)
constexpr bool with_cuda = true;
#else
constexpr bool with_cuda = false;
#endif

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto text = [env](const auto& of) { return Napi::String::New(env, of); };
  const auto text_or_null = [&](const std::optional<std::string>& of) -> Napi::Value {
    return of ? text(*of) : env.Null();
  };
  const cuda::Probe probe = cuda::probe();
  const auto entry = [&](const cuda::Device& device) {
    return to_object(env, "name", device.name, "computeCapability",
                     std::to_string(device.major) + "." + std::to_string(device.minor), "memoryBytes",
                     device.memory_bytes, "multiprocessors", device.multiprocessors, "usable",
                     device.usable(), "reason", text_or_null(device.reason));
  };
  return to_object(env, "version", SKLAR_VERSION, "compiled",
                   to_object(env, "cuda", with_cuda, "cudaArchitectures",
                             to_array(env, cuda::compiled_architectures(), text), "instructionSets",
                             to_array(env, compiled_instruction_sets(),
                                      [&](InstructionSet set) { return text(to_string(set)); })),
                   "cpu",
                   to_object(env, "name", cpu_name(), "cores", cpu_cores(), "instructionSet",
                             to_string(instruction_set())),
                   "cuda",
                   to_object(env, "usable", probe.usable(), "reason", text_or_null(probe.reason),
                             "driverVersion", probe.driver_version, "runtimeVersion", probe.runtime_version,
                             "devices", to_array(env, probe.devices, entry)));
}

}  // namespace

void register_devices(Napi::Env env, Napi::Object exports) {
  export_function<devices>(env, exports, "devices");
}

}  // namespace sklar::addon
