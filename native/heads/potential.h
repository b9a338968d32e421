#pragma once

// A potential head along the Ornstein-Uhlenbeck process, element by element, for host and device: F =
// scale(t) n(y, features(t)) = log c_t up to a constant, n the network's one output (docs/mathematics.md,
// A.11).

#include "heads/velocity.h"

namespace sklar {

// What a change of the time does to F: its derivative is scale_slope n + scale sum_k feature_slope(k) dn / d
// feature_k.
struct PotentialTime {
  double alpha, noise, scale, scale_slope, level, level_slope;

  SKLAR_HD_INLINE PotentialTime(const VelocityHead& head, double theta) {
    const double floor = velocity_time_floor(head);
    alpha = OuProcess::alpha(theta);
    noise = OuProcess::noise(theta);
    scale = velocity_scale(head, Form::gradient, theta);
    scale_slope = -2 * alpha * noise;
    level = velocity_level(head, noise);
    level_slope = noise * alpha / (noise * noise + floor * floor) / 3.5;
  }
  SKLAR_HD_INLINE double feature_slope(size_t k) const {  // as velocity_time has them
    if (k == 0) return alpha;
    if (k == 1) return -noise;
    if (k == 2) return level_slope;
    const double frequency = 0.5 * kPi * static_cast<double>((k - 1) / 2), phase = frequency * level;
    return frequency * level_slope * (k % 2 ? cos(phase) : -sin(phase));
  }
};

}  // namespace sklar
