#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/linear_steps.hpp"

namespace sklar {

// Steps that leave the law at one time as it is, but for their size: of the ou process with G frozen
// (independent coordinates stay standard normal), of folded Langevin dynamics for the reflection process
// (docs/mathematics.md, A.8 and B.3).
void corrector_moves(const SolverOptions& options, Process process, std::size_t i,
                     std::vector<LinearStep>& moves) {
  const double size = options.corrector_size, time = options.nodes[i];
  const bool reflected = on_cube(process);
  // grad log c = -v / t cannot be had from the velocity at data
  if (reflected && time <= 0) return;
  for (std::size_t m = 0; m < options.corrector_steps; ++m) {
    LinearStep s;
    s.time = time;
    if (reflected) {
      s.form = Form::velocity;
      s.now = -size / time;
      s.noise = std::sqrt(2 * size);
    } else {
      const double lost = -std::expm1(-size);
      s.form = Form::gradient;
      s.state = 1 - lost;
      s.now = lost;
      s.noise = std::sqrt(-std::expm1(-2 * size));
    }
    s.draw = i * options.corrector_steps + m;
    s.tag = kTagCorrectorNoise;
    moves.push_back(s);
  }
}

}  // namespace sklar
