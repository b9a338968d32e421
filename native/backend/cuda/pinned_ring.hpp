#pragma once

#include <cstddef>

namespace sklar::cuda {

// Memory that a device reads by itself, in parts that are used in turn: a copy from the host's other memory
// makes the driver wait for all earlier work of the stream. One stream's.
class PinnedRing {
 public:
  PinnedRing() = default;
  ~PinnedRing();
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;

  static constexpr std::size_t part_bytes = std::size_t{1} << 20;
  // `bytes`, up to part_bytes, that no earlier copy of the stream reads any more; what is put there must be
  // asked for, on that stream, before the next call. Null where the machine has no such memory left.
  void* take(std::size_t bytes, void* stream);

 private:
  static constexpr std::size_t parts = 4;
  struct Part {
    void* event = nullptr;  // after the last copy from it
    bool used = false;
  };
  char* memory_ = nullptr;
  bool refused_ = false;
  Part part_[parts];
  std::size_t at_ = 0, filled_ = 0;
};

}  // namespace sklar::cuda
