#pragma once

#include "integrate/steps/options.hpp"

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

}  // namespace sklar
