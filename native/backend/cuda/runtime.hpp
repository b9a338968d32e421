#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "backend/cuda/pinned_ring.hpp"

// One device as one run uses it: a stream, memory that is kept for reuse, recorded sequences of operations.
namespace sklar::cuda {

// Throws Error("MEMORY") or Error("DEVICE") for a cudaError_t other than success. An error that stays with
// the device is noted (device_loss.hpp).
void check(int status);

// Of the current device.
std::size_t processors();
std::size_t most_shared_memory();  // of a block

template <class U>
void reserve(Memory& memory, Buffer<U>& b, std::size_t count) {
  if (b.size() < count) b = Buffer<U>(memory, count);
}

class Runtime {
 public:
  explicit Runtime(int device);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  void* stream() const { return stream_; }

  // Blocks that are released wait for the next request of their size: all work is in the order of one stream.
  void* allocate(std::size_t bytes);
  void release(void* p, std::size_t bytes) noexcept;

  // The host's memory has been read when an upload returns; the stream is not waited for.
  void upload(void* to, const void* host, std::size_t bytes);
  void download(void* host, const void* from, std::size_t bytes);  // waits
  void copy(void* to, const void* from, std::size_t bytes);
  void clear(void* p, std::size_t bytes);
  void upload_rows(void* to, std::size_t to_pitch, const void* host, std::size_t width, std::size_t rows);
  void download_rows(void* host, std::size_t width, const void* from, std::size_t from_pitch,
                     std::size_t rows);

  void replay(std::unique_ptr<Recording>& recording, const std::function<void()>& body);

 private:
  void upload_part(void* to, std::size_t to_pitch, const void* host, std::size_t width, std::size_t rows);

  void* stream_ = nullptr;
  PinnedRing ring_;
  std::map<std::size_t, std::vector<void*>> free_;
  bool capturing_ = false;
  bool moved_while_capturing_ = false;
  std::size_t releases_ = 0;  // memory that a recording knows may be gone when this has changed
};

}  // namespace sklar::cuda
