#pragma once

#include "backend/operations/operations.h"
#include "process/form.h"

// What the operations of the classifier of noise levels are told, for host and device.
namespace sklar {

// Levels of the Ornstein-Uhlenbeck process: z_t = alpha z_0 + sigma noise.
template <class T>
struct Levels {
  size_t count = 0;
  const T* alpha = nullptr;
  const T* sigma = nullptr;
};

// How a batch of (row, level, noise) is drawn for step `state->step` from `data` (columns of it, then a
// column of ones).
template <class T>
struct BatchDraw {
  const TrainState* state = nullptr;
  uint64_t seed = 0;
  MatrixView<const T> data;
  Levels<T> levels;
  size_t active = 0;  // rows [0, active) take levels 1..K-2 in turn, the others 0 and K-1; == rows: all
                      // levels, independent
  MatrixView<T> noise;
  MatrixView<T> x;  // noised rows, followed by the column of ones
  int32_t* level = nullptr;
};

template <class T>
struct ClassifierLoss {
  MatrixView<const T> logits;
  MatrixView<const T>
      gradient;  // G = d(logit_level - logit_last)/dx, of the first `active` rows; zero for the others
  MatrixView<const T> x, noise;
  const int32_t* level = nullptr;
  Levels<T> levels;
  size_t active = 0;
  double cross_entropy_weight = 0;  // lambda_CE
  double active_row_weight = 0;     // share of one active row in the mean of the cross entropy
  double passive_row_weight = 0;    // the same for the other rows
  double active_error_weight = 0;   // share of one active row in the mean of the squared error
  double passive_error_weight = 0;  // the same for the other rows
  double adjoint_scale = 1;         // of both adjoints below
  MatrixView<T> logit_adjoint;      // d loss / d logits
  MatrixView<T> gradient_adjoint;   // r = d loss / d G, of the active rows
  MatrixView<T> predicted_noise;    // predicted noise sigma (x - G)
  double* row_losses = nullptr;  // 2 x rows of scratch: cross entropy and squared error of each row, weighted
  TrainState* state = nullptr;   // receives cross_entropy and squared_error
};

// A batch of a classifier, its losses and their gradient, for each of some models: what these have of their
// own is not in `network`, `draw` and `loss`. What the parts hand to each other, matrices and levels, may
// stay where the device likes it.
template <class T>
struct ClassifierStep {
  FusedNetwork<T> network;
  BatchDraw<T> draw;
  ClassifierLoss<T> loss;
};

// A field known at `count` levels, at the angles theta of the rows (process/level_interpolation.h).
struct LevelInterpolation {
  size_t count = 0;
  const double* w = nullptr;
  bool known_reference = false;
  const double* theta = nullptr;
  Form form = Form::gradient;
};

}  // namespace sklar
