#include <napi.h>

#include <optional>
#include <string>
#include <vector>

#include "addon/common/register.hpp"
#include "backend/cuda/device_probe.hpp"
#include "core/threads/cpu.hpp"

namespace sklar::addon {
namespace {

Napi::Array to_array(Napi::Env env, const std::vector<std::string>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (std::size_t i = 0; i < list.size(); ++i) array.Set(static_cast<uint32_t>(i), list[i]);
  return array;
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();

  const std::vector<std::string> architectures = cuda::compiled_architectures();
  std::vector<std::string> instruction_sets;
  for (InstructionSet set : compiled_instruction_sets()) instruction_sets.emplace_back(to_string(set));
  Napi::Object compiled = Napi::Object::New(env);
#if defined(SKLAR_WITH_CUDA)
  compiled.Set("cuda", true);
#else
  compiled.Set("cuda", false);
#endif
  compiled.Set("cudaArchitectures", to_array(env, architectures));
  compiled.Set("instructionSets", to_array(env, instruction_sets));

  Napi::Object cpu = Napi::Object::New(env);
  cpu.Set("name", cpu_name());
  cpu.Set("cores", cpu_cores());
  cpu.Set("instructionSet", to_string(instruction_set()));

  const auto text_or_null = [env](const std::optional<std::string>& text) {
    return text ? Napi::Value(Napi::String::New(env, *text)) : env.Null();
  };
  const cuda::Probe probe = cuda::probe();
  Napi::Array list = Napi::Array::New(env, probe.devices.size());
  for (std::size_t i = 0; i < probe.devices.size(); ++i) {
    const cuda::Device& device = probe.devices[i];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
    entry.Set("memoryBytes", static_cast<double>(device.memory_bytes));
    entry.Set("multiprocessors", device.multiprocessors);
    entry.Set("usable", device.usable());
    entry.Set("reason", text_or_null(device.reason));
    list.Set(static_cast<uint32_t>(i), entry);
  }
  Napi::Object cuda = Napi::Object::New(env);
  cuda.Set("usable", probe.usable());
  cuda.Set("reason", text_or_null(probe.reason));
  cuda.Set("driverVersion", probe.driver_version);
  cuda.Set("runtimeVersion", probe.runtime_version);
  cuda.Set("devices", list);

  Napi::Object result = Napi::Object::New(env);
  result.Set("version", SKLAR_VERSION);
  result.Set("compiled", compiled);
  result.Set("cpu", cpu);
  result.Set("cuda", cuda);
  return result;
}

}  // namespace

void register_devices(Napi::Env env, Napi::Object exports) {
  export_function<devices>(env, exports, "devices");
}

}  // namespace sklar::addon
