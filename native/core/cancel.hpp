#pragma once

#include <atomic>

#include "core/error.hpp"

namespace sklar {

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
