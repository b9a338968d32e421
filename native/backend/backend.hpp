#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "backend/buffer.hpp"
#include "backend/operations.h"
#include "backend/trajectory.hpp"
#include "core/cancel.hpp"
#include "core/margin_maps.hpp"

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

// A sequence of operations that a device has recorded.
class Recording {
 public:
  virtual ~Recording() = default;
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
  virtual void upload_matrix(MatrixView<T> to, const T* host) = 0;  // dense on the host
  virtual void download_matrix(T* host, MatrixView<const T> from) = 0;

  // Runs the body: operations on backend memory alone, the same ones at each call with the same recording
  // (null at first; reset it when they change). A device may record them and replay the record.
  virtual void replay(std::unique_ptr<Recording>&, const std::function<void()>& body) { body(); }
  // Runs the body. Packing, products, draws, features and losses that it asks for may be put off until it
  // ends, or asks for something else, and then be done some rows at a time, each time from the first one to
  // the last: row i of one may read only row i of what those before it wrote. Their operands outlive the
  // body.
  virtual void together(const std::function<void()>& body) { body(); }
  // How many rows to take at once, each of which needs `bytes` of workspace: enough to keep the device busy.
  virtual std::size_t rows_at_once(std::size_t bytes) const = 0;
  // Looking at the device's memory is a wait: steps of a long run that should pass between two looks.
  virtual std::size_t steps_between_looks() const { return 1; }
  // What adjoints should be multiplied by where a loss gives each element `share` of its sum: 1, or a power
  // of two that keeps them in the range of the device's operands.
  virtual double adjoint_scale(double /*share*/) const { return 1; }
  // Values that were set to the end of that range since the start.
  virtual std::uint64_t saturated() { return 0; }

  // B = w (inner x columns) or w^T; w has `stride` elements a row
  void pack(PackedMatrix<T>& to, const T* w, std::size_t stride, std::size_t inner, std::size_t columns,
            Orientation orientation);
  // x B with an epilogue; rows of x
  void linear(MatrixView<const T> x, const PackedMatrix<T>& b, const EpilogueOperands<T>& epilogue);
  void outer(std::span<const OuterProduct<T>> products);
  // to[j][i] = from[i][j]
  virtual void transpose(MatrixView<T> to, MatrixView<const T> from) = 0;
  virtual void add_row(T* row, const T* other, std::size_t count) = 0;
  virtual void fill_column(MatrixView<T> m, std::size_t column, T value) = 0;

  // Draws levels inside the blocks of recurring values afresh, before the batch is drawn.
  virtual void fresh_levels(const FreshLevels<T>& levels) = 0;
  void draw_batch(const BatchDraw<T>& draw);
  // cotangent[i] = e_level(i) - e_last, zero where level is last
  virtual void level_cotangent(MatrixView<T> cotangent, const std::int32_t* level) = 0;
  void classifier_loss(const ClassifierLoss<T>& loss);
  // Draw, four passes, loss and gradient of each model in one operation; false, and nothing is done, where
  // the device has none for this network. No models ask whether it has. A model's results do not depend on
  // the others.
  virtual bool classifier_step(const ClassifierStep<T>&, std::span<const TrainedModel<T>>) { return false; }
  // models of `count` parameters, at most most_models of them
  virtual void adam(std::span<const AdamUpdate<T>> updates, std::size_t count) = 0;

  // ---- velocity heads
  virtual void draw_velocity(const VelocityDraw<T>& draw) = 0;
  // x = what the network reads of states y (column of ones included or not) at times; x ends in a column of
  // ones
  virtual void velocity_features(const VelocityHead& head, MatrixView<const T> y, const double* time,
                                 MatrixView<T> x) = 0;
  virtual void velocity_loss(const VelocityLoss<T>& loss) = 0;
  // as classifier_step
  virtual bool velocity_step(const VelocityStep<T>&, std::span<const TrainedModel<T>>) { return false; }
  // out = the field, from the network's output n
  virtual void velocity_output(const VelocityForm& form, MatrixView<const T> y, const double* time,
                               MatrixView<const T> n, MatrixView<T> out) = 0;
  // cotangent of n whose adjoint is that of direction . field / scale
  virtual void velocity_cotangent(const VelocityHead& head, MatrixView<const T> y,
                                  MatrixView<const T> direction, MatrixView<T> e) = 0;
  // From the adjoint of that cotangent: product = (d field / d y)^T direction, or, of the unit vector
  // `column`, its own element of that alone, added to sum[i].
  virtual void velocity_product(const VelocityForm& form, MatrixView<const T> y, const double* time,
                                MatrixView<const T> n, MatrixView<const T> x_adjoint,
                                MatrixView<const T> direction, MatrixView<T> product) = 0;
  virtual void velocity_diagonal(const VelocityForm& form, MatrixView<const T> y, const double* time,
                                 MatrixView<const T> n, MatrixView<const T> x_adjoint, std::size_t column,
                                 double* sum) = 0;

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
  // Carries rows through a whole trajectory in one operation; false, and nothing is done, where the device
  // has none for this program.
  virtual bool carry(const TrajectoryProgram<T>&) { return false; }
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
  // Row i of the matrices of q are vectors: each loses its part along those before it, in double, and gets
  // length one; what depends on them but for rounding becomes zero.
  virtual void orthonormalise(std::span<const MatrixView<T>> q) = 0;
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
  virtual void classifier_loss_impl(const ClassifierLoss<T>& loss) = 0;
  virtual void combine_impl(const Combine<T>& sum) = 0;

 private:
  const CancelFlag* cancel_ = nullptr;
};

// threads 0: one for each processor
template <class T>
std::unique_ptr<Backend<T>> make_cpu_backend(std::size_t threads);

}  // namespace sklar
