#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "backend/buffer.hpp"
#include "backend/epilogue.hpp"
#include "backend/state.h"
#include "core/cancel.hpp"
#include "core/margin_maps.hpp"
#include "process/form.h"
#include "process/velocity.h"

// The compute contract. Models, training and integrators are written once over these operations; the CPU
// fulfils them in backend/cpu, CUDA in backend/cuda. Operations are as coarse as a layer: each matrix product
// carries its elementwise epilogue. All pointers are backend memory unless a name says host. The public
// functions check shapes; the virtual ones trust them.
namespace sklar {

// A matrix ready to be the right factor of `linear`: B (inner x columns), in the backend's own layout.
template <class T>
struct PackedMatrix {
  std::size_t inner = 0;
  std::size_t columns = 0;
  Buffer<T> storage;
};

enum class Orientation { as_is, transposed };

template <class T>
struct EpilogueOperands {
  Epilogue kind = Epilogue::store;
  const T* bias = nullptr;  // `columns` values
  MatrixView<const T> in[4];
  MatrixView<T> out[3];
  std::size_t active = ~std::size_t{0};  // rows without a second-order source start here
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
  std::size_t c_stride = 0;
  T* column_sums = nullptr;  // of segment 0's a
};

// Levels of the Ornstein-Uhlenbeck process: z_t = alpha z_0 + sigma noise.
template <class T>
struct Levels {
  std::size_t count = 0;
  const T* alpha = nullptr;
  const T* sigma = nullptr;
};

// How a batch of (row, level, noise) is drawn for step `state->step` from `data` (columns of it, then a
// column of ones).
template <class T>
struct BatchDraw {
  const TrainState* state = nullptr;
  std::uint64_t seed = 0;
  MatrixView<const T> data;
  Levels<T> levels;
  std::size_t active = 0;  // rows [0, active) take levels 1..K-2 in turn, the others 0 and K-1; == rows: all
                           // levels, independent
  MatrixView<T> noise;
  MatrixView<T> x;  // noised rows, followed by the column of ones
  std::int32_t* level = nullptr;
};

template <class T>
struct ClassifierLoss {
  MatrixView<const T> logits;
  MatrixView<const T>
      gradient;  // G = d(logit_level - logit_last)/dx, of the first `active` rows; zero for the others
  MatrixView<const T> x, noise;
  const std::int32_t* level = nullptr;
  Levels<T> levels;
  const T* covariance = nullptr;  // S of the reference Gaussian (d x d, dense), or null for the identity
  std::size_t active = 0;
  double cross_entropy_weight = 0;  // lambda_CE
  double active_row_weight = 0;     // share of one active row in the mean of the cross entropy
  double passive_row_weight = 0;    // the same for the other rows
  double active_error_weight = 0;   // share of one active row in the mean of the squared error
  double passive_error_weight = 0;  // the same for the other rows
  MatrixView<T> logit_adjoint;      // d loss / d logits
  MatrixView<T> gradient_adjoint;   // r = d loss / d G, of the active rows
  MatrixView<T> denoised;           // predicted noise sigma (x - S G); may be empty
  double* row_losses = nullptr;  // 2 x rows of scratch: cross entropy and squared error of each row, weighted
  TrainState* state = nullptr;   // receives cross_entropy and squared_error
};

struct AdamOptions {
  LearningRate rate;
  double beta1, beta2, epsilon;
  double clip_norm;     // of the whole gradient; 0: none
  double weight_decay;  // decoupled: every step takes this times the learning rate off each parameter
  double ema_decay;     // 0: no average. The decay warms up: min(ema_decay, (1 + step) / (10 + step)).
};

// to = sum of factor x, times row[i] where row is given, + noise xi, xi standard normal, drawn for (first_row
// + row, step). `to` may be one of the terms; columns beyond those of `to` are not read.
template <class T>
struct Combine {
  static constexpr std::size_t most = 8;
  struct Term {
    MatrixView<const T> x;
    double factor = 0;
    const double* row = nullptr;
  };
  MatrixView<T> to;
  Term term[most];
  std::size_t terms = 0;
  double noise = 0;
  std::uint64_t seed = 0, first_row = 0, step = 0;
  std::uint32_t tag = 0;

