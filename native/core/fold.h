// Reflection at the faces of the unit cube (docs/mathematics.md, B.1), one source for host and device:
// fold(y) = 1 - |(y mod 2) - 1| and the sign of its derivative. Exact: no rounding in either precision but
// that of an argument just below a multiple of 2, which goes to the face itself.
#pragma once

#include "core/host_device.h"

namespace sklar {

namespace fold_detail {

// y mod 2, in [0, 2]
SKLAR_HD float remainder(float y) { return y - 2.0f * __builtin_floorf(0.5f * y); }
SKLAR_HD double remainder(double y) { return y - 2.0 * __builtin_floor(0.5 * y); }

}  // namespace fold_detail

template <class T>
SKLAR_HD T fold(T y) {
  const T r = fold_detail::remainder(y);
  return r < T(1) ? r : T(2) - r;
}

/// +1 where fold increases, else -1.
template <class T>
SKLAR_HD T fold_sign(T y) {
  return fold_detail::remainder(y) < T(1) ? T(1) : T(-1);
}

}  // namespace sklar
