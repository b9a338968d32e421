#pragma once

#include <math.h>

#include "backend/operations/operations.h"

// One step of Adam, for host and device (docs/mathematics.md, L.1): what all parameters have in common, and
// one parameter.
namespace sklar {

template <class T>
struct AdamScalars {
  T scale;  // of the gradient
  T beta1, beta2, epsilon;
  T keep;             // 1 - learning rate * weight decay
  T step_size;        // learning rate / (1 - beta1^t)
  T root_correction;  // 1 / sqrt(1 - beta2^t)
  T ema_decay;
};

// norm: of the gradient; rate: learning_rate_at; t = step + 1
template <class T>
SKLAR_HD_INLINE AdamScalars<T> adam_scalars(const AdamOptions& options, double norm, double rate,
                                            uint64_t step) {
  const double t = static_cast<double>(step + 1);
  const double clip = options.clip_norm > 0 ? fmin(1.0, options.clip_norm / (norm + 1e-6)) : 1.0;
  return {static_cast<T>(clip / options.gradient_scale),
          static_cast<T>(options.beta1),
          static_cast<T>(options.beta2),
          static_cast<T>(options.epsilon),
          static_cast<T>(1 - rate * options.weight_decay),
          static_cast<T>(rate / (1 - pow(options.beta1, t))),
          static_cast<T>(1 / sqrt(1 - pow(options.beta2, t))),
          static_cast<T>(fmin(options.ema_decay, (1.0 + t) / (10.0 + t)))};
}

SKLAR_HD float adam_root(float x) { return sqrtf(x); }
SKLAR_HD double adam_root(double x) { return sqrt(x); }

template <class T>
SKLAR_HD void adam_element(const AdamScalars<T>& s, T gradient, T& m, T& v, T& p) {
  const T g = gradient * s.scale;
  m = s.beta1 * m + (1 - s.beta1) * g;
  v = s.beta2 * v + (1 - s.beta2) * g * g;
  p = s.keep * p - s.step_size * m / (adam_root(v) * s.root_correction + s.epsilon);
}

SKLAR_HD_INLINE void end_adam_step(TrainState& state, double norm, double rate) {
  state.step += 1;
  state.cross_entropy_sum += state.cross_entropy;
  state.squared_error_sum += state.squared_error;
  state.gradient_norm = norm;
  state.learning_rate = rate;
}

}  // namespace sklar
