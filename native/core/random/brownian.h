// Brownian motion of a single seed, evaluated anywhere without storing a path: the virtual Brownian tree with
// space-time Levy area (Jelincic, Foster, Kidger, arXiv 2405.06464; docs/mathematics.md, J). Host and device,
// in double. A node of the tree is a dyadic interval; its two normals depend on (seed, row, column, node)
// alone, so increments over any intervals are consistent with each other, whatever the steps, batches and
// threads.
//
// Intervals are halved `brownian_depth` times. Inside the last one W follows the bridge's law at a single
// time, with a normal that all times of that interval share: consistent, and exact in law for each increment
// longer than it.
#pragma once

#include <stdint.h>

#include "core/random/philox.h"

namespace sklar {

constexpr int brownian_depth = 20;

/// W(t) and the integral of W over [0, t].
struct BrownianPoint {
  double w, integral;
};

/// Increment over [s, u] and space-time Levy area H = (1/h) int_s^u (W(r) - W(s) - (r - s)/h (W(u) - W(s)))
/// dr; independent normals of variance h and h/12.
struct BrownianIncrement {
  double w, h;
};

/// The path of columns 2 * pair (out[0]) and 2 * pair + 1 (out[1]) of a row at time t in [0, span].
SKLAR_HD void brownian_at(PhiloxKey key, uint64_t row, uint32_t pair, uint32_t tag, double span, double t,
                          BrownianPoint out[2]) {
  const Normals4 root = philox_normals(philox(philox_counter(row, pair, 0, tag), key));
  double length = span, start = 0;
  double w[2] = {__builtin_sqrt(length) * static_cast<double>(root.x),
                 __builtin_sqrt(length) * static_cast<double>(root.z)};
  double h[2] = {__builtin_sqrt(length / 12) * static_cast<double>(root.y),
                 __builtin_sqrt(length / 12) * static_cast<double>(root.w)};
  double before[2] = {0, 0}, integral[2] = {0, 0};
  uint64_t node = 1;
  for (int level = 0; level < brownian_depth && start < t && t < start + length; ++level) {
    const Normals4 n = philox_normals(philox(philox_counter(row, pair, node, tag), key));
    const double zeta_scale = __builtin_sqrt(length / 16), nu_scale = __builtin_sqrt(length / 12);
    const double zeta[2] = {zeta_scale * static_cast<double>(n.x), zeta_scale * static_cast<double>(n.z)};
    const double nu[2] = {nu_scale * static_cast<double>(n.y), nu_scale * static_cast<double>(n.w)};
    length *= 0.5;
    const bool right = t >= start + length;
    for (int k = 0; k < 2; ++k) {
      const double turn = 1.5 * h[k] + zeta[k], half = 0.5 * w[k], area = 0.25 * h[k] - 0.5 * zeta[k];
      const double w_left = half + turn, h_left = area + 0.5 * nu[k];
      if (right) {
        integral[k] += length * (before[k] + h_left + 0.5 * w_left);
        before[k] += w_left;
        w[k] = half - turn;
        h[k] = area - 0.5 * nu[k];
      } else {
        w[k] = w_left;
        h[k] = h_left;
      }
    }
    node = 2 * node + (right ? 1 : 0);
    if (right) start += length;
  }
  double x = length > 0 ? (t - start) / length : 0;
  x = x < 0 ? 0 : x > 1 ? 1 : x;
  double shared[2] = {0, 0};
  if (x > 0 && x < 1) {
    const Normals4 n = philox_normals(philox(philox_counter(row, pair, node, tag), key));
    const double bend = x * (1 - x), spread = __builtin_sqrt(length * (bend - 3 * bend * bend));
    shared[0] = spread * static_cast<double>(n.x);
    shared[1] = spread * static_cast<double>(n.z);
  }
  for (int k = 0; k < 2; ++k) {
    out[k].w = before[k] + x * w[k] + 6 * x * (1 - x) * h[k] + shared[k];
    out[k].integral =
        integral[k] + length * (x * before[k] + 0.5 * x * x * w[k] + x * x * (3 - 2 * x) * h[k]);
  }
}

/// Over [s, u], u > s, from the path at its ends.
SKLAR_HD BrownianIncrement brownian_between(const BrownianPoint& at_s, const BrownianPoint& at_u, double s,
                                            double u) {
  const double w = at_u.w - at_s.w;
  return BrownianIncrement{w, (at_u.integral - at_s.integral) / (u - s) - at_s.w - 0.5 * w};
}

}  // namespace sklar
