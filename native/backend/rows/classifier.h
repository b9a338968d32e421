#pragma once

#include <math.h>

#include "backend/operations/classifier_operations.h"
#include "backend/rows/lanes.h"
#include "core/random/philox.h"
#include "core/random/shuffle.h"
#include "process/ou.h"

// The operations of the classifier head (docs/mathematics.md, A.4, A.5 and A.6), row by row, for host and
// device.
namespace sklar::rows {

// Of the logit of `level` less the last one's: the cotangent of column j.
template <class T>
SKLAR_HD_INLINE T level_cotangent(size_t j, size_t level, size_t columns) {
  return static_cast<T>(j == level) - static_cast<T>(j + 1 == columns);
}

// F_level(z) = log c_level up to the model's normaliser, from the logits of a row (A.4): the last level is
// the reference, and differences of logits know no softmax.
template <class T>
SKLAR_HD_INLINE double log_ratio(const T* logits, size_t levels, size_t level) {
  return static_cast<double>(logits[level]) - static_cast<double>(logits[levels - 1]);
}

// Of row i of the batch; `turn` is the step's draw of where the rounds of levels begin.
template <class T>
SKLAR_HD_INLINE size_t draw_level(const BatchDraw<T>& b, size_t i, const PhiloxBlock& turn) {
  const size_t last = b.levels.count - 1;
  if (b.active == b.x.rows) {
    const PhiloxBlock random =
        philox(philox_counter(i + 1, 0, b.state->step, kTagTrainTime), philox_key(b.seed));
    return static_cast<size_t>((static_cast<uint64_t>(random.x) * (last + 1)) >> 32);
  }
  if (i < b.active) return 1 + (i + turn.x % (last - 1)) % (last - 1);
  return (i - b.active + turn.y % 2) % 2 ? last : 0;
}
template <class T>
SKLAR_HD_INLINE PhiloxBlock level_turn(const BatchDraw<T>& b) {
  return philox(philox_counter(0, 0, b.state->step, kTagTrainTime), philox_key(b.seed));
}

// The predicted noise of row i, its losses and the adjoint of its logits.
template <class T, class Lanes>
SKLAR_HD_INLINE void classifier_losses(const ClassifierLoss<T>& l, size_t i, const Lanes& lanes) {
  const size_t k = l.levels.count, d = l.noise.columns;
  const bool active = i < l.active;
  const T* logit = l.logits.row(i);
  const size_t level = static_cast<size_t>(l.level[i]);
  T top = logit[0];
  for (size_t j = lanes.first; j < k; j += lanes.count) top = top < logit[j] ? logit[j] : top;
  top = lanes.largest(top);
  T* c = l.logit_adjoint.row(i);
  T sum = 0;
  for (size_t j = lanes.first; j < k; j += lanes.count) sum += c[j] = exp(logit[j] - top);
  sum = lanes.sum(sum);
  const double share = active ? l.active_row_weight : l.passive_row_weight;
  const T weight = static_cast<T>(l.adjoint_scale * (l.cross_entropy_weight * share));
  for (size_t j = lanes.first; j < k; j += lanes.count) {
    c[j] *= weight / sum;
    if (j == level) c[j] -= weight;
  }

  const double error_share = active ? l.active_error_weight : l.passive_error_weight;
  const T sigma = l.levels.sigma[level];
  const T* g = active ? l.gradient.row(i) : nullptr;
  const T* x = l.x.row(i);
  const T* noise = l.noise.row(i);
  T* predicted_noise = l.predicted_noise.row(i);
  double squares = 0;
  for (size_t j = lanes.first; j < d; j += lanes.count) {
    predicted_noise[j] = OuProcess::predicted_noise(sigma, x[j], g ? g[j] : T(0));
    const T difference = predicted_noise[j] - noise[j];
    squares += static_cast<double>(difference) * static_cast<double>(difference);
  }
  squares = lanes.sum(squares);
  if (lanes.first == 0) {
    l.row_losses[2 * i] = share * (log(static_cast<double>(sum)) + static_cast<double>(top - logit[level]));
    l.row_losses[2 * i + 1] = error_share * squares / static_cast<double>(d);
  }
}

// r of an active row, from the noise that all lanes have predicted
template <class T, class Lanes>
SKLAR_HD_INLINE void denoising_adjoint(const ClassifierLoss<T>& l, size_t i, const Lanes& lanes) {
  const size_t d = l.noise.columns;
  const T* noise = l.noise.row(i);
  const T* predicted_noise = l.predicted_noise.row(i);
  const T sigma = l.levels.sigma[l.level[i]];
  T* r = l.gradient_adjoint.row(i);
  const T scale =
      -sigma * static_cast<T>(l.adjoint_scale * (2 * l.active_error_weight / static_cast<double>(d)));
  for (size_t j = lanes.first; j < d; j += lanes.count) r[j] = scale * (predicted_noise[j] - noise[j]);
  if (lanes.first == 0) r[d] = 0;
}

template <class T, class Lanes>
SKLAR_HD_INLINE void classifier_loss(const ClassifierLoss<T>& l, size_t i, const Lanes& lanes) {
  classifier_losses(l, i, lanes);
  if (i >= l.active) return;
  lanes.wait();
  denoising_adjoint(l, i, lanes);
}

}  // namespace sklar::rows
