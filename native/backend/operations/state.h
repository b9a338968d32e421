#pragma once

// What changes from step to step of a training run. It lives in backend memory, so that a step can be
// recorded once and replayed without the host.

#include <math.h>
#include <stdint.h>

#include "core/host_device.h"

namespace sklar {

struct TrainState {
  uint64_t step;                                // steps done
  double cross_entropy;                         // of the last step's batch
  double squared_error;                         // of the last step's batch
  double cross_entropy_sum, squared_error_sum;  // over the steps since somebody set them to zero
  double gradient_norm;                         // before clipping
  double learning_rate;                         // of the last step
  // Values of steps in one operation that were set to the end of their range; others: Backend::saturated.
  uint32_t saturated;
};

// Linear warm-up to `peak`, then half a cosine down to `final_fraction * peak`, `total` steps after `start`.
struct LearningRate {
  double peak;
  double final_fraction;
  uint64_t warmup;
  uint64_t total;
  uint64_t start = 0;
};

SKLAR_HD_INLINE double learning_rate_at(const LearningRate& rate, uint64_t step) {
  step -= rate.start;
  if (step < rate.warmup) return rate.peak * static_cast<double>(step + 1) / static_cast<double>(rate.warmup);
  if (step >= rate.total || rate.total <= rate.warmup) return rate.peak * rate.final_fraction;
  const double done = static_cast<double>(step - rate.warmup) / static_cast<double>(rate.total - rate.warmup);
#if defined(__CUDA_ARCH__)
  const double wave = cospi(done);  // cos reduces any argument, in local memory
#else
  const double wave = cos(3.14159265358979323846 * done);
#endif
  return rate.peak * (rate.final_fraction + (1 - rate.final_fraction) * 0.5 * (1 + wave));
}

}  // namespace sklar
