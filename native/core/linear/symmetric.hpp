#pragma once

#include <vector>

namespace sklar {

// Lower triangular L with L L^T = a (dim x dim, dense), in double. Throws Error("VALUE") naming the pivot
// when a is not positive definite.
std::vector<double> cholesky(const std::vector<double>& a, std::size_t dim);

// log det L of a lower triangular L (dim x dim, dense).
double half_log_determinant(const double* l, std::size_t dim);

// L^-1, lower triangular.
std::vector<double> inverse_of_cholesky(const std::vector<double>& l, std::size_t dim);

// a = vectors diag(values) vectors^T; the eigenvectors are the columns.
struct SymmetricEigen {
  std::vector<double> values, vectors;
};

// Of a symmetric matrix (dim x dim, dense), by cyclic Jacobi rotations: slow in many dimensions, accurate to
// rounding.
SymmetricEigen symmetric_eigen(std::vector<double> a, std::size_t dim);

}  // namespace sklar
