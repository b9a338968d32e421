#pragma once

#include <cmath>
#include <vector>

#include "backend/backend.hpp"
#include "core/error.hpp"
#include "process/ou.h"

namespace sklar {

// Noise levels (docs/mathematics.md, A.3) of the Ornstein-Uhlenbeck process dz = -z dt + sqrt(2) dB: z_t =
// alpha z_0 + sigma noise, alpha = e^-t. Times increase from 0 (data); the last is the reference and may be
// infinite (pure noise).
struct OuLevels {
  std::vector<double> time, alpha, sigma, w;  // w = alpha^2

  explicit OuLevels(const std::vector<double>& times) : time(times) {
    if (times.size() < 3)
      throw Error("SHAPE", "expected at least 3 noise levels, got " + std::to_string(times.size()));
    for (std::size_t k = 0; k < times.size(); ++k) {
      if (k == 0 ? times[0] != 0 : !(times[k] > times[k - 1]))
        throw Error("VALUE", "noise levels must start at 0 and increase (level " + std::to_string(k) + ")");
      alpha.push_back(OuProcess::alpha_of_time(times[k]));
      sigma.push_back(OuProcess::sigma_of_time(times[k]));
      w.push_back(std::exp(-2 * times[k]));
    }
  }
  std::size_t count() const { return time.size(); }
  std::size_t last() const { return time.size() - 1; }
};

// The same on the backend.
template <class T>
class LevelTable {
 public:
  LevelTable(Backend<T>& backend, const OuLevels& levels)
      : count_(levels.count()), storage_(backend.template buffer<T>(2 * levels.count())) {
    std::vector<T> host;
    for (double a : levels.alpha) host.push_back(static_cast<T>(a));
    for (double s : levels.sigma) host.push_back(static_cast<T>(s));
    backend.upload(storage_.data(), host.data(), host.size() * sizeof(T));
  }
  Levels<T> view() const { return {count_, storage_.data(), storage_.data() + count_}; }

 private:
  std::size_t count_;
  Buffer<T> storage_;
};

}  // namespace sklar
