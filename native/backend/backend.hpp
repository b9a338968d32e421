#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "backend/buffer.hpp"
#include "backend/head_operations.hpp"
#include "backend/operations/operations.h"
#include "backend/operations/shapes.hpp"
#include "backend/operations/trajectory.hpp"
#include "core/margin_maps.hpp"
#include "core/threads/cancel.hpp"

// The compute contract. Models, training and integrators are written once over these operations; the CPU
// fulfils them in backend/cpu, CUDA in backend/cuda. Operations are as coarse as a layer: each matrix product
// carries its elementwise epilogue. What one kind of head needs alone is in head_operations.hpp. All pointers
// are backend memory unless a name or comment says host. Public functions say by their checks what
// shapes they take (backend/operations/shapes.hpp: else Error("SHAPE")); what a device fulfils are the
// functions *_impl, which trust them.
namespace sklar {

// A matrix ready to be the right factor of `linear`: B (inner x columns), in the backend's own layout.
template <class T>
struct PackedMatrix {
  std::size_t inner = 0;
  std::size_t columns = 0;
  Buffer<T> storage;
  const T* source = nullptr;  // w, where a device reads it as it is
  std::size_t source_stride = 0;
};

enum class Orientation { as_is, transposed };

// What an activation is for, from which a device decides in which forms to keep it. Products and their
// epilogues alone read what is not kept as plain values.
enum class Use {
  factor,          // of products; and, where it is the value of a ReLU, whether it is positive
  precise_factor,  // of products of the forward pass
  stream,          // the same, and a term of sums
  precise_stream,
  slope,  // a factor in epilogues
};

// A sequence of operations that a device has recorded.
class Recording {
 public:
  virtual ~Recording() = default;
};

template <class T>
class Backend : public Memory, public ClassifierOperations<T>, public VelocityOperations<T> {
 public:
  template <class U>
  Buffer<U> buffer(std::size_t count) {
    return Buffer<U>(*this, count);
  }
  Matrix<T> matrix(std::size_t rows, std::size_t columns) { return Matrix<T>(*this, rows, columns); }
  Matrix<T> activations(std::size_t rows, std::size_t columns, Use use) {
    return Matrix<T>(*this, rows, columns, forms_of(rows, columns, use));
  }

  // Long operations look at the flag between their parts and throw Error("ABORTED"); null: none.
  void watch(const CancelFlag* flag) { cancel_ = flag; }

  // ---- memory and how work is run: bytes, without shapes

  virtual void upload(void* to, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* from, std::size_t bytes) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void clear(void* p, std::size_t bytes) = 0;

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
  virtual std::size_t steps_between_waits() const { return 1; }
  // Steps of a training run that should be one sequence to `replay`.
  virtual std::size_t steps_of_recording() const { return 1; }
  // What adjoints should be multiplied by where a loss gives each element `share` of its sum: 1, or a power
  // of two that keeps them in the range of the device's operands.
  virtual double adjoint_scale(double /*share*/) const { return 1; }
  // Values that were set to the end of that range since the start.
  virtual std::uint64_t saturated() { return 0; }

  // ---- products

  // B = w (inner x columns) or w^T; w has `stride` elements a row. A device may read w itself whenever B is
  // used: it stays where it is, and its values are those of the latest packing.
  void pack(PackedMatrix<T>& to, const T* w, std::size_t stride, std::size_t inner, std::size_t columns,
            Orientation orientation);
  // x B with an epilogue; rows of x
  void linear(MatrixView<const T> x, const PackedMatrix<T>& b, const EpilogueOperands<T>& epilogue);
  void outer(std::span<const OuterProduct<T>> products);
  // Two linear maps with nothing between them, as one operation each; false, and nothing is done, where the
  // device has none. to = [w0 | b0]^T w^T, b added to the last row; and the gradients of both.
  bool merge_linear(MatrixView<T> to, const T* w0, const T* b0, const T* w, const T* b) {
    Shapes("merge_linear")
        .matrix("to", to)
        .values("w0", w0, 1)
        .values("b0", b0, 1)
        .values("w", w, 1)
        .values("b", b, 1);
    return merge_linear_impl(to, w0, b0, w, b);
  }
  bool merged_gradient(const MergedGradient<T>& g) {
    Shapes("merged_gradient")
        .matrix("sums_n", g.sums_n, g.input.rows, g.input.columns)
        .matrix("sums_m", g.sums_m, g.input.rows, g.input.columns);
    return merged_gradient_impl(g);
  }

