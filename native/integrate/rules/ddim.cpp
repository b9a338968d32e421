#include <algorithm>
#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/linear_steps.hpp"

namespace sklar {

// Song, Meng, Ermon (2020; docs/mathematics.md, A.8) on the circle alpha = cos theta, sigma = sin theta. With
// v = dz/dtheta, E[z_0 | z] = alpha z - sigma v and E[noise | z] = sigma z + alpha v: finite from pure noise
// to data.
double ddim_step(const GridStep& g, std::vector<LinearStep>& moves) {
  const double alpha_t = OuProcess::alpha(g.from()), sigma_t = std::sin(g.from()),
               alpha_s = OuProcess::alpha(g.to()), sigma_s = std::sin(g.to());
  const double ratio = alpha_t / alpha_s;
  const double nu = g.options.eta * sigma_s * std::sqrt((1 - ratio) * (1 + ratio)) / sigma_t;
  const double kept = std::sqrt(std::max(sigma_s * sigma_s - nu * nu, 0.0));
  LinearStep s;
  s.time = g.from();
  s.form = Form::slope_theta;
  s.state = alpha_s * alpha_t + kept * sigma_t;
  s.now = kept * alpha_t - alpha_s * sigma_t;
  s.noise = nu;
  s.draw = g.i;
  s.tag = kTagSampleNoise;
  moves.push_back(s);
  return 0;
}

}  // namespace sklar
