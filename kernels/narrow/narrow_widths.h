// Widths of the networks that have kernels of their own. CMake and scripts/check-kernels.mjs read this list
// and compile every file of kernels/by_width once for each, with SKLAR_NARROW_WIDTH set.
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>

namespace sklar::cuda {

inline constexpr unsigned narrow_widths[] = {16, 32, 64, 128};

/// Calls launch.operator()<width>() if `width` is one of them. Whether it is.
template <class Launch>
constexpr bool at_narrow_width(std::size_t width, const Launch& launch) {
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    return ((width == narrow_widths[i] && (launch.template operator()<narrow_widths[i]>(), true)) || ...);
  }
  (std::make_index_sequence<std::size(narrow_widths)>());
}

constexpr bool is_narrow(std::size_t width) {
  for (const unsigned own : narrow_widths)
    if (own == width) return true;
  return false;
}

}  // namespace sklar::cuda
