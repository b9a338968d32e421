#pragma once

#include <functional>
#include <vector>

#include "fields/field.hpp"

namespace sklar {

// The unit vectors of the columns in turn, in all rows: from column 0 on, one after the other.
template <class T>
void next_unit_vectors(Backend<T>& backend, const Matrix<T>& m, std::size_t rows, std::size_t column) {
  if (column == 0)
    backend.clear(m.data(), rows * m.stride() * sizeof(T));
  else
    backend.fill_column(m.first(rows), column - 1, 0);
  backend.fill_column(m.first(rows), column, 1);
}

// Traces of a matrix A for each row that is known by its products with vectors (docs/mathematics.md, D.2).
template <class T>
class TraceSampler {
 public:
  // products = A direction, for all rows; directions (rows x (dim + 1)) end in a column of zeros
  using Product = std::function<void(MatrixView<const T> direction, MatrixView<T> products)>;

  explicit TraceSampler(Backend<T>& backend) : backend_(backend) {}

  // sum (backend memory, rows x trace.columns()) += the trace of each row, or estimates of it
  void add(const TraceEstimator& trace, std::size_t rows, std::size_t dim, const Product& product,
           double* sum);

 private:
  struct Call;
  void hutchpp(const Call& call);

  Backend<T>& backend_;
  Matrix<T> direction_, product_;
  std::vector<Matrix<T>> range_;  // orthonormal vectors of each row
  Buffer<double> dots_;
};

}  // namespace sklar
