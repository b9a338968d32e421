#pragma once

#include <cstddef>
#include <utility>

#include "core/linear/matrix.hpp"

namespace sklar {

// Where buffers come from: one for each kind of device.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual void* allocate_bytes(std::size_t bytes) = 0;  // zero-filled, aligned to 64; throws Error("MEMORY")
  virtual void release_bytes(void* p, std::size_t bytes) noexcept = 0;
};

template <class U>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Memory& memory, std::size_t count)
      : memory_(&memory), data_(static_cast<U*>(memory.allocate_bytes(count * sizeof(U)))), count_(count) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (data_) memory_->release_bytes(data_, count_ * sizeof(U));
  }

  U* data() const { return data_; }
  std::size_t size() const { return count_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
  }
  Memory* memory_ = nullptr;
  U* data_ = nullptr;
  std::size_t count_ = 0;
};

// In which forms a device keeps a matrix: see MatrixView.
struct MatrixForms {
  bool values = true;
  std::size_t halves = 0;  // elements of 16 bits
  unsigned half_parts = 0;
};

// An owned matrix with padded rows.
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(Memory& memory, std::size_t rows, std::size_t columns, const MatrixForms& forms = {})
      : rows_(rows), columns_(columns), stride_(padded_stride<T>(columns)), half_parts_(forms.half_parts) {
    if (forms.values) buffer_ = Buffer<T>(memory, rows * stride_);
    if (forms.halves) half_ = Buffer<std::uint16_t>(memory, forms.halves);
  }

  MatrixView<T> view() const { return {buffer_.data(), rows_, columns_, stride_, half_.data(), half_parts_}; }
  operator MatrixView<T>() const { return view(); }
  operator MatrixView<const T>() const { return view(); }
  MatrixView<T> first(std::size_t rows) const { return view().first(rows); }
  T* data() const { return buffer_.data(); }
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t stride() const { return stride_; }

 private:
  std::size_t rows_ = 0, columns_ = 0, stride_ = 0;
  unsigned half_parts_ = 0;
  Buffer<T> buffer_;
  Buffer<std::uint16_t> half_;
};

}  // namespace sklar