  // ---- matrices

  // dense on the host
  void upload_matrix(MatrixView<T> to, const T* host) {
    Shapes("upload_matrix").matrix("to", to).values("host rows", host, to.rows * to.columns);
    upload_matrix_impl(to, host);
  }
  void download_matrix(T* host, MatrixView<const T> from) {
    Shapes("download_matrix").values("host rows", host, from.rows * from.columns).matrix("from", from);
    download_matrix_impl(host, from);
  }
  // to[j][i] = from[i][j]
  void transpose(MatrixView<T> to, MatrixView<const T> from) {
    Shapes("transpose").matrix("to", to, from.columns, from.rows).matrix("from", from);
    transpose_impl(to, from);
  }
  void fill_column(MatrixView<T> m, std::size_t column, T value) {
    Shapes("fill_column").wide("m", m, m.rows, column + 1);
    fill_column_impl(m, column, value);
  }
  void combine(const Combine<T>& sum) {
    const Shapes expect("combine");
    expect.that(sum.terms <= Combine<T>::most, "at most 8 terms").wide("to", sum.to, sum.to.rows, 0);
    for (std::size_t k = 0; k < sum.terms; ++k)
      expect.wide("a term", sum.term[k].x, sum.to.rows, sum.to.columns);
    combine_impl(sum);
  }
  // row to_rows[k] of `to` = row from_rows[k] of `from`, k < count; null: row k
  void copy_rows(MatrixView<T> to, const std::uint32_t* to_rows, MatrixView<const T> from,
                 const std::uint32_t* from_rows, std::size_t count) {
    Shapes("copy_rows")
        .wide("to", to, to_rows ? 0 : count, from.columns)
        .wide("from", from, from_rows ? 0 : count, from.columns);
    copy_rows_impl(to, to_rows, from, from_rows, count);
  }
  // out[i * stride] (+)= a_i . b_i
  void row_dots(double* out, std::size_t stride, MatrixView<const T> a, MatrixView<const T> b,
                bool accumulate) {
    Shapes("row_dots").values("out", out, a.rows).wide("a", a, a.rows, 0).wide("b", b, a.rows, a.columns);
    row_dots_impl(out, stride, a, b, accumulate);
  }
  // Row i of the matrices of q are vectors: each loses its part along those before it, in double, and gets
  // length one; what depends on them but for rounding becomes zero.
  void orthonormalise(std::span<const MatrixView<T>> q) {
    for (const MatrixView<T>& m : q) Shapes("orthonormalise").matrix("a vector", m, q[0].rows, q[0].columns);
    if (!q.empty()) orthonormalise_impl(q);
  }
  void fill(double* to, std::size_t count, double value) {
    Shapes("fill").values("to", to, count);
    fill_impl(to, count, value);
  }
  // to[k] += factor row[k / columns] x[k]; a null row or x stands for ones
  void add_scaled(double* to, const double* x, std::size_t count, double factor, const double* row,
                  std::size_t columns) {
    Shapes("add_scaled").values("to", to, count).that(columns > 0, "at least one column");
    add_scaled_impl(to, x, count, factor, row, columns);
  }

  // ---- random numbers, for (first_row + row, step)

  void normals(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
               std::uint32_t tag) {
    Shapes("normals").matrix("out", out);
    normals_impl(out, seed, first_row, step, tag);
  }
  // +1 or -1
  void signs(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
             std::uint32_t tag) {
    Shapes("signs").matrix("out", out);
    signs_impl(out, seed, first_row, step, tag);
  }
  // Increments w and space-time Levy areas h of the path over [from[i], to[i]]; zero where the interval is
  // empty.
  void brownian(MatrixView<T> w, MatrixView<T> h, const BrownianPath& path, const double* from,
                const double* to) {
    Shapes("brownian")
        .matrix("w", w)
        .matrix("h", h, w.rows, w.columns)
        .values("from", from, w.rows)
        .values("to", to, w.rows);
    brownian_impl(w, h, path, from, to);
  }

