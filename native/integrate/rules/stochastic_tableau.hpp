#pragma once

#include <cmath>

#include "integrate/steps/trajectory.hpp"

namespace sklar {

// Two-stage methods of strong order 3/2 for additive noise (docs/mathematics.md, A.8), from an increment W
// and its space-time Levy area H of a step of length h: k_1 = f(z + s h_1 H), k_2 = f(z + c h k_1 + s (c W +
// h_2 H), c h later), z + h (b_1 k_1 + b_2 k_2) + s W; the error estimate is h e |k_2 - k_1|.
struct StochasticTableau {
  double h1, c, h2, b1, b2, e;
};

inline StochasticTableau stochastic_tableau_of(Solver solver) {
  // SRA1: Roessler (2010). ShARK: Foster, dos Reis, Strange (2024).
  return solver == Solver::sra1 ? StochasticTableau{0, 3.0 / 4, 3.0 / 2, 1.0 / 3, 2.0 / 3, 2.0 / 3}
                                : StochasticTableau{1, 5.0 / 6, 1, 0.4, 0.6, 0.6};
}

// One step from `from` to `to`, by way of `trial`. The increments have factors, and steps of their own for
// each row are in backend memory, times h. drift(c, k): k = the drift at the trial state, c of the step
// later.
template <class T>
struct StochasticStep {
  MatrixView<T> from, to, trial, first, second;
  MatrixView<const T> w, area;
  double w_scale, area_scale, h;
  const double* steps;

  template <class Drift>
  void operator()(Backend<T>& backend, const StochasticTableau& t, Drift&& drift) const {
    const double root = std::sqrt(2.0);
    Combine<T> at;
    at.to = trial;
    at.add(from, 1);
    if (t.h1 != 0) at.add(area, root * t.h1 * area_scale);
    backend.combine(at);
    drift(0.0, first);

    at = {};
    at.to = trial;
    at.add(from, 1)
        .add(first, t.c * h, steps)
        .add(w, root * t.c * w_scale)
        .add(area, root * t.h2 * area_scale);
    backend.combine(at);
    drift(t.c, second);

    Combine<T> end;
    end.to = to;
    end.add(from, 1).add(first, t.b1 * h, steps).add(second, t.b2 * h, steps).add(w, root * w_scale);
    backend.combine(end);
  }
};

}  // namespace sklar
