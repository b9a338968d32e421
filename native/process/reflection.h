#pragma once

// Straight lines u_t = fold(u_0 + t V), V standard normal, in the unit cube: Brownian motion at tau = t^2,
// reflected at the faces (docs/mathematics.md, B). Host and device.

#include <math.h>
#include <stddef.h>

#include "core/fold.h"
#include "core/random/philox.h"
#include "process/draw.h"
#include "process/form.h"

namespace sklar {

struct ReflectionProcess {
  static constexpr const char* name = "reflection";
  static constexpr bool on_cube = true;
  static constexpr bool has_noise = true;
  static constexpr bool learned_in_kernels = true;
  static constexpr double last_time = HUGE_VAL;
  static constexpr Form learned = Form::velocity;
  static constexpr uint32_t time_tag = kTagReflectionTime, noise_tag = kTagInitialVelocity;

  SKLAR_HD double noise(double time) { return time; }
  SKLAR_HD double time_of_noise(double noise) { return noise; }
  SKLAR_HD double forward_time(double time) { return time * time; }

  // v = -t grad F
  SKLAR_HD double over_slope(Form, double time) { return -time; }
  static constexpr double slope_unit = 1;

  template <class T>
  SKLAR_HD void path(double time, T start, T noise, const PathDraw&, T* state, T* velocity) {
    const double y = static_cast<double>(start) + time * static_cast<double>(noise);
    *state = static_cast<T>(fold(y));
    *velocity = static_cast<T>(fold_sign(y)) * noise;
  }

  SKLAR_HD void time_features(double time, double* out) {
    out[0] = 2 * time;
    out[1] = exp(-kPi * kPi * time * time);
  }
  SKLAR_HD double face(double u) { return sin(kPi * u); }
  SKLAR_HD double face_slope(double u) { return kPi * cos(kPi * u); }
  SKLAR_HD double loss_weight(double) { return 1; }
  static constexpr int bound_power = 2;
};

}  // namespace sklar
