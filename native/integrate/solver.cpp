#include "integrate/solver.hpp"

#include <algorithm>
#include <cmath>

#include "integrate/rules/tableau.hpp"
#include "integrate/steps/last_good.hpp"
#include "integrate/steps/linear_move.hpp"
#include "integrate/steps/trajectory.hpp"

namespace sklar {
namespace {

constexpr std::size_t look_every = 64;  // steps between two looks for states that left the finite numbers

struct NamedSolver {
  const char* name;
  Solver solver;
};
constexpr NamedSolver names[] = {{"euler", Solver::euler},
                                 {"heun", Solver::heun},
                                 {"rk4", Solver::rk4},
                                 {"dopri5", Solver::dopri5},
                                 {"tsit5", Solver::tsit5},
                                 {"ab2", Solver::ab2},
                                 {"ddim", Solver::ddim},
                                 {"dpmpp-2m", Solver::dpmpp_2m},
                                 {"dpmpp-2m-sde", Solver::dpmpp_2m_sde},
                                 {"euler-maruyama", Solver::euler_maruyama},
                                 {"exponential-em", Solver::exponential_em},
                                 {"exponential-em-one-step", Solver::exponential_em_one_step},
                                 {"sra1", Solver::sra1},
                                 {"shark", Solver::shark}};

bool in_clock(Solver solver) { return is_runge_kutta(solver) || solver == Solver::ab2; }
bool is_stochastic_runge_kutta(Solver solver) { return solver == Solver::sra1 || solver == Solver::shark; }

void check(const SolverOptions& o, Process process, std::size_t dim, std::size_t columns, bool divergence) {
  auto expect = [](bool ok, const char* what) {
    if (!ok) throw Error("VALUE", what);
  };
  if (columns != dim + 1)
    throw Error("SHAPE", "expected " + std::to_string(dim + 1) + " columns of the state, got " +
                             std::to_string(columns));
  expect(o.nodes.size() >= 2, "expected at least two nodes");
  const bool down = o.nodes[1] < o.nodes[0];
  for (std::size_t i = 0; i + 1 < o.nodes.size(); ++i)
    expect(down ? o.nodes[i + 1] < o.nodes[i] : o.nodes[i + 1] > o.nodes[i],
           "expected nodes in strict order");
  const bool cube = on_cube(process);
  const double last = with_process(process, [](auto p) { return decltype(p)::last_time; });
  for (double node : o.nodes)
    expect(node >= 0 && node <= last && std::isfinite(node), "a node is no time of the process");
  if (in_clock(o.solver)) {
    expect((o.clock == Clock::time) == cube, "the clock does not belong to the process");
  } else {
    expect(down, "only Runge-Kutta methods and ab2 go from data to the reference");
    expect(!cube || (has_noise(process) && o.solver == Solver::euler_maruyama),
           "the solver does not belong to the process");
    expect(!divergence, "only Runge-Kutta methods and ab2 give a likelihood");
  }
  if (o.adaptive) {
    expect(is_stochastic_runge_kutta(o.solver) || (is_runge_kutta(o.solver) && tableau_of(o.solver).embedded),
           "the solver does not choose its steps");
    expect(o.rtol >= 0 && o.atol > 0, "expected a positive absolute tolerance");
    expect(o.corrector_steps == 0, "a corrector needs a fixed grid");
  }
  expect(o.corrector_steps == 0 || (down && o.corrector_size > 0 && !divergence),
         "a corrector needs a positive size and a sample");
  expect(o.corrector_steps == 0 || has_noise(process), "the corrector does not belong to the process");
  expect(o.eta >= 0 && o.eta <= 1 && (o.eta == 0 || o.solver == Solver::ddim),
         "eta is ddim's, between 0 and 1");
}

// All steps in one operation, where the field and the backend can do that.
template <class T>
bool in_one_operation(Trajectory<T>& t, const LastGood<T>& good) {
  TrajectoryProgram<T> program;
  if (t.divergence || t.options.brownian == Brownian::tree || !t.field.describe(program.field)) return false;
  LinearSteps steps(t.options, t.field.process());
  std::vector<LinearStep> all;
  for (std::size_t i = 0; i < t.steps(); ++i)
    for (const LinearStep& s : steps.next()) all.push_back(s);
  program.steps = all;
  program.z = t.z;
  program.reflected = t.reflected();
  program.seed = t.options.seed;
  program.first_row = t.options.first_row;
  program.failed = good.failed();
  if (!t.backend.run_trajectory(program)) return false;
  t.evaluations += all.size();
  return true;
}

template <class T>
void step_by_step(Trajectory<T>& t, LastGood<T>& good) {
  LinearSteps steps(t.options, t.field.process());
  std::unique_ptr<Stepper<T>> stepper;
  if (!steps.has_rule())
    stepper = is_runge_kutta(t.options.solver) ? make_runge_kutta(t) : make_stochastic_runge_kutta(t);
  LinearMove<T> move(t);
  for (std::size_t i = 0; i < t.steps(); ++i) {
    t.cancel.check();
    if (stepper) stepper->step(i);
    for (const LinearStep& s : steps.next()) move.apply(s);
    good.keep(i);
    if ((i + 1) % look_every == 0) good.check([&](std::size_t k) { return t.node(k); });
  }
}

template <class T>
SolverStatistics integrate_on_grid(Trajectory<T>& t) {
  LastGood<T> good(t.backend, t.z, t.options.first_row);
  if (!linear_rule(t.options.solver) || !in_one_operation(t, good)) step_by_step(t, good);
  good.check([&](std::size_t k) { return t.node(k); });
  SolverStatistics s;
  s.rows = t.rows();
  s.evaluations = t.evaluations * t.rows();
  s.most_evaluations = t.evaluations;
  s.accepted = t.steps() * t.rows();
  return s;
}

}  // namespace

Solver parse_solver(const std::string& name) {
  for (const auto& n : names)
    if (name == n.name) return n.solver;
  throw Error("VALUE", "unknown solver \"" + name + "\"");
}

Clock parse_clock(const std::string& name) {
  if (name == "w") return Clock::w;
  if (name == "alpha") return Clock::alpha;
  if (name == "theta") return Clock::theta;
  if (name == "time") return Clock::time;
  throw Error("VALUE", "unknown clock \"" + name + "\"");
}

void SolverStatistics::add(const SolverStatistics& other) {
  rows += other.rows;
  evaluations += other.evaluations;
  most_evaluations = std::max(most_evaluations, other.most_evaluations);
  accepted += other.accepted;
  rejected += other.rejected;
}

template <class T>
SolverStatistics integrate(Backend<T>& backend, Field<T>& field, const SolverOptions& options,
                           MatrixView<T> y, const DivergenceIntegral* divergence, const CancelFlag& cancel) {
  check(options, field.process(), field.dim(), y.columns, divergence != nullptr);
  if (y.rows == 0) return {};
  Trajectory<T> trajectory(backend, field, options, y, divergence, cancel);
  return options.adaptive ? integrate_adaptively(trajectory) : integrate_on_grid(trajectory);
}

template SolverStatistics integrate(Backend<float>&, Field<float>&, const SolverOptions&, MatrixView<float>,
                                    const DivergenceIntegral*, const CancelFlag&);
template SolverStatistics integrate(Backend<double>&, Field<double>&, const SolverOptions&,
                                    MatrixView<double>, const DivergenceIntegral*, const CancelFlag&);

}  // namespace sklar
