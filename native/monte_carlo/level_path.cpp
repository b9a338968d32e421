#include "monte_carlo/level_path.hpp"

#include <algorithm>

namespace sklar {
namespace {

constexpr std::size_t most_rows = 8192;  // at once: bounds the workspace

}  // namespace

template <class T>
Matrix<T> matrix_with_ones(Backend<T>& backend, std::size_t rows, std::size_t columns) {
  Matrix<T> m = backend.matrix(rows, columns + 1);
  backend.fill_column(m, columns, 1);
  return m;
}

template <class T>
AffinePath<T>::AffinePath(Backend<T>& backend, LevelPath<T>& path, const std::vector<double>& basis,
                          const std::vector<double>& offset, std::size_t columns)
    : backend_(backend), path_(path), columns_(columns) {
  const std::size_t d = path.dim();
  if (basis.size() != d * columns || offset.size() != d)
    throw Error("SHAPE", "the basis of an affine path does not fit its dimension");
  // the column of ones brings the offset, and goes on as the last column (a product may overwrite the padding
  // of a row)
  const std::size_t width = d + 1;
  std::vector<T> forward((columns + 1) * width, T(0)), back(d * columns);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < columns; ++j)
      forward[j * width + i] = back[i * columns + j] = static_cast<T>(basis[i * columns + j]);
    forward[columns * width + i] = static_cast<T>(offset[i]);
  }
  forward[columns * width + d] = 1;
  Buffer<T> on_backend = backend.template buffer<T>(forward.size());
  backend.upload(on_backend.data(), forward.data(), forward.size() * sizeof(T));
  backend.pack(forward_, on_backend.data(), width, columns + 1, width, Orientation::as_is);
  backend.upload(on_backend.data(), back.data(), back.size() * sizeof(T));
  backend.pack(back_, on_backend.data(), columns, d, columns, Orientation::as_is);
}

template <class T>
void AffinePath<T>::map(MatrixView<const T> from, const PackedMatrix<T>& by, MatrixView<T> to) {
  EpilogueOperands<T> store;
  store.out[0] = to;
  backend_.linear(from, by, store);
}

template <class T>
void AffinePath<T>::reserve(std::size_t rows) {
  if (y_.rows() >= rows) return;
  y_ = backend_.matrix(rows, path_.dim() + 1);
  g_ = backend_.matrix(rows, path_.dim());
}

template <class T>
void AffinePath<T>::evaluate(MatrixView<const T> x, std::size_t level, double share, double* above,
                             double* below, MatrixView<T> gradient) {
  const std::size_t batch = std::min(x.rows, most_rows);
  reserve(batch);
  for (std::size_t first = 0; first < x.rows; first += batch) {
    const std::size_t count = std::min(batch, x.rows - first);
    map(rows_from(x, first, count), forward_, y_.first(count));
    path_.evaluate(y_.first(count), level, share, above ? above + first : nullptr,
                   below ? below + first : nullptr, gradient.data ? g_.first(count) : MatrixView<T>{});
    if (gradient.data) map(g_.first(count), back_, rows_from(gradient, first, count));
  }
}

template <class T>
void AffinePath<T>::pull_back(MatrixView<const T> x, std::size_t level, MatrixView<const T> r,
                              MatrixView<T> product) {
  const std::size_t batch = std::min(x.rows, most_rows);
  reserve(batch);
  if (r_.rows() < batch) r_ = backend_.matrix(batch, path_.dim() + 1);
  for (std::size_t first = 0; first < x.rows; first += batch) {
    const std::size_t count = std::min(batch, x.rows - first);
    map(rows_from(x, first, count), forward_, y_.first(count));
    // the zero under the ones takes no offset along
    map(rows_from(r, first, count), forward_, r_.first(count));
    path_.pull_back(y_.first(count), level, r_.first(count), g_.first(count));
    map(g_.first(count), back_, rows_from(product, first, count));
  }
}

template Matrix<float> matrix_with_ones(Backend<float>&, std::size_t, std::size_t);
template Matrix<double> matrix_with_ones(Backend<double>&, std::size_t, std::size_t);
template class AffinePath<float>;
template class AffinePath<double>;

}  // namespace sklar