  // ---- training

  // Draws levels inside the blocks of recurring values afresh, before the batch is drawn.
  void draw_tied(const TiedDraw<T>& levels);
  // models of `count` parameters, at most most_models of them
  void adam(std::span<const AdamUpdate<T>> updates, std::size_t count);

  // ---- integrators

  // Rows of y that are finite are copied to `good`. A row that is not has failed[i], until now 0, set to
  // `mark`, and is from then on set to its last good state.
  void keep_finite(MatrixView<T> y, MatrixView<T> good, std::int32_t* failed, std::int32_t mark) {
    Shapes("keep_finite")
        .matrix("y", y)
        .matrix("good", good, y.rows, y.columns)
        .values("failed", failed, y.rows);
    keep_finite_impl(y, good, failed, mark);
  }
  void error_norm(const ErrorNorm<T>& n) {
    const std::size_t rows = n.error.rows, columns = n.error.columns;
    Shapes("error_norm")
        .matrix("error", n.error, rows, columns)
        .matrix("a", n.a, rows, columns)
        .matrix("b", n.b, rows, columns)
        .values("extra errors", n.extra_error, rows * n.extra)
        .values("extra values", n.extra_value, rows * n.extra)
        .values("out", n.out, rows);
    error_norm_impl(n);
  }
  // Reflection at the faces of the unit cube (core/fold.h). fold: to = fold(y), may be in place. flip: v is
  // multiplied by the sign of fold's derivative at y.
  void fold(MatrixView<T> to, MatrixView<const T> y) {
    Shapes("fold").matrix("to", to).wide("y", y, to.rows, to.columns);
    fold_impl(to, y);
  }
  void flip(MatrixView<T> v, MatrixView<const T> y) {
    Shapes("flip").matrix("v", v).wide("y", y, v.rows, v.columns);
    flip_impl(v, y);
  }
  // A whole trajectory in one operation; false, and nothing is done, where the device has none for this
  // program.
  bool run_trajectory(const TrajectoryProgram<T>& p) {
    Shapes("run_trajectory").matrix("z", p.z).values("failed", p.failed, p.z.rows);
    return run_trajectory_impl(p);
  }

  // ---- the Gaussian scale

  // Whitening: rows of pseudo-observations (double, dense) to the Gaussian scale,
  // z = quantile(u) or, with from_gaussian, z = u, then y = L^-1 z (L lower triangular, dense; null: y = z),
  // a column of ones appended to y. quadratic, if not null: (|z|^2 - |y|^2) / 2 of each row. Host memory but
  // for y.
  void whiten(MatrixView<T> y, const double* u, bool from_gaussian, const double* cholesky,
              double* quadratic) {
    Shapes("whiten").wide("y", y, y.rows, 1).values("u", u, y.rows * (y.columns - 1));
    whiten_impl(y, u, from_gaussian, cholesky, quadratic);
  }
  // z = L y, mapped column by column (maps: null or one for each), then z or cdf(z), dense; host memory but
  // for y
  void colour(double* out, MatrixView<const T> y, bool to_gaussian, const double* cholesky,
              const MarginMaps* maps) {
    Shapes("colour")
        .wide("y", y, y.rows, 1)
        .values("out", out, y.rows * (y.columns - 1))
        .that(!maps || maps->from.size() == (y.columns - 1) * MarginMaps::knots, "a map for each column");
    colour_impl(out, y, to_gaussian, cholesky, maps);
  }

  // ---- the cube

  // Rows (double, dense, host memory) as states of a process on the cube: y = x or, with from_gaussian,
  // cdf(x), a column of ones appended
  void to_cube(MatrixView<T> y, const double* x, bool from_gaussian) {
    Shapes("to_cube").wide("y", y, y.rows, 1).values("x", x, y.rows * (y.columns - 1));
    to_cube_impl(y, x, from_gaussian);
  }
  // The other way: inner values of (0, 1), mapped column by column (maps: null or one for each), or their
  // normal quantiles
  void from_cube(double* out, MatrixView<const T> y, bool to_gaussian, const MarginMaps* maps) {
    Shapes("from_cube")
        .wide("y", y, y.rows, 1)
        .values("out", out, y.rows * (y.columns - 1))
        .that(!maps || maps->from.size() == (y.columns - 1) * MarginMaps::knots, "a map for each column");
    from_cube_impl(out, y, to_gaussian, maps);
  }
  // y = cdf(y)
  void to_uniform(MatrixView<T> y) {
    Shapes("to_uniform").matrix("y", y);
    to_uniform_impl(y);
  }

