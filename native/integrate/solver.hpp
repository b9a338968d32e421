#pragma once

#include "integrate/steps/options.hpp"

// Integrators of any field from the reference to data and back (docs/mathematics.md, A.7, A.8, B.3, D.1). A
// solver knows the process, never the head.
namespace sklar {

// y (rows x (dim + 1), the last column ones) is carried from the first node to the last. divergence: null, or
// for the solvers euler, heun, rk4, dopri5, tsit5 and ab2.
//
// Throws Error("VALUE") for options that do not fit together, Diverged with rows and times where a state or a
// field leaves the finite numbers, or where no step is short enough; y then holds each such row's last good
// state, and the values of the error are left to the caller.
template <class T>
SolverStatistics integrate(Backend<T>& backend, Field<T>& field, const SolverOptions& options,
                           MatrixView<T> y, const DivergenceIntegral* divergence, const CancelFlag& cancel);

}  // namespace sklar
