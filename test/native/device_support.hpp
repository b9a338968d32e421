// Every operation on CUDA beside the same one on the CPU. Without a usable device the cases say so and pass;
// the preset `dev` runs the kernels on the host (test/emulator).
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "check.hpp"
#include "core/error.hpp"
#include "core/random/philox.h"
#include "devices/device.hpp"

#if defined(SKLAR_EMULATED_CUDA)
#include "emulator.hpp"
#endif

namespace device_support {

using namespace sklar;

inline std::unique_ptr<Backend<float>> cuda_backend(Precision precision = Precision::fp32) {
  try {
    return make_backend<float>({DeviceChoice::Kind::cuda, 0, 0, precision});
  } catch (const Error& error) {
    static std::atomic<bool> told = false;  // cases run in threads of their own
    if (!told.exchange(true)) std::printf("      skipped: %s\n", error.what());
    return nullptr;
  }
}

// Value i depends on i and the seed alone: worked out once for each.
inline std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  static std::mutex mutex;
  static std::map<std::uint64_t, std::vector<float>> known;
  const std::lock_guard lock(mutex);
  std::vector<float>& values = known[seed];
  while (values.size() < count)
    values.push_back(
        philox_normals(philox(philox_counter(values.size(), 0, 0, kTagTrainNoise), philox_key(seed))).x);
  return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)};
}

// Moves between host and one backend; what is read back is remembered for comparison.
class Bench {
 public:
  explicit Bench(Backend<float>& b) : backend(b) {}

  Matrix<float> matrix(std::size_t rows, std::size_t columns, std::uint64_t seed, bool ones = false) {
    Matrix<float> m = backend.matrix(rows, columns + (ones ? 1 : 0));
    backend.upload_matrix({m.data(), rows, columns, m.stride()}, normals(rows * columns, seed).data());
    if (ones) backend.fill_column(m, columns, 1);
    return m;
  }
  // not a number anywhere, padding included
  Matrix<float> poisoned(std::size_t rows, std::size_t columns) {
    Matrix<float> m = backend.matrix(rows, columns);
    const std::vector<float> nan(rows * m.stride(), std::numeric_limits<float>::quiet_NaN());
    backend.upload(m.data(), nan.data(), nan.size() * sizeof(float));
    return m;
  }
  template <class U>
  Buffer<U> buffer(const std::vector<U>& host) {
    auto b = backend.template buffer<U>(host.size());
    backend.upload(b.data(), host.data(), host.size() * sizeof(U));
    return b;
  }

  void keep(MatrixView<const float> m) {
    std::vector<float> host(m.rows * m.columns);
    backend.download_matrix(host.data(), m);
    for (float v : host) kept.push_back(static_cast<double>(v));
  }
  template <class U>
  void keep(const Buffer<U>& b) {
    std::vector<U> host(b.size());
    backend.download(host.data(), b.data(), host.size() * sizeof(U));
    for (U v : host) kept.push_back(static_cast<double>(v));
  }
  void keep(const TrainState* state) {
    TrainState s;
    backend.download(&s, state, sizeof s);
    for (double v : {static_cast<double>(s.step), s.cross_entropy, s.squared_error, s.cross_entropy_sum,
                     s.squared_error_sum, s.gradient_norm, s.learning_rate})
      kept.push_back(v);
  }

  Backend<float>& backend;
  std::vector<double> kept;
};

// body(Bench&) on both; what it kept agrees to `tolerance` of the largest value.
template <class Body>
void compare(const char* what, double tolerance, Body&& body, Precision precision = Precision::fp32) {
  const auto gpu = cuda_backend(precision);
  if (!gpu) return;
  const auto cpu = make_cpu_backend<float>(1);
  Bench expected(*cpu), got(*gpu);
  body(expected);
  body(got);
  CHECK_EQUAL(got.kept.size(), expected.kept.size());
  double scale = 0, worst = 0;
  std::size_t at = 0;
  for (double v : expected.kept) scale = std::max(scale, std::abs(v));
  for (std::size_t i = 0; i < std::min(got.kept.size(), expected.kept.size()); ++i) {
    const double e = expected.kept[i], g = got.kept[i];
    const double error = e == g || (std::isnan(e) && std::isnan(g)) ? 0 : std::abs(g - e);
    if (!(error <= worst)) {
      worst = error;
      at = i;
    }
  }
  if (!(worst <= tolerance * scale))
    check::fail(__FILE__, __LINE__,
                std::string(what) + ": value " + std::to_string(at) + " is " + std::to_string(got.kept[at]) +
                    ", expected " + std::to_string(expected.kept[at]) + "; error " + std::to_string(worst) +
                    " of values up to " + std::to_string(scale));
}

// Adam's epsilon where the training of two devices is compared: far above the rounding of a gradient, which
// Adam would otherwise blow up to whole steps wherever the gradient itself is next to zero.
constexpr double epsilon_above_rounding = 1e-2;

}  // namespace device_support
