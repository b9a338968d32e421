#include "integrate/steps/linear_steps.hpp"

namespace sklar {

// Two-step Adams-Bashforth on any grid, one evaluation a step; the first step is Euler's
// (docs/mathematics.md, A.8).
double adams_bashforth_step(const GridStep& g, std::vector<LinearStep>& moves) {
  const Clock clock = g.options.clock;
  const double h = to_clock(clock, g.to()) - to_clock(clock, g.from());
  const double ratio = g.previous != 0 ? h / (2 * g.previous) : 0;
  LinearStep s;
  s.time = g.from();
  s.form = form_of(clock);
  s.now = h * (1 + ratio);
  s.before = -h * ratio;
  moves.push_back(s);
  return h;
}

}  // namespace sklar