  Combine& add(MatrixView<const T> x, double factor, const double* row = nullptr) {
    term[terms++] = {x, factor, row};
    return *this;
  }
};

// Which Brownian motion: row i is the path of `first_row + (rows ? rows[i] : i)` on [0, span].
struct BrownianPath {
  std::uint64_t seed = 0, first_row = 0;
  const std::uint32_t* rows = nullptr;
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
  std::size_t extra = 0;
  double* out = nullptr;
};

// A field known at `count` levels, at the angles theta of the rows (process/level_interpolation.h).
struct LevelMixing {
  std::size_t count = 0;
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
  std::uint64_t seed = 0;
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
  MatrixView<T> output_adjoint;
  double* row_losses = nullptr;  // scratch
  TrainState* state = nullptr;   // receives squared_error
};

// What a network's output is multiplied by: the velocity itself, or a form of the Ornstein-Uhlenbeck family.
struct VelocityForm {
  VelocityHead head;
  int ou_form = -1;  // -1: velocity; else see velocity_form_scale
  double scale(double time) const {
    return ou_form < 0 ? velocity_scale(head, time) : velocity_form_scale(ou_form, time);
  }
};

// A direction for each row: unit vector `column`, or the rows of `direction`.
template <class T>
struct VelocityProbe {
  std::size_t column = 0;
  const T* direction = nullptr;
  std::size_t stride = 0;
  double operator()(std::size_t row, std::size_t j) const {
    if (direction) return static_cast<double>(direction[row * stride + j]);
    return j == column ? 1 : 0;
  }
};

template <class T>
class Backend : public Memory {
 public:
  template <class U>
  Buffer<U> buffer(std::size_t count) {
    return Buffer<U>(*this, count);
  }
  Matrix<T> matrix(std::size_t rows, std::size_t columns) { return Matrix<T>(*this, rows, columns); }

  // Long operations look at the flag between their parts and throw Error("ABORTED"); null: none.
  void watch(const CancelFlag* flag) { cancel_ = flag; }

  virtual void upload(void* to, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* from, std::size_t bytes) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void clear(void* p, std::size_t bytes) = 0;
  void upload_matrix(MatrixView<T> to, const T* host);  // dense on the host
  void download_matrix(T* host, MatrixView<const T> from);

  // B = w (inner x columns) or w^T; w has `stride` elements a row
  void pack(PackedMatrix<T>& to, const T* w, std::size_t stride, std::size_t inner, std::size_t columns,
            Orientation orientation);
  // x B with an epilogue; rows of x
  void linear(MatrixView<const T> x, const PackedMatrix<T>& b, const EpilogueOperands<T>& epilogue);
  void outer(std::span<const OuterProduct<T>> products);
  // to[j][i] = from[i][j]
  virtual void transpose(MatrixView<T> to, MatrixView<const T> from) = 0;
  virtual void add_row(T* row, const T* other, std::size_t count) = 0;

  void draw_batch(const BatchDraw<T>& draw);
  // x = alpha x0 + sigma noise by the row's level
  void perturb(MatrixView<T> x, MatrixView<const T> x0, MatrixView<const T> noise, const std::int32_t* level,
               const Levels<T>& levels);
  // cotangent[i] = e_level(i) - e_last, zero where level is last
  virtual void level_cotangent(MatrixView<T> cotangent, const std::int32_t* level) = 0;
  void classifier_loss(const ClassifierLoss<T>& loss);
  // one step on everything at once: gradient norm, clipping, Adam, the running average; state->step goes up
  // by one
  virtual void adam(T* parameters, const T* gradient, T* m, T* v, T* average, std::size_t count,
                    const AdamOptions& options, TrainState* state) = 0;

  // ---- velocity heads
  virtual void draw_velocity(const VelocityDraw<T>& draw) = 0;
  // x = what the network reads of states y (column of ones included or not) at times; x ends in a column of
  // ones
  virtual void velocity_features(const VelocityHead& head, MatrixView<const T> y, const double* time,
                                 MatrixView<T> x) = 0;
  virtual void velocity_loss(const VelocityLoss<T>& loss) = 0;
  // out = the field, from the network's output n
  virtual void velocity_output(const VelocityForm& form, MatrixView<const T> y, const double* time,
                               MatrixView<const T> n, MatrixView<T> out) = 0;
  // cotangent of n whose adjoint is that of probe . field / scale
  virtual void velocity_cotangent(const VelocityHead& head, MatrixView<const T> y,
                                  const VelocityProbe<T>& probe, MatrixView<T> e) = 0;
  // sum[i * sum_stride] += probe . (d field / d y) probe, from the adjoint of that cotangent
  virtual void velocity_trace(const VelocityForm& form, MatrixView<const T> y, const double* time,
                              MatrixView<const T> n, MatrixView<const T> x_adjoint,
                              const VelocityProbe<T>& probe, double* sum, std::size_t sum_stride) = 0;

