#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/linear_steps.hpp"

namespace sklar {

// docs/mathematics.md, A.8. The linear part and the noise are exact, so independent coordinates stay standard
// normal at any step size. Two-step: G is extrapolated linearly in time.
double exponential_em_step(const GridStep& g, std::vector<LinearStep>& moves) {
  if (leave_reference(g, moves)) return 0;
  const double h = g.length(), lost = -std::expm1(-h);
  double extrapolated = 0;
  if (g.options.solver == Solver::exponential_em && g.previous > 0)
    extrapolated = 2 * (h - lost) / g.previous;
  LinearStep s;
  s.time = g.from();
  s.form = Form::gradient;
  s.state = 1 - lost;
  s.now = 2 * lost + extrapolated;
  s.before = -extrapolated;
  s.noise = std::sqrt(-std::expm1(-2 * h));
  s.draw = g.i;
  s.tag = kTagSampleNoise;
  moves.push_back(s);
  return h;
}

}  // namespace sklar
