#pragma once

#include <cstddef>
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

  MatrixView() = default;
  SKLAR_HD_INLINE MatrixView(T* d, std::size_t r, std::size_t c, std::size_t s)
      : data(d), rows(r), columns(c), stride(s) {}

  SKLAR_HD_INLINE operator MatrixView<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, rows, columns, stride};
  }
  SKLAR_HD_INLINE MatrixView first(std::size_t r) const { return {data, r, columns, stride}; }
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
