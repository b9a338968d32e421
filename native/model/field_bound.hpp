#pragma once

#include <cstdint>
#include <vector>

#include "core/cancel.hpp"
#include "process/field.hpp"

namespace sklar {

// The log density of rows from the field alone, without divergences (docs/mathematics.md, D.3):
//   ou          log c(z_0) >= integral over t of E[2 <G, g*> - |G|^2 | z_0],      g* = alpha (z_0 - alpha /
//   sigma noise) reflection  log c(u_0) >= integral over t of E[2 <v, V_t> - |v|^2 | u_0] / t
// with equality for an exact field, and for a learned one a lower bound for the reverse process started from
// independence. Unbiased in time (stratified) and noise (antithetic): `draws` times for each row, two
// evaluations each. What lies beyond `reference` is left out.
//   x: rows x dim, dense, on the copula scale or, with from_gaussian, the Gaussian scale; cholesky: L of z =
//   L y, y the state of the field (ou only; empty: y = z). Row i draws its own numbers, those of row
//   first_row + i of the seed.
struct FieldBoundOptions {
  double reference;  // theta of ou, t of reflection
  std::vector<double> cholesky;
  bool from_gaussian;
  std::size_t draws;
  std::uint64_t seed, first_row;
};

template <class T>
void field_bound(Backend<T>& backend, Field<T>& field, const FieldBoundOptions& options, const double* x,
                 std::size_t rows, double* out, const CancelFlag& cancel, const Fraction& progress);

}  // namespace sklar
