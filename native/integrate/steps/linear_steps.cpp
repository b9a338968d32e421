#include "integrate/steps/linear_steps.hpp"

namespace sklar {

LinearRule linear_rule(Solver solver) {
  switch (solver) {
    case Solver::euler:
    case Solver::heun:
      return runge_kutta_step;
    case Solver::ab2:
      return adams_bashforth_step;
    case Solver::ddim:
      return ddim_step;
    case Solver::dpmpp_2m:
    case Solver::dpmpp_2m_sde:
      return dpm_solver_step;
    case Solver::euler_maruyama:
      return euler_maruyama_step;
    case Solver::exponential_em:
    case Solver::exponential_em_one_step:
      return exponential_em_step;
    case Solver::rk4:
    case Solver::dopri5:
    case Solver::tsit5:
    case Solver::sra1:
    case Solver::shark:
      break;
  }
  return nullptr;
}

bool leave_reference(const GridStep& g, std::vector<LinearStep>& moves) {
  if (on_cube(g.process) || OuProcess::alpha(g.from()) != 0) return false;
  LinearStep s;
  s.time = g.from();
  s.form = Form::slope_w;
  s.now = to_clock(Clock::w, g.to()) - to_clock(Clock::w, g.from());
  moves.push_back(s);
  return true;
}

std::vector<LinearStep> LinearSteps::next() {
  std::vector<LinearStep> moves;
  if (rule_) previous_ = rule_({options_, process_, i_, previous_}, moves);
  ++i_;
  if (options_.corrector_steps) {
    corrector_moves(options_, process_, i_, moves);
    previous_ = 0;  // the state was moved: what was kept of earlier steps is of another trajectory
  }
  if (!moves.empty()) moves.back().mark = static_cast<std::int32_t>(i_);
  return moves;
}

}  // namespace sklar
