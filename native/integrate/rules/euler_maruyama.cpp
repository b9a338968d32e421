#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/linear_steps.hpp"

namespace sklar {

// The reverse process by Euler's rule (docs/mathematics.md, A.7 and B.3): dz = (-z + 2 G) dtau + sqrt(2) dB
// in ou time; du = grad log c dtau + dB, folded, in tau = t^2 of the reflection process, where grad log c =
// -v / t.
double euler_maruyama_step(const GridStep& g, std::vector<LinearStep>& moves) {
  if (leave_reference(g, moves)) return 0;
  const double h = g.length();
  LinearStep s;
  s.time = g.from();
  if (on_cube(g.process)) {
    s.form = Form::velocity;
    s.now = -h / g.from();
    s.noise = std::sqrt(h);
  } else {
    s.form = Form::gradient;
    s.state = 1 - h;
    s.now = 2 * h;
    s.noise = std::sqrt(2 * h);
  }
  s.draw = g.i;
  s.tag = kTagSampleNoise;
  moves.push_back(s);
  return h;
}

}  // namespace sklar
