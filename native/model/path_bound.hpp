#pragma once

#include "core/cancel.hpp"
#include "process/field.hpp"

namespace sklar {

// The law of the times of a bound: log-uniform noise from `least` (sin theta, or t) to the reference.
struct BoundOptions {
  std::size_t draws = 0;
  double least = 0;
  double reference = 0;  // of the reflection: its last time
  std::uint64_t seed = 0, first_row = 0;
};

// The pointwise bound D.3 of docs/mathematics.md: an unbiased estimate of a lower bound on the log density of each start,
// exact for an exact field, from network evaluations alone:
//   ou          int cot(theta) E[2 <v, z'> - |v|^2 | z_0] dtheta
//   reflection  int (1/t)      E[2 <v, V>  - |v|^2 | u_0] dt
// start: rows x dim in the field's coordinates (and a column of ones). value, standard_error: host, rows each; the
// error is that of the `draws` (at least 2).
template <class T>
void path_bound(Backend<T>& backend, Field<T>& field, MatrixView<const T> start, const BoundOptions& options,
                double* value, double* standard_error, const CancelFlag& cancel);

}  // namespace sklar
