#include "backend/backend.hpp"

#include <string>

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
  expect.activations("x", x, x.rows, b.inner);
  expect.activations("the first output", epilogue.out[0], x.rows, b.columns);
  const auto fits = [&](const char* name, const auto& m) {
    if (m.given())
      expect.activations(name, m, x.rows, b.columns)
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
      expect.activations("a", a, b.rows, rows).activations("b", b, a.rows, columns);
    }
    expect.matrix("c", MatrixView<T>{p.c, rows, columns, p.c_stride}, rows, columns);
  }
  outer_impl(products);
}

template <class T>
void Backend<T>::draw_tied(const TiedDraw<T>& f) {
  const Shapes expect("draw_tied");
  expect.matrix("data", f.data).values("place", f.place, f.data.rows);
  for (const void* p : {static_cast<const void*>(f.column), static_cast<const void*>(f.edges),
                        static_cast<const void*>(f.weights), static_cast<const void*>(f.deviation)})
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

template class Backend<float>;
template class Backend<double>;

}  // namespace sklar
