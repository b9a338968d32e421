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

// body(first, count) for batches of rows in turn.
template <class Body>
void in_batches(std::size_t rows, std::size_t batch, const CancelFlag& cancel, const Fraction& progress,
                Body&& body) {
  for (std::size_t first = 0; first < rows; first += batch) {
    cancel.check();
    const std::size_t count = rows - first < batch ? rows - first : batch;
    body(first, count);
    if (progress) progress(static_cast<double>(first + count) / static_cast<double>(rows));
  }
}

}  // namespace sklar
