// A field that is known at noise levels alone, as a field of continuous time: the slope r = G / (2w) is
// interpolated linearly in w = cos(theta)^2 between two levels (docs/mathematics.md, A.5 and A.7). Host and
// device.
#pragma once

#include <math.h>
#include <stddef.h>

#include "core/random/philox.h"
#include "process/ou.h"

namespace sklar {

/// F or G at a time is near[F_near] + far[F_far] + reference[the part known at the last level].
struct LevelWeights {
  size_t near, far;
  double near_weight, far_weight, reference_weight;
};

/// w: of `count` levels, decreasing from 1 (data). known: the slope at the last level is known apart from the
/// levels; otherwise it is taken to be that of the level before it.
SKLAR_HD LevelWeights interpolate_levels(const double* w, size_t count, bool known, double theta, Form form) {
  const double alpha = OuProcess::alpha(theta), at = alpha * alpha;
  const double scale = OuProcess::over_slope(form, theta);
  const size_t last = count - 1;
  size_t near = 0;
  while (near + 1 < last && w[near + 1] >= at) ++near;
  double share = (w[near] - at) / (w[near] - w[near + 1]);
  // times come through angles: a level's own is met to rounding
  share = share < 1e-9 ? 0 : share > 1 - 1e-9 ? 1 : share;
  LevelWeights mix{near, near + 1, (1 - share) * scale / (2 * w[near]), 0, 0};
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
