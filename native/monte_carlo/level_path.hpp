#pragma once

#include <vector>

#include "backend/backend.hpp"

namespace sklar {

// Densities exp(F_k(y)) N(y; 0, I), known up to a constant, from k = 0 (data) to `last` (the reference, where
// F = 0 and the constant is known). Between two levels they are bridged by their geometric mean, F = (1 -
// share) F_{level + 1} + share F_level. Of a path that knows the gradients of F_k alone (field_path.hpp)
// nothing else can be asked.
template <class T>
class LevelPath {
 public:
  virtual ~LevelPath() = default;
  virtual std::size_t dim() const = 0;
  virtual std::size_t last() const = 0;
  // above[i] = F_{level + 1}, below[i] = F_level (host memory), gradient = that of the bridge; null, both of
  // the former, or an empty gradient are not wanted. y: any number of rows, dim columns and a column of ones;
  // level < last.
  virtual void evaluate(MatrixView<const T> y, std::size_t level, double share, double* above, double* below,
                        MatrixView<T> gradient) = 0;
  // The transposed Jacobian of the gradient at the level times r, row by row: where it is one, the Hessian of
  // F_level. r: dim columns and a column of zeros; level < last.
  virtual void pull_back(MatrixView<const T> y, std::size_t level, MatrixView<const T> r,
                         MatrixView<T> product) = 0;
};

// A path seen from an affine subspace: y = offset + basis x, with orthonormal columns of the basis. The
// reference stays N(0, I) when the offset is orthogonal to them (up to a constant that the caller keeps).
template <class T>
class AffinePath final : public LevelPath<T> {
 public:
  // basis: path.dim() x columns, dense
  AffinePath(Backend<T>& backend, LevelPath<T>& path, const std::vector<double>& basis,
             const std::vector<double>& offset, std::size_t columns);

  std::size_t dim() const override { return columns_; }
  std::size_t last() const override { return path_.last(); }
  void evaluate(MatrixView<const T> x, std::size_t level, double share, double* above, double* below,
                MatrixView<T> gradient) override;
  void pull_back(MatrixView<const T> x, std::size_t level, MatrixView<const T> r,
                 MatrixView<T> product) override;

 private:
  void map(MatrixView<const T> from, const PackedMatrix<T>& by, MatrixView<T> to);
  void reserve(std::size_t rows);

  Backend<T>& backend_;
  LevelPath<T>& path_;
  std::size_t columns_;
  PackedMatrix<T> forward_, back_;
  Matrix<T> y_, r_, g_;
};

// rows x (columns + 1), zeros and a column of ones
template <class T>
Matrix<T> matrix_with_ones(Backend<T>& backend, std::size_t rows, std::size_t columns);

// A matrix without its column of ones.
template <class T>
MatrixView<T> without_ones(MatrixView<T> y) {
  return {y.data, y.rows, y.columns - 1, y.stride};
}

template <class T>
MatrixView<T> rows_from(MatrixView<T> m, std::size_t first, std::size_t count) {
  return m.data ? MatrixView<T>{m.row(first), count, m.columns, m.stride} : m;
}

}  // namespace sklar
