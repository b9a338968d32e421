#pragma once

#include <cstddef>

#include "integrate/steps/options.hpp"

namespace sklar {

// An explicit Runge-Kutta method: stage i is at c[i] of the step, at y + H sum a[i][j] k_j; the step is H sum
// b[j] k_j.
struct Tableau {
  std::size_t stages = 0;
  double c[7] = {};
  double a[7][7] = {};
  double b[7] = {};
  // The last stage is at the end of the step (its derivative is the next step's first) and takes part in the
  // error estimate H sum e[j] k_j alone. dopri5 and tsit5.
  bool embedded = false;
  double e[7] = {};
};

const Tableau& tableau_of(Solver solver);  // throws Error("VALUE") for another kind of solver
bool is_runge_kutta(Solver solver);

}  // namespace sklar