 protected:
  void check_cancelled() const {
    if (cancel_) cancel_->check();
  }

  virtual MatrixForms forms_of(std::size_t /*rows*/, std::size_t /*columns*/, Use) const { return {}; }
  virtual void pack_impl(PackedMatrix<T>& to, const T* w, std::size_t stride, Orientation orientation) = 0;
  virtual void linear_impl(MatrixView<const T> x, const PackedMatrix<T>& b,
                           const EpilogueOperands<T>& epilogue) = 0;
  virtual void outer_impl(std::span<const OuterProduct<T>> products) = 0;
  virtual bool merge_linear_impl(MatrixView<T>, const T* /*w0*/, const T* /*b0*/, const T* /*w*/,
                                 const T* /*b*/) {
    return false;
  }
  virtual bool merged_gradient_impl(const MergedGradient<T>&) { return false; }
  virtual void upload_matrix_impl(MatrixView<T> to, const T* host) = 0;
  virtual void download_matrix_impl(T* host, MatrixView<const T> from) = 0;
  virtual void transpose_impl(MatrixView<T> to, MatrixView<const T> from) = 0;
  virtual void fill_column_impl(MatrixView<T> m, std::size_t column, T value) = 0;
  virtual void combine_impl(const Combine<T>& sum) = 0;
  virtual void copy_rows_impl(MatrixView<T> to, const std::uint32_t* to_rows, MatrixView<const T> from,
                              const std::uint32_t* from_rows, std::size_t count) = 0;
  virtual void row_dots_impl(double* out, std::size_t stride, MatrixView<const T> a, MatrixView<const T> b,
                             bool accumulate) = 0;
  virtual void orthonormalise_impl(std::span<const MatrixView<T>> q) = 0;
  virtual void fill_impl(double* to, std::size_t count, double value) = 0;
  virtual void add_scaled_impl(double* to, const double* x, std::size_t count, double factor,
                               const double* row, std::size_t columns) = 0;
  virtual void normals_impl(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row,
                            std::uint64_t step, std::uint32_t tag) = 0;
  virtual void signs_impl(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                          std::uint32_t tag) = 0;
  virtual void brownian_impl(MatrixView<T> w, MatrixView<T> h, const BrownianPath& path, const double* from,
                             const double* to) = 0;
  virtual void draw_tied_impl(const TiedDraw<T>& levels) = 0;
  virtual void adam_impl(std::span<const AdamUpdate<T>> updates, std::size_t count) = 0;
  virtual void keep_finite_impl(MatrixView<T> y, MatrixView<T> good, std::int32_t* failed,
                                std::int32_t mark) = 0;
  virtual void error_norm_impl(const ErrorNorm<T>& norm) = 0;
  virtual void fold_impl(MatrixView<T> to, MatrixView<const T> y) = 0;
  virtual void flip_impl(MatrixView<T> v, MatrixView<const T> y) = 0;
  virtual bool run_trajectory_impl(const TrajectoryProgram<T>&) { return false; }
  virtual void whiten_impl(MatrixView<T> y, const double* u, bool from_gaussian, const double* cholesky,
                           double* quadratic) = 0;
  virtual void colour_impl(double* out, MatrixView<const T> y, bool to_gaussian, const double* cholesky,
                           const MarginMaps* maps) = 0;
  virtual void to_cube_impl(MatrixView<T> y, const double* x, bool from_gaussian) = 0;
  virtual void from_cube_impl(double* out, MatrixView<const T> y, bool to_gaussian,
                              const MarginMaps* maps) = 0;
  virtual void to_uniform_impl(MatrixView<T> y) = 0;

 private:
  const CancelFlag* cancel_ = nullptr;
};

// threads 0: one for each processor
template <class T>
std::unique_ptr<Backend<T>> make_cpu_backend(std::size_t threads);

}  // namespace sklar