  virtual void normals(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                       std::uint32_t tag) = 0;
  void combine(const Combine<T>& sum);
  virtual void fill(double* to, std::size_t count, double value) = 0;
  // to[k] += factor row[k / columns] x[k]; a null row or x stands for ones
  virtual void add_scaled(double* to, const double* x, std::size_t count, double factor, const double* row,
                          std::size_t columns) = 0;
  // row to_rows[k] of `to` = row from_rows[k] of `from`, k < count; null: row k
  virtual void copy_rows(MatrixView<T> to, const std::uint32_t* to_rows, MatrixView<const T> from,
                         const std::uint32_t* from_rows, std::size_t count) = 0;
  // Rows of y that are finite are copied to `good`. A row that is not has failed[i], until now 0, set to
  // `mark`, and is from then on set to its last good state.
  virtual void keep_finite(MatrixView<T> y, MatrixView<T> good, std::int32_t* failed, std::int32_t mark) = 0;
  virtual void error_norm(const ErrorNorm<T>& norm) = 0;
  // Reflection at the faces of the unit cube (core/fold.h). fold: to = fold(y), may be in place. flip: v is
  // multiplied by the sign of fold's derivative at y.
  virtual void fold(MatrixView<T> to, MatrixView<const T> y) = 0;
  virtual void flip(MatrixView<T> v, MatrixView<const T> y) = 0;
  // Increments w and space-time Levy areas h of the path over [from[i], to[i]]; zero where the interval is
  // empty.
  virtual void brownian(MatrixView<T> w, MatrixView<T> h, const BrownianPath& path, const double* from,
                        const double* to) = 0;
  // +1 or -1 for each element, for (first_row + row, step)
  virtual void signs(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                     std::uint32_t tag) = 0;
  virtual void unit_vectors(MatrixView<T> out, std::size_t column) = 0;
  // out[i * stride] (+)= a_i . b_i
  virtual void row_dots(double* out, std::size_t stride, MatrixView<const T> a, MatrixView<const T> b,
                        bool accumulate) = 0;
  // cotangent . logits = F of the mixture, each level's F being its logit minus the last; reference[i] =
  // weight of the part that is known at the last level
  virtual void mix_levels(MatrixView<T> cotangent, double* reference, const LevelMixing& mixing) = 0;
  // coordinates of z beyond +-bound are set to it; returns how many
  virtual std::uint64_t clamp(MatrixView<T> z, double bound) = 0;

  // Rows of pseudo-observations (double, dense) to the Gaussian scale, z = quantile(u) or, with
  // from_gaussian, z = u, then y = L^-1 z (L lower triangular, dense; null: y = z), a column of ones appended
  // to y. quadratic, if not null:
  // (|z|^2 - |y|^2) / 2 of each row.
  virtual void whiten(MatrixView<T> y, const double* u, bool from_gaussian, const double* cholesky,
                      double* quadratic) = 0;
  // z = L y, mapped column by column (maps: null or one for each), then z or cdf(z), dense
  virtual void colour(double* out, MatrixView<const T> y, bool to_gaussian, const double* cholesky,
                      const MarginMaps* maps) = 0;

  // f[i] = logits[i][level] - logits[i][last], host memory, for the first `count` rows
  virtual void log_ratio(double* host, MatrixView<const T> logits, std::size_t level) = 0;
  // sum and sum of squares decide: true if any element is not finite
  virtual bool has_non_finite(MatrixView<const T> x) = 0;

 protected:
  void check_cancelled() const {
    if (cancel_) cancel_->check();
  }

  virtual void pack_impl(PackedMatrix<T>& to, const T* w, std::size_t stride, Orientation orientation) = 0;
  virtual void linear_impl(MatrixView<const T> x, const PackedMatrix<T>& b,
                           const EpilogueOperands<T>& epilogue) = 0;
  virtual void outer_impl(std::span<const OuterProduct<T>> products) = 0;
  virtual void draw_batch_impl(const BatchDraw<T>& draw) = 0;
  virtual void perturb_impl(MatrixView<T> x, MatrixView<const T> x0, MatrixView<const T> noise,
                            const std::int32_t* level, const Levels<T>& levels) = 0;
  virtual void classifier_loss_impl(const ClassifierLoss<T>& loss) = 0;
  virtual void combine_impl(const Combine<T>& sum) = 0;

 private:
  const CancelFlag* cancel_ = nullptr;
};

// threads 0: one for each processor
template <class T>
std::unique_ptr<Backend<T>> make_cpu_backend(std::size_t threads);

}  // namespace sklar
