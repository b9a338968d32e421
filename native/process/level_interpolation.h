// A field that is known at noise levels alone, as a field of continuous time: the slope r = G / (2w) is
// interpolated linearly in w = cos(theta)^2 between two levels. Host and device.
#pragma once

#include <math.h>
#include <stddef.h>

#include "core/philox.h"
#include "process/form.h"

namespace sklar {

/// F or G at a time is near[F_near] + far[F_far] + reference[the part known at the last level].
struct LevelMix {
  size_t near, far;
  double near_weight, far_weight, reference_weight;
};

/// w: of `count` levels, decreasing from 1 (data). known: the slope at the last level is known apart from the
/// levels; otherwise it is taken to be that of the level before it.
SKLAR_HD LevelMix mix_levels(const double* w, size_t count, bool known, double theta, Form form) {
  // cos(pi / 2) in doubles is 6e-17, not the 0 that is meant
  const double alpha = theta >= 1.5707963267948966 ? 0 : cos(theta), at = alpha * alpha;
  const double scale = form == Form::slope_w       ? 1
                       : form == Form::slope_alpha ? 2 * alpha
                       : form == Form::slope_theta ? -2 * sin(theta) * alpha
                                                   : 2 * at;
  const size_t last = count - 1;
  size_t near = 0;
  while (near + 1 < last && w[near + 1] >= at) ++near;
  double share = (w[near] - at) / (w[near] - w[near + 1]);
  // times come through angles: a level's own is met to rounding
  share = share < 1e-9 ? 0 : share > 1 - 1e-9 ? 1 : share;
  LevelMix mix{near, near + 1, (1 - share) * scale / (2 * w[near]), 0, 0};
  if (share == 0) return mix;
  if (near + 1 < last)
    mix.far_weight = share * scale / (2 * w[near + 1]);
  else if (known)
    mix.reference_weight = share * scale;
  else
    mix.near_weight = scale / (2 * w[near]);
  return mix;
}

}  // namespace sklar
