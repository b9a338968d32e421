#pragma once

#include "backend/operations/operations.h"
#include "heads/velocity.h"

// What the operations of velocity heads are told, for host and device.
namespace sklar {

// Density of the times of a training batch.
struct TimeLaw {
  enum class Kind {
    uniform,      // in [low, high]
    quartic,      // high U^4, the published law of the reflection copula
    logarithmic,  // log t uniform in [low, high]: the likelihood's weight 1/t
    log_sine,     // log sin(theta) uniform, sin(theta) in [low, 1]: the likelihood's weight cot(theta)
  };
  Kind kind;
  double low, high;
};

// How a batch of (row, time, state, velocity) is drawn for step `state->step`.
template <class T>
struct VelocityDraw {
  const TrainState* state = nullptr;
  uint64_t seed = 0;
  MatrixView<const T> data;
  VelocityHead head;
  TimeLaw law;
  MatrixView<T> y;       // states, followed by a column of ones
  MatrixView<T> target;  // velocities along the path
  double* time = nullptr;
};

template <class T>
struct VelocityLoss {
  VelocityHead head;
  MatrixView<const T> output, y, target;
  const double* time = nullptr;
  double row_weight = 0;
  double adjoint_scale = 1;  // of the adjoint below
  MatrixView<T> output_adjoint;
  // Of a potential, beside the error of its gradient that of its slope in time; 0: not wanted. value: the
  // network's output, of which `output` is the gradient; time_gradient: that in the features of the time.
  double slope_weight = 0;
  MatrixView<const T> value, time_gradient;
  MatrixView<T> value_adjoint, time_gradient_adjoint;
  double* row_losses = nullptr;  // scratch
  TrainState* state = nullptr;   // receives squared_error
};

// The same as ClassifierStep for a velocity head. Each member of an ensemble learns from every members-th
// row, beginning with its own number.
template <class T>
struct VelocityStep {
  FusedNetwork<T> network;  // a member: the parameters of the others follow
  size_t members = 1;
  VelocityDraw<T> draw;
  VelocityLoss<T> loss;
};

// A field of a velocity head in one of the forms that it has.
struct VelocityForm {
  VelocityHead head;
  Form form = Form::velocity;
  SKLAR_HD_INLINE double scale(double time) const { return velocity_scale(head, form, time); }
};

}  // namespace sklar
