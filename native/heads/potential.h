#pragma once

// A potential head along the Ornstein-Uhlenbeck process, element by element, for host and device: F =
// scale(t) n(y, features(t)) = log c_t up to a constant, n the network's one output (docs/mathematics.md,
// A.11).

#include "heads/velocity.h"

namespace sklar {

// What a change of the time does to F: its derivative is scale_slope n + scale sum_k feature_slope[k] dn / d
// feature_k.
struct PotentialSlopes {
  double scale, scale_slope, feature_slope[velocity_time_features];
};

SKLAR_HD_INLINE PotentialSlopes potential_slopes(const VelocityHead& head, double theta) {
  const double a = OuProcess::alpha(theta), noise = OuProcess::noise(theta);
  PotentialSlopes s;
  s.scale = velocity_scale(head, Form::gradient, theta);
  s.scale_slope = -2 * a * noise;
  double features[velocity_time_features];
  velocity_time(head, theta, features);
  const double floor = velocity_time_floor(head), level = noise * a / (noise * noise + floor * floor) / 3.5;
  s.feature_slope[0] = a;
  s.feature_slope[1] = -noise;
  s.feature_slope[2] = level;
  for (int k = 1; k <= 4; ++k) {
    s.feature_slope[1 + 2 * k] = 0.5 * kPi * k * level * features[2 + 2 * k];
    s.feature_slope[2 + 2 * k] = -0.5 * kPi * k * level * features[1 + 2 * k];
  }
  return s;
}

}  // namespace sklar
