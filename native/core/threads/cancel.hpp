#pragma once

#include <atomic>
#include <functional>

#include "core/error.hpp"

namespace sklar {

using Fraction = std::function<void(double)>;  // told the share of a job that is done, 0 to 1

// Set from another thread; looked at between batches and steps.
class CancelFlag {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void check() const {
    if (cancelled()) throw Error("ABORTED", "the job was cancelled");
  }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace sklar
