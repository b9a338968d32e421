#pragma once

#include <cstdint>
#include <vector>

#include "core/threads/cancel.hpp"
#include "fields/field.hpp"

namespace sklar {

// The log density of rows from the field alone, without divergences (docs/mathematics.md, D.3):
//   log c(x_0) >= integral of E[sum_j (2 v_j V_j - v_j^2) loss_weight_j | x_0] over log noise,
// V the velocity along a path, in the form and the noise of the process (sin(theta), t),
// with equality for an exact field, and for a learned one a lower bound for the reverse process started from
// independence. Unbiased in time (stratified) and noise (antithetic): `draws` times for each row, two
// evaluations each. What lies beyond `reference` is left out.
//   x: rows x dim, dense, on the copula scale or, with from_gaussian, the Gaussian scale; cholesky: L of z =
//   L y, y the state of the field (not on the cube; empty: y = z). Row i draws its own numbers, those of row
//   first_row + i of the seed.
struct FieldBoundOptions {
  double reference;  // a time of the process
  std::vector<double> cholesky;
  bool from_gaussian;
  std::size_t draws;
  std::uint64_t seed, first_row;
};

template <class T>
void field_bound(Backend<T>& backend, Field<T>& field, const FieldBoundOptions& options, const double* x,
                 std::size_t rows, double* out, const CancelFlag& cancel, const Fraction& progress);

}  // namespace sklar
