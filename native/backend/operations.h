#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/epilogue.hpp"
#include "backend/state.h"
#include "core/matrix.hpp"
#include "heads/velocity.h"
#include "process/form.h"

// What the operations of a backend are told, for host and device. Pointers are backend memory.
namespace sklar {

template <class T>
struct EpilogueOperands {
  Epilogue kind = Epilogue::store;
  const T* bias = nullptr;  // `columns` values
  MatrixView<const T> in[4];
  MatrixView<T> out[3];
  size_t active = ~size_t{0};  // rows without a second-order source start here
};

// c = sum over segments of a^T b; the first `rows` of a and b of each segment are summed over.
template <class T>
struct OuterProduct {
  struct Segment {
    MatrixView<const T> a, b;
  };
  Segment segment[2];
  int segments = 1;
  T* c = nullptr;  // rows: a's columns, b's columns a row
  size_t c_stride = 0;
  T* column_sums = nullptr;  // of segment 0's a
};

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
  MatrixView<T> denoised;           // predicted noise sigma (x - G)
  double* row_losses = nullptr;  // 2 x rows of scratch: cross entropy and squared error of each row, weighted
  TrainState* state = nullptr;   // receives cross_entropy and squared_error
};

// Rows whose recurring values stand for blocks of levels, and how levels inside these blocks are drawn: by
// sweeps of a Gibbs sampler on the Gaussian scale, each tied coordinate from its conditional law given the
// others under a Gaussian copula, truncated to its block (docs/mathematics.md, A.10).
template <class T>
struct FreshLevels {
  size_t columns = 0;  // that have blocks, `column` their numbers in ascending order
  const uint32_t* column = nullptr;
  const uint32_t* first = nullptr;    // columns + 1: where the blocks of each begin
  const double* levels = nullptr;     // ends of the blocks, two each, on the copula scale,
  const double* edges = nullptr;      // and on the Gaussian scale
  const double* weights = nullptr;    // columns x d: conditional mean from the others; its own is 0
  const double* deviation = nullptr;  // of each column given the others
  int32_t* block = nullptr;           // rows x columns: number of the block, -1: none
  double* start = nullptr;            // rows x d: where sweeps begin
  double* work = nullptr;             // min(batch, rows) x d of scratch
  size_t sweeps = 0;
  uint64_t seed = 0;
  // What is drawn. With a state: the rows of the batch of `batch` rows of step `state->step`, from their
  // start on. Without: all rows, and their start moves along; `enter`: it holds levels at first, which tell
  // `block`.
  const TrainState* state = nullptr;
  size_t batch = 0;
  uint64_t round = 0;
  bool enter = false;
  // Where the values go: y = whitening z (L^-1, d x d, dense); without one the tied coordinates alone, as z
  // or as levels.
  const double* whitening = nullptr;
  bool to_levels = false;
  MatrixView<T> data;
};

// A residual network (nn/network.hpp), for operations that go through all of it.
template <class T>
struct FusedNetwork {
  const T* parameters = nullptr;  // in the order of residual_mlp_slices
  size_t inputs = 0, hidden = 0, depth = 0, outputs = 0;
  bool relu = false;  // inside a block
};

// Of models that are trained together, all alike but for this.
template <class T>
struct TrainedModel {
  MatrixView<const T> data;
  uint64_t seed = 0;
  const T* parameters = nullptr;
  T* gradient =
      nullptr;  // times the loss's adjoint_scale, in the order of the parameters; all null: losses alone
  TrainState* state = nullptr;
};
constexpr size_t most_models = 16;  // of one operation

// A batch of a classifier, its losses and their gradient, for each of some models: what these have of their
// own is not in `network`, `draw` and `loss`. What the parts hand to each other, matrices and levels, may
// stay where the device likes it.
template <class T>
struct ClassifierStep {
  FusedNetwork<T> network;
  BatchDraw<T> draw;
  ClassifierLoss<T> loss;
};

struct AdamOptions {
  LearningRate rate;
  double beta1, beta2, epsilon;
  double clip_norm;           // of the whole gradient; 0: none
  double weight_decay;        // decoupled: every step takes this times the learning rate off each parameter
  double ema_decay;           // 0: no average. The decay warms up: min(ema_decay, (1 + step) / (10 + step)).
  double gradient_scale = 1;  // what the gradient was multiplied by
};

// One step on everything at once: gradient norm, clipping, Adam, the running average; state->step goes up by
// one.
template <class T>
struct AdamUpdate {
  T* parameters = nullptr;
  const T* gradient = nullptr;
  T *m = nullptr, *v = nullptr, *average = nullptr;
  AdamOptions options{};
  TrainState* state = nullptr;
};

// to = sum of factor x, times row[i] where row is given, + noise xi, xi standard normal, drawn for (first_row
// + row, step). `to` may be one of the terms; columns beyond those of `to` are not read.
template <class T>
struct Combine {
  static constexpr size_t most = 8;
  struct Term {
    MatrixView<const T> x;
    double factor = 0;
    const double* row = nullptr;
  };
  MatrixView<T> to;
  Term term[most];
  size_t terms = 0;
  double noise = 0;
  uint64_t seed = 0, first_row = 0, step = 0;
  uint32_t tag = 0;

  Combine& add(MatrixView<const T> x, double factor, const double* row = nullptr) {
    term[terms++] = {x, factor, row};
    return *this;
  }
};

// Which Brownian motion: row i is the path of `first_row + (rows ? rows[i] : i)` on [0, span].
struct BrownianPath {
  uint64_t seed = 0, first_row = 0;
  const uint32_t* rows = nullptr;
  double span = 0;
};

// What a trial step is judged by: out[i] = root mean square over the columns of error / (absolute + relative
// max(|a|, |b|)), and over the `extra` quantities of the row (their errors and values, rows x extra) where
// there are any.
template <class T>
struct ErrorNorm {
  MatrixView<const T> error, a, b;
  double absolute = 0, relative = 0;
  const double* extra_error = nullptr;
  const double* extra_value = nullptr;
  size_t extra = 0;
  double* out = nullptr;
};

// A field known at `count` levels, at the angles theta of the rows (process/level_interpolation.h).
struct LevelMixing {
  size_t count = 0;
  const double* w = nullptr;
  bool known_reference = false;
  const double* theta = nullptr;
  Form form = Form::gradient;
};

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
