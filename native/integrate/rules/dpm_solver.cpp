#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/linear_steps.hpp"

namespace sklar {

// DPM-Solver++(2M) and its SDE (Lu et al., 2022; docs/mathematics.md, A.8): D = E[z_0 | z] is extrapolated
// linearly in lambda = log(alpha / sigma). At both ends lambda is infinite; there the steps are of first
// order, and the last one ends at D.
double dpm_solver_step(const GridStep& g, std::vector<LinearStep>& moves) {
  const double sigma_t = std::sin(g.from()), alpha_s = OuProcess::alpha(g.to()), sigma_s = std::sin(g.to());
  const double h = OuProcess::log_signal_to_noise(g.to()) - OuProcess::log_signal_to_noise(g.from());
  const bool noisy = g.options.solver == Solver::dpmpp_2m_sde;
  const double weight = alpha_s * (noisy ? -std::expm1(-2 * h) : -std::expm1(-h));
  const double share =
      std::isfinite(h) && std::isfinite(g.previous) && g.previous > 0 ? h / (2 * g.previous) : 0;
  LinearStep s;
  s.time = g.from();
  s.form = Form::slope_theta;
  s.kept_state = OuProcess::alpha(g.from());
  s.kept_field = -sigma_t;
  s.state = sigma_s > 0 ? sigma_s / sigma_t * (noisy ? std::exp(-h) : 1) : 0;
  s.now = weight * (1 + share);
  s.before = -weight * share;
  if (noisy) s.noise = sigma_s * std::sqrt(-std::expm1(-2 * h));
  s.draw = g.i;
  s.tag = kTagSampleNoise;
  moves.push_back(s);
  return h;
}

}  // namespace sklar
