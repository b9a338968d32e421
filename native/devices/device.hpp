#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/backend.hpp"
#include "backend/precision.hpp"
#include "core/error.hpp"

namespace sklar {

struct DeviceChoice {
  enum class Kind { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;            // of the CUDA device
  std::size_t threads = 0;  // of the CPU; 0: one for each processor
  Precision precision = Precision::fp32;
};

// Throws Error("DEVICE") where CUDA cannot be used or has no kernels for T (it computes in float).
template <class T>
std::unique_ptr<Backend<T>> make_backend(const DeviceChoice& choice);

// Throws Error("VALUE") where values left the range of the device's operands: a result would not be what its
// precision promises.
template <class T>
void expect_in_range(Backend<T>& backend) {
  const std::uint64_t count = backend.saturated();
  if (count)
    throw Error("VALUE", std::to_string(count) + " values of the network left the range of fp16 (65504): " +
                             "expected precision bf16 or fp32 for this model");
}

}  // namespace sklar
