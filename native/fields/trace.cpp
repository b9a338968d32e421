#include "fields/trace.hpp"

#include <algorithm>

#include "core/random/philox.h"

namespace sklar {

template <class T>
struct TraceSampler<T>::Call {
  const TraceEstimator& trace;
  std::size_t rows, dim;
  const Product& product;
  double* sum;

  MatrixView<T> inner(const Matrix<T>& m) const { return {m.data(), rows, dim, m.stride()}; }
};

template <class T>
void TraceSampler<T>::add(const TraceEstimator& trace, std::size_t rows, std::size_t dim,
                          const Product& product, double* sum) {
  if (direction_.rows() < rows) {
    direction_ = backend_.matrix(rows, dim + 1);
    product_ = backend_.matrix(rows, dim);
  }
  const Call call{trace, rows, dim, product, sum};
  if (trace.kind == TraceEstimator::Kind::hutchpp) {
    hutchpp(call);
    return;
  }
  const bool exact = trace.kind == TraceEstimator::Kind::exact;
  const MatrixView<T> direction = call.inner(direction_), products = call.inner(product_);
  for (std::size_t k = 0; k < (exact ? dim : trace.probes); ++k) {
    if (exact)
      next_unit_vectors(backend_, direction_, rows, k);
    else if (trace.kind == TraceEstimator::Kind::gaussian)
      backend_.normals(direction, trace.seed, trace.first_row, k, kTagTraceProbe);
    else
      backend_.signs(direction, trace.seed, trace.first_row, k, kTagTraceProbe);
    product(direction_.first(rows), products);
    backend_.row_dots(sum + (exact ? 0 : k), trace.columns(), direction, products, true);
  }
}

// With Q an orthonormal basis of the range of A on random vectors and P = I - Q Q^T: tr A = tr Q^T A Q + tr P
// A P, whatever Q is, so that rounding or an early loss of rank costs variance alone.
template <class T>
void TraceSampler<T>::hutchpp(const Call& call) {
  const auto& [trace, rows, dim, product, sum] = call;
  const std::size_t columns = trace.columns(), vectors = std::min(columns, dim);
  if (dots_.size() < rows) dots_ = backend_.template buffer<double>(rows);
  while (range_.size() < vectors) range_.emplace_back();
  const MatrixView<T> direction = call.inner(direction_), products = call.inner(product_);
  std::vector<MatrixView<T>> range;
  for (std::size_t k = 0; k < vectors; ++k) {
    if (range_[k].rows() < rows) range_[k] = backend_.matrix(rows, dim + 1);
    range.push_back(call.inner(range_[k]));
    // signs would often be dependent where there are few columns
    backend_.normals(direction, trace.seed, trace.first_row, k, kTagTraceSketch);
    product(direction_.first(rows), range[k]);
  }
  backend_.orthonormalise(range);

  backend_.fill(dots_.data(), rows, 0);
  for (std::size_t k = 0; k < vectors; ++k) {
    product(range_[k].first(rows), products);
    backend_.row_dots(dots_.data(), 1, range[k], products, true);
  }
  backend_.add_scaled(sum, nullptr, rows * columns, 1, dots_.data(), columns);

  for (std::size_t k = 0; k < columns; ++k) {
    backend_.signs(direction, trace.seed, trace.first_row, k, kTagTraceProbe);
    for (const MatrixView<T>& q : range) {
      backend_.row_dots(dots_.data(), 1, q, direction, false);
      Combine<T> rest;
      rest.to = direction;
      backend_.combine(rest.add(direction, 1).add(q, -1, dots_.data()));
    }
    product(direction_.first(rows), products);
    backend_.row_dots(sum + k, columns, direction, products, true);
  }
}

template class TraceSampler<float>;
template class TraceSampler<double>;

}  // namespace sklar
