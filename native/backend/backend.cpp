#include "backend/backend.hpp"

#include <string>

#include "backend/shapes.hpp"
#include "core/error.hpp"

namespace sklar {

void Shapes::refuse(const char* name, std::size_t rows, std::size_t columns, std::size_t got_rows,
                    std::size_t got_columns) const {
  const auto size = [](std::size_t r, std::size_t c) {
    return std::to_string(r) + " x " + std::to_string(c);
  };
  throw Error("SHAPE", "expected a matrix of " + size(rows, columns) + " for " + name + ", got " +
                           size(got_rows, got_columns) + " (" + operation_ + ")");
}

void Shapes::refuse(const char* what) const {
  throw Error("SHAPE", std::string("expected ") + what + " (" + operation_ + ")");
}

// ---- products

template <class T>
void Backend<T>::pack(PackedMatrix<T>& to, const T* w, std::size_t stride, std::size_t inner,
                      std::size_t columns, Orientation orientation) {
  const bool as_is = orientation == Orientation::as_is;
  Shapes("pack").matrix("w", MatrixView<const T>{w, as_is ? inner : columns, as_is ? columns : inner, stride},
                        as_is ? inner : columns, as_is ? columns : inner);
  to.inner = inner;
  to.columns = columns;
  pack_impl(to, w, stride, orientation);
}

template <class T>
void Backend<T>::linear(MatrixView<const T> x, const PackedMatrix<T>& b,
                        const EpilogueOperands<T>& epilogue) {
  const Shapes expect("linear");
  expect.matrix("x", x, x.rows, b.inner);
  expect.matrix("the first output", epilogue.out[0], x.rows, b.columns);
  const auto fits = [&](const char* name, const auto& m) {
    if (m.data)
      expect.matrix(name, m, x.rows, b.columns)
          .that(m.stride == epilogue.out[0].stride, "operands of the epilogue with the stride of its output");
  };
  for (const auto& in : epilogue.in) fits("an input of the epilogue", in);
  for (const auto& out : epilogue.out) fits("an output of the epilogue", out);
  check_cancelled();
  if (x.rows) linear_impl(x, b, epilogue);
}

template <class T>
void Backend<T>::outer(std::span<const OuterProduct<T>> products) {
  const Shapes expect("outer");
  for (const auto& p : products) {
    expect.that(p.segments == 1 || p.segments == 2, "one or two segments");
    const std::size_t rows = p.segment[0].a.columns, columns = p.segment[0].b.columns;
    for (int s = 0; s < p.segments; ++s) {
      const auto& [a, b] = p.segment[s];
      expect.matrix("a", a, b.rows, rows).matrix("b", b, a.rows, columns);
    }
    expect.matrix("c", MatrixView<T>{p.c, rows, columns, p.c_stride}, rows, columns);
  }
  outer_impl(products);
}

// ---- matrices

template <class T>
void Backend<T>::upload_matrix(MatrixView<T> to, const T* host) {
  Shapes("upload_matrix")
      .matrix("to", to, to.rows, to.columns)
      .values("host rows", host, to.rows * to.columns);
  upload_matrix_impl(to, host);
}

template <class T>
void Backend<T>::download_matrix(T* host, MatrixView<const T> from) {
  Shapes("download_matrix")
      .values("host rows", host, from.rows * from.columns)
      .matrix("from", from, from.rows, from.columns);
  download_matrix_impl(host, from);
}

template <class T>
void Backend<T>::transpose(MatrixView<T> to, MatrixView<const T> from) {
  Shapes("transpose").matrix("to", to, from.columns, from.rows).matrix("from", from, from.rows, from.columns);
  transpose_impl(to, from);
}

template <class T>
void Backend<T>::add_row(T* row, const T* other, std::size_t count) {
  Shapes("add_row").values("row", row, count).values("other", other, count);
  add_row_impl(row, other, count);
}

template <class T>
void Backend<T>::fill_column(MatrixView<T> m, std::size_t column, T value) {
  Shapes("fill_column").wide("m", m, m.rows, column + 1);
  fill_column_impl(m, column, value);
}

template <class T>
void Backend<T>::unit_vectors(MatrixView<T> out, std::size_t column) {
  Shapes("unit_vectors").wide("out", out, out.rows, column + 1);
  unit_vectors_impl(out, column);
}

template <class T>
void Backend<T>::combine(const Combine<T>& sum) {
  const Shapes expect("combine");
  expect.that(sum.terms <= Combine<T>::most, "at most 8 terms").wide("to", sum.to, sum.to.rows, 0);
  for (std::size_t k = 0; k < sum.terms; ++k)
    expect.wide("a term", sum.term[k].x, sum.to.rows, sum.to.columns);
  combine_impl(sum);
}

template <class T>
void Backend<T>::copy_rows(MatrixView<T> to, const std::uint32_t* to_rows, MatrixView<const T> from,
                           const std::uint32_t* from_rows, std::size_t count) {
  Shapes("copy_rows")
      .wide("to", to, to_rows ? 0 : count, from.columns)
      .wide("from", from, from_rows ? 0 : count, from.columns);
  copy_rows_impl(to, to_rows, from, from_rows, count);
}

template <class T>
void Backend<T>::row_dots(double* out, std::size_t stride, MatrixView<const T> a, MatrixView<const T> b,
                          bool accumulate) {
  Shapes("row_dots").values("out", out, a.rows).wide("a", a, a.rows, 0).wide("b", b, a.rows, a.columns);
  row_dots_impl(out, stride, a, b, accumulate);
}

template <class T>
void Backend<T>::orthonormalise(std::span<const MatrixView<T>> q) {
  for (const MatrixView<T>& m : q) Shapes("orthonormalise").matrix("a vector", m, q[0].rows, q[0].columns);
  if (!q.empty()) orthonormalise_impl(q);
}

template <class T>
std::uint64_t Backend<T>::clamp(MatrixView<T> z, double bound) {
  Shapes("clamp").matrix("z", z, z.rows, z.columns);
  return clamp_impl(z, bound);
}

template <class T>
bool Backend<T>::has_non_finite(MatrixView<const T> x) {
  Shapes("has_non_finite").matrix("x", x, x.rows, x.columns);
  return has_non_finite_impl(x);
}

template <class T>
void Backend<T>::fill(double* to, std::size_t count, double value) {
  Shapes("fill").values("to", to, count);
  fill_impl(to, count, value);
}

template <class T>
void Backend<T>::add_scaled(double* to, const double* x, std::size_t count, double factor, const double* row,
                            std::size_t columns) {
  Shapes("add_scaled").values("to", to, count).that(columns > 0, "at least one column");
  add_scaled_impl(to, x, count, factor, row, columns);
}

// ---- random numbers

template <class T>
void Backend<T>::normals(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                         std::uint32_t tag) {
  Shapes("normals").matrix("out", out, out.rows, out.columns);
  normals_impl(out, seed, first_row, step, tag);
}

template <class T>
void Backend<T>::signs(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                       std::uint32_t tag) {
  Shapes("signs").matrix("out", out, out.rows, out.columns);
  signs_impl(out, seed, first_row, step, tag);
}

template <class T>
void Backend<T>::brownian(MatrixView<T> w, MatrixView<T> h, const BrownianPath& path, const double* from,
                          const double* to) {
  Shapes("brownian")
      .matrix("w", w, w.rows, w.columns)
      .matrix("h", h, w.rows, w.columns)
      .values("from", from, w.rows)
      .values("to", to, w.rows);
  brownian_impl(w, h, path, from, to);
}

// ---- training

template <class T>
void Backend<T>::draw_tied(const TiedDraw<T>& f) {
  const Shapes expect("draw_tied");
  const std::size_t rows = f.data.rows, dim = f.data.columns;
  expect.matrix("data", f.data, rows, dim).values("start", f.start, rows * dim);
  for (const void* p : {static_cast<const void*>(f.column), static_cast<const void*>(f.first),
                        static_cast<const void*>(f.edges), static_cast<const void*>(f.weights),
                        static_cast<const void*>(f.deviation), static_cast<const void*>(f.block)})
    expect.values("columns and blocks", p, f.columns);
  if (f.state) expect.values("work", f.work, f.batch);
  draw_tied_impl(f);
}

template <class T>
void Backend<T>::adam(std::span<const AdamUpdate<T>> updates, std::size_t count) {
  const Shapes expect("adam");
  expect.that(updates.size() <= most_models, "at most 16 models");
  for (const AdamUpdate<T>& u : updates)
    expect.values("parameters", u.parameters, count)
        .values("gradient", u.gradient, count)
        .values("m", u.m, count)
        .values("v", u.v, count)
        .values("average", u.average, u.options.ema_decay > 0 ? count : 0)
        .values("state", u.state, 1);
  adam_impl(updates, count);
}

// ---- integrators

template <class T>
void Backend<T>::keep_finite(MatrixView<T> y, MatrixView<T> good, std::int32_t* failed, std::int32_t mark) {
  Shapes("keep_finite")
      .matrix("y", y, y.rows, y.columns)
      .matrix("good", good, y.rows, y.columns)
      .values("failed", failed, y.rows);
  keep_finite_impl(y, good, failed, mark);
}

template <class T>
void Backend<T>::error_norm(const ErrorNorm<T>& n) {
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

template <class T>
void Backend<T>::fold(MatrixView<T> to, MatrixView<const T> y) {
  Shapes("fold").matrix("to", to, to.rows, to.columns).wide("y", y, to.rows, to.columns);
  fold_impl(to, y);
}

template <class T>
void Backend<T>::flip(MatrixView<T> v, MatrixView<const T> y) {
  Shapes("flip").matrix("v", v, v.rows, v.columns).wide("y", y, v.rows, v.columns);
  flip_impl(v, y);
}

template <class T>
bool Backend<T>::run_trajectory(const TrajectoryProgram<T>& p) {
  Shapes("run_trajectory").matrix("z", p.z, p.z.rows, p.z.columns).values("failed", p.failed, p.z.rows);
  return run_trajectory_impl(p);
}

// ---- the Gaussian scale

template <class T>
void Backend<T>::whiten(MatrixView<T> y, const double* u, bool from_gaussian, const double* cholesky,
                        double* quadratic) {
  Shapes("whiten").wide("y", y, y.rows, 1).values("u", u, y.rows * (y.columns - 1));
  whiten_impl(y, u, from_gaussian, cholesky, quadratic);
}

template <class T>
void Backend<T>::colour(double* out, MatrixView<const T> y, bool to_gaussian, const double* cholesky,
                        const MarginMaps* maps) {
  Shapes("colour")
      .wide("y", y, y.rows, 1)
      .values("out", out, y.rows * (y.columns - 1))
      .that(!maps || maps->from.size() == (y.columns - 1) * MarginMaps::knots, "a map for each column");
  colour_impl(out, y, to_gaussian, cholesky, maps);
}

template class Backend<float>;
template class Backend<double>;

}  // namespace sklar
