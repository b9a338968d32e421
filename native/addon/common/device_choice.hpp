#pragma once

#include <napi.h>

#include <charconv>
#include <string>

#include "addon/common/convert.hpp"
#include "devices/device.hpp"

namespace sklar::addon {

// NativeDevice: { device: 'cpu' | 'cuda:N'; threads: number; precision: 'fp32' | 'mixed' | 'fp16' | 'bf16' }
inline DeviceChoice to_device_choice(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("VALUE", "expected an object that names a device");
  const auto o = value.As<Napi::Object>();
  DeviceChoice choice;
  choice.threads = to_size(field(o, "threads"), "threads");

  const std::string device = to_string(field(o, "device"), "device");
  const std::string cuda = "cuda:";
  if (device.starts_with(cuda)) {
    choice.kind = DeviceChoice::Kind::cuda;
    const char* end = device.data() + device.size();
    const auto [stop, failure] = std::from_chars(device.data() + cuda.size(), end, choice.index);
    if (failure != std::errc{} || stop != end || choice.index < 0)
      throw Error("VALUE", "expected cuda:N for device, got " + device);
  } else if (device != "cpu") {
    throw Error("VALUE", "unknown device " + device);
  }

  const std::string precision = to_string(field(o, "precision"), "precision");
  if (precision == "fp32")
    choice.precision = Precision::fp32;
  else if (precision == "mixed")
    choice.precision = Precision::mixed;
  else if (precision == "fp16")
    choice.precision = Precision::fp16;
  else if (precision == "bf16")
    choice.precision = Precision::bf16;
  else
    throw Error("VALUE", "unknown precision " + precision);
  return choice;
}

}  // namespace sklar::addon
