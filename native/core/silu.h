#pragma once

#include "core/host_device.h"

// silu(x) = x g and its derivatives, from x and g = 1 / (1 + e^-x), which each device computes in its own
// way; for host, device and vectors of T (docs/mathematics.md, L).
namespace sklar {

template <class T, class V>
SKLAR_HD V silu_0(V x, V g) {
  return x * g;
}
template <class T, class V>
SKLAR_HD V silu_1(V x, V g) {
  return g * (T(1) + x * (T(1) - g));
}
template <class T, class V>
SKLAR_HD V silu_2(V x, V g) {
  return g * (T(1) - g) * (T(2) + x * (T(1) - T(2) * g));
}

}  // namespace sklar
