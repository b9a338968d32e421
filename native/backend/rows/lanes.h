#pragma once

#include <stddef.h>

#include "core/host_device.h"

namespace sklar::rows {

// Who works on a row: one thread of the host, which has all columns, or the lanes of a warp (kernels), which
// share them. `sum` and `largest` are the same for all.
struct OneLane {
  static constexpr size_t first = 0, count = 1;
  template <class T>
  SKLAR_HD_INLINE T sum(T value) const {
    return value;
  }
  template <class T>
  SKLAR_HD_INLINE T largest(T value) const {
    return value;
  }
  SKLAR_HD_INLINE void wait() const {}  // until all have written what the others read
};

}  // namespace sklar::rows
