#pragma once

#include <span>

#include "backend/backend.hpp"

namespace sklar {

// What is minimised: a loss of a network's parameters on batches of rows, and its gradient. The trainer sets
// the network's parameters first.
template <class T>
class Objective {
 public:
  virtual ~Objective() = default;
  virtual std::size_t batch() const = 0;
  // The batch of step `state->step`: rows of data (in the network's coordinates), noise, time. Draws depend
  // on the seed and the step alone.
  virtual void draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) = 0;
  virtual void evaluate(TrainState* state) = 0;                    // losses only
  virtual void differentiate(TrainState* state, T* gradient) = 0;  // losses and gradient, times:
  virtual double gradient_scale() const = 0;                       // see Backend::adjoint_scale
  // draw, then differentiate (evaluate, for models without a gradient), for each model at its own parameters,
  // in one operation; the network is left alone. False, and nothing is done, where the device has none; no
  // models ask whether it has.
  virtual bool draw_and_differentiate(std::span<const TrainedModel<T>> models) = 0;
  // The value that is minimised, of the losses in a state on the host.
  virtual double loss(const TrainState& state) const = 0;
};

}  // namespace sklar
