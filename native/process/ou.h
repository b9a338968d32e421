#pragma once

// The Ornstein-Uhlenbeck process dz = -z dt + sqrt(2) dB on the Gaussian scale, in whitened coordinates where
// there is a guide (docs/mathematics.md, A.1, A.3, A.5 and C). Its time here is the angle theta in [0, pi /
// 2], alpha = cos theta = e^-t, sigma = sin theta. Host and device.

#include <math.h>
#include <stddef.h>

#include "core/host_device.h"
#include "core/random/philox.h"
#include "process/draw.h"
#include "process/form.h"

namespace sklar {

inline constexpr double reference_angle = 1.5707963267948966;  // pure noise

struct OuProcess {
  static constexpr const char* name = "ou";
  static constexpr bool on_cube = false;
  static constexpr bool has_noise = true;
  static constexpr bool learned_in_kernels = true;
  static constexpr double last_time = reference_angle;
  static constexpr Form learned = Form::slope_theta;
  static constexpr uint32_t time_tag = kTagTrainTime, noise_tag = kTagTrainNoise;

  // exactly 0 at the reference: in doubles cos(pi / 2) is 6e-17
  SKLAR_HD double alpha(double theta) { return theta >= reference_angle ? 0 : cos(theta); }
  SKLAR_HD double noise(double theta) { return sin(theta); }
  SKLAR_HD double time_of_noise(double sigma) { return asin(sigma); }
  SKLAR_HD double forward_time(double theta) {  // t = -log alpha, infinite at the reference
    if (theta >= reference_angle) return HUGE_VAL;
    const double sigma = sin(theta);
    return sigma < 0.7 ? -0.5 * log1p(-sigma * sigma) : -log(cos(theta));
  }
  SKLAR_HD double alpha_of_time(double t) { return exp(-t); }
  SKLAR_HD double sigma_of_time(double t) { return sqrt(-expm1(-2 * t)); }
  SKLAR_HD double angle(double t) {
    return t == HUGE_VAL ? reference_angle : atan2(sigma_of_time(t), alpha_of_time(t));
  }
  SKLAR_HD double log_signal_to_noise(double theta) {
    return theta >= reference_angle ? -HUGE_VAL : -log(tan(theta));
  }

  // A form of the field over the slope G / (2 w), which is finite at every time.
  SKLAR_HD double over_slope(Form form, double theta) {
    const double a = alpha(theta);
    switch (form) {
      case Form::slope_w:
        return 1;
      case Form::slope_alpha:
        return 2 * a;
      case Form::slope_theta:
        return -2 * sin(theta) * a;
      default:
        return 2 * a * a;
    }
  }
  static constexpr double slope_unit = 2;

  // z_t, and d z_t / d theta
  template <class T>
  SKLAR_HD T state(T alpha, T sigma, T start, T noise) {
    return alpha * start + sigma * noise;
  }
  template <class T>
  SKLAR_HD void path(double theta, T start, T noise, const PathDraw&, T* state, T* velocity) {
    const T a = static_cast<T>(cos(theta)), s = static_cast<T>(sin(theta));
    *state = OuProcess::state(a, s, start, noise);
    *velocity = a * noise - s * start;
  }

  // The denoiser, E[noise | z], from G = grad F.
  template <class T>
  SKLAR_HD T predicted_noise(T sigma, T z, T gradient) {
    return sigma * (z - gradient);
  }

  SKLAR_HD void time_features(double theta, double* out) {
    out[0] = sin(theta);
    out[1] = cos(theta);
  }
  SKLAR_HD double face(double) { return 1; }
  SKLAR_HD double face_slope(double) { return 0; }
  SKLAR_HD double loss_weight(double) { return 1; }
  static constexpr int bound_power = 1;
};

}  // namespace sklar
