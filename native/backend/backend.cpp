#include "backend/backend.hpp"

#include <string>

#include "core/error.hpp"

namespace sklar {
namespace {

void expect(bool ok, const char* operation, const char* what) {
  if (!ok) throw Error("SHAPE", std::string(operation) + ": " + what);
}

template <class T>
bool same_shape(MatrixView<const T> a, std::size_t rows, std::size_t columns) {
  return a.data && a.rows >= rows && a.columns == columns && a.stride >= columns;
}

}  // namespace

template <class T>
void Backend<T>::pack(PackedMatrix<T>& to, const T* w, std::size_t stride, std::size_t inner,
                      std::size_t columns, Orientation orientation) {
  expect(w && stride >= (orientation == Orientation::as_is ? columns : inner), "pack",
         "stride shorter than a row");
  to.inner = inner;
  to.columns = columns;
  pack_impl(to, w, stride, orientation);
}

template <class T>
void Backend<T>::linear(MatrixView<const T> x, const PackedMatrix<T>& b,
                        const EpilogueOperands<T>& epilogue) {
  expect(x.data && x.columns == b.inner, "linear", "columns of x differ from rows of B");
  expect(same_shape<T>(epilogue.out[0], x.rows, b.columns), "linear", "output does not fit the product");
  for (const auto& in : epilogue.in)
    if (in.data)
      expect(same_shape<T>(in, x.rows, b.columns) && in.stride == epilogue.out[0].stride, "linear",
             "epilogue input");
  for (const auto& out : epilogue.out)
    if (out.data)
      expect(same_shape<T>(out, x.rows, b.columns) && out.stride == epilogue.out[0].stride, "linear",
             "epilogue output");
  check_cancelled();
  if (x.rows) linear_impl(x, b, epilogue);
}

template <class T>
void Backend<T>::outer(std::span<const OuterProduct<T>> products) {
  for (const auto& p : products) {
    expect(p.segments == 1 || p.segments == 2, "outer", "one or two segments");
    for (int s = 0; s < p.segments; ++s) {
      const auto& segment = p.segment[s];
      expect(segment.a.rows == segment.b.rows, "outer", "rows of a and b differ");
      expect(segment.a.columns == p.segment[0].a.columns && segment.b.columns == p.segment[0].b.columns,
             "outer", "segments of different shape");
    }
    expect(p.c && p.c_stride >= p.segment[0].b.columns, "outer", "output stride");
  }
  outer_impl(products);
}

template <class T>
void Backend<T>::draw_batch(const BatchDraw<T>& draw) {
  const std::size_t columns = draw.data.columns;
  expect(
      draw.data.rows > 0 && draw.x.columns == columns + 1 && same_shape<T>(draw.noise, draw.x.rows, columns),
      "draw_batch", "x needs the columns of the data and one more");
  expect(draw.active <= draw.x.rows && draw.levels.count >= 3, "draw_batch", "levels");
  draw_batch_impl(draw);
}

template <class T>
void Backend<T>::classifier_loss(const ClassifierLoss<T>& loss) {
  const std::size_t rows = loss.logits.rows, dim = loss.noise.columns;
  expect(
      loss.logits.columns == loss.levels.count && same_shape<T>(loss.logit_adjoint, rows, loss.levels.count),
      "classifier_loss", "logits");
  expect(same_shape<T>(loss.x, rows, dim + 1) && same_shape<T>(loss.noise, rows, dim), "classifier_loss",
         "x or noise");
  expect(same_shape<T>(loss.denoised, rows, dim), "classifier_loss", "denoised");
  expect(same_shape<T>(loss.gradient, loss.active, dim) &&
             same_shape<T>(loss.gradient_adjoint, loss.active, dim + 1),
         "classifier_loss", "gradient");
  classifier_loss_impl(loss);
}

template <class T>
void Backend<T>::combine(const Combine<T>& sum) {
  expect(sum.terms <= Combine<T>::most, "combine", "too many terms");
  for (std::size_t k = 0; k < sum.terms; ++k)
    expect(sum.term[k].x.data && sum.term[k].x.rows >= sum.to.rows && sum.term[k].x.columns >= sum.to.columns,
           "combine", "a term is smaller than the sum");
  combine_impl(sum);
}

template class Backend<float>;
template class Backend<double>;

}  // namespace sklar
