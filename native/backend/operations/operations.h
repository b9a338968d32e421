#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/operations/epilogue.hpp"
#include "backend/operations/state.h"
#include "core/linear/matrix.hpp"

// What the operations of a backend are told, for host and device; those of one kind of head are in
// classifier_operations.h and velocity_operations.h. Pointers are backend memory.
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

// Gradients of a linear map w (hidden x hidden, bias) and of the linear map before it, whose product was all
// that the passes saw. sums_n, sums_m: [x | 1]^T N and [x | 1]^T M, input: [w0 | b0]^T.
//   dw = sums_n^T input, dbias = last row of sums_n, [dw0 | db0]^T = sums_m + sums_n w
template <class T>
struct MergedGradient {
  MatrixView<const T> sums_n, sums_m, input;
  const T* w = nullptr;
  T *dw = nullptr, *dbias = nullptr;
  T *dw0 = nullptr, *dbias0 = nullptr;
};

// Rows whose recurring values stand for blocks of levels, and how levels inside these blocks are drawn: by
// sweeps of a Gibbs sampler on the Gaussian scale, each tied coordinate from its conditional law given the
// others under a Gaussian copula, truncated to its block (docs/mathematics.md, A.10).
template <class T>
struct TiedDraw {
  size_t columns = 0;  // that have blocks, `column` their numbers in ascending order
  const uint32_t* column = nullptr;
  const double* edges = nullptr;      // of the blocks, two each, on the Gaussian scale
  const double* weights = nullptr;    // columns x d: conditional mean from the others; its own is 0
  const double* deviation = nullptr;  // of each column given the others
  const int32_t* place = nullptr;     // of each row among those that are tied, -1: it is not
  const int32_t* block = nullptr;     // tied rows x columns: number of the block, -1: none
  double* start = nullptr;            // tied rows x d: where sweeps begin
  double* work = nullptr;             // min(batch, rows) x d of scratch
  size_t sweeps = 0;
  uint64_t seed = 0;
  // What is drawn. With a state: the rows of the batch of `batch` rows of step `state->step`, from their
  // start on. Without: all rows, and their start moves along.
  const TrainState* state = nullptr;
  size_t batch = 0;
  uint64_t round = 0;
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

}  // namespace sklar
