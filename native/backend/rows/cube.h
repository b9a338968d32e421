#pragma once

#include <math.h>

#include "core/host_device.h"
#include "core/normal.h"

namespace sklar::rows {

// A value of a row as a state of a process on the cube.
template <class T>
SKLAR_HD_INLINE T cube_state(double x, bool from_gaussian) {
  return static_cast<T>(from_gaussian ? normal_cdf(x) : x);
}

// The other way; map: of the column, on the Gaussian scale.
template <class Map>
SKLAR_HD_INLINE double cube_value(double state, bool to_gaussian, bool mapped, Map&& map) {
  // the faces themselves are no values of a copula sample
  constexpr double least = 0x1p-53;
  double u = fmin(fmax(state, least), 1 - least);
  if (mapped) u = normal_cdf(map(normal_quantile(u)));
  return to_gaussian ? normal_quantile(u) : u;
}

}  // namespace sklar::rows
