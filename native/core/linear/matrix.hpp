#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/host_device.h"

namespace sklar {

// A row-major matrix in backend memory that somebody else owns. `stride` is the distance between rows in
// elements.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;
  // The same values in 16 bits, where a device keeps them for products (Backend::activations): in a layout
  // of its own, of as many parts a value. Without `data` they are all there is.
  std::uint16_t* half = nullptr;
  unsigned half_parts = 0;

  MatrixView() = default;
  SKLAR_HD_INLINE MatrixView(T* d, std::size_t r, std::size_t c, std::size_t s, std::uint16_t* h = nullptr,
                             unsigned parts = 0)
      : data(d), rows(r), columns(c), stride(s), half(h), half_parts(parts) {}

  SKLAR_HD_INLINE operator MatrixView<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, rows, columns, stride, half, half_parts};
  }
  SKLAR_HD_INLINE bool given() const { return data || half; }
  SKLAR_HD_INLINE MatrixView first(std::size_t r) const {
    return {data, r, columns, stride, half, half_parts};
  }
  SKLAR_HD_INLINE T* row(std::size_t r) const { return data + r * stride; }
};

// Row strides are whole cache lines, and an odd number of them, so that the rows of a power-of-two width do
// not all fall into the same cache sets.
template <class T>
constexpr std::size_t padded_stride(std::size_t columns) {
  constexpr std::size_t line = 16;
  std::size_t lines = (columns + line - 1) / line;
  if (lines > 1 && lines % 2 == 0) ++lines;
  return lines * line;
}

}  // namespace sklar
