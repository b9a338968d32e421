#pragma once

#include <vector>

#include "backend/operations/trajectory.hpp"
#include "integrate/steps/clock.hpp"

// Solvers whose steps are linear in the state and in values of the field: what they are is a table of
// coefficients, found here in double and carried out by LinearMove, or by a device in one go.
namespace sklar {

// One step of the grid, from node i to the next.
struct GridStep {
  const SolverOptions& options;
  Process process;
  std::size_t i;
  double previous;  // what the rule returned for the step before; 0: there was none
  double from() const { return options.nodes[i]; }
  double to() const { return options.nodes[i + 1]; }
  double length() const { return forward_time(process, from()) - forward_time(process, to()); }
};

// A rule appends the moves of a step and returns its length as the next one wants to know it.
using LinearRule = double (*)(const GridStep&, std::vector<LinearStep>&);
LinearRule linear_rule(Solver solver);  // null: the solver has none

// From pure noise no step of the reverse process is short: the first one follows the ODE in w. True if node i
// is that.
bool leave_reference(const GridStep& step, std::vector<LinearStep>& moves);

double runge_kutta_step(const GridStep& step, std::vector<LinearStep>& moves);  // euler, heun
double adams_bashforth_step(const GridStep& step, std::vector<LinearStep>& moves);
double ddim_step(const GridStep& step, std::vector<LinearStep>& moves);
double dpm_solver_step(const GridStep& step, std::vector<LinearStep>& moves);
double euler_maruyama_step(const GridStep& step, std::vector<LinearStep>& moves);
double exponential_em_step(const GridStep& step, std::vector<LinearStep>& moves);
// Moves at node i, after the step that led there.
void corrector_moves(const SolverOptions& options, Process process, std::size_t i,
                     std::vector<LinearStep>& moves);

// The moves of one step of the grid after the other, those of the corrector included. Without a rule: the
// corrector's alone.
class LinearSteps {
 public:
  LinearSteps(const SolverOptions& options, Process process)
      : options_(options), process_(process), rule_(linear_rule(options.solver)) {}
  bool has_rule() const { return rule_ != nullptr; }
  std::vector<LinearStep> next();

 private:
  const SolverOptions& options_;
  Process process_;
  LinearRule rule_;
  std::size_t i_ = 0;
  double previous_ = 0;
};

}  // namespace sklar
