// docs/mathematics.md, A.8
#include "core/error.hpp"
#include "integrate/rules/tableau.hpp"
#include "integrate/steps/linear_steps.hpp"
#include "integrate/steps/trajectory.hpp"

namespace sklar {
namespace {

const Tableau euler{1, {0}, {}, {1}, false, {}};

const Tableau heun{2, {0, 1}, {{}, {1}}, {0.5, 0.5}, false, {}};

const Tableau rk4{
    4, {0, 0.5, 0.5, 1}, {{}, {0.5}, {0, 0.5}, {0, 0, 1}}, {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}, false, {}};

// Dormand and Prince (1980), RK5(4)7M.
const Tableau dopri5{7,
                     {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1},
                     {{},
                      {1.0 / 5},
                      {3.0 / 40, 9.0 / 40},
                      {44.0 / 45, -56.0 / 15, 32.0 / 9},
                      {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
                      {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
                      {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},
                     {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84, 0},
                     true,
                     {71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40}};

// Tsitouras (2011).
const Tableau tsit5{
    7,
    {0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1},
    {{},
     {0.161},
     {-0.008480655492356989, 0.335480655492357},
     {2.8971530571054935, -6.359448489975075, 4.3622954328695815},
     {5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525},
     {5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383},
     {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
      2.324710524099774}},
    {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774,
     0},
    true,
    {-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
     0.5823571654525552, -0.45808210592918697, 1.0 / 66}};

// c of the step between two times
double stage_time(Clock clock, double from, double to, double c) {
  const double x = to_clock(clock, from);
  return c == 0 ? from : c == 1 ? to : from_clock(clock, x + c * (to_clock(clock, to) - x));
}

// Fixed steps of more than two stages.
template <class T>
class RungeKutta final : public Stepper<T> {
 public:
  explicit RungeKutta(Trajectory<T>& t) : t_(t), tableau_(tableau_of(t.options.solver)) {
    stages_ = tableau_.embedded ? tableau_.stages - 1 : tableau_.stages;
    for (std::size_t j = 0; j < stages_; ++j) k_[j] = t.vectors();
    if (stages_ > 1) trial_ = t.state();
    times_ = t.backend.template buffer<double>(t.rows());
    if (t.divergence) divergence_ = t.backend.template buffer<double>(t.rows() * t.divergence->columns());
  }

  void step(std::size_t i) override {
    const Clock clock = t_.options.clock;
    const double h = to_clock(clock, t_.node(i + 1)) - to_clock(clock, t_.node(i));
    for (std::size_t s = 0; s < stages_; ++s) {
      Combine<T> at;
      at.to = s ? t_.inner(trial_) : t_.z;
      if (s) {
        add(at, tableau_.a[s], s, h);
        t_.backend.combine(at);
      }
      const double time = stage_time(clock, t_.node(i), t_.node(i + 1), tableau_.c[s]);
      t_.backend.fill(times_.data(), t_.rows(), time);
      t_.evaluate(s ? trial_ : t_.y, times_.data(), form_of(clock), k_[s], divergence_.data());
      if (t_.divergence && tableau_.b[s] != 0)
        t_.backend.add_scaled(t_.divergence->total, divergence_.data(), t_.rows() * t_.divergence->columns(),
                              h * tableau_.b[s], nullptr, 1);
    }
    Combine<T> end;
    end.to = t_.z;
    add(end, tableau_.b, stages_, h);
    t_.backend.combine(end);
    if (t_.reflected()) t_.backend.fold(t_.z, t_.z);
  }

 private:
  void add(Combine<T>& sum, const double* weights, std::size_t count, double h) {
    sum.add(t_.z, 1);
    for (std::size_t j = 0; j < count; ++j)
      if (weights[j] != 0) sum.add(k_[j], h * weights[j]);
  }

  Trajectory<T>& t_;
  const Tableau& tableau_;
  std::size_t stages_;
  Matrix<T> k_[7], trial_;
  Buffer<double> times_, divergence_;
};

}  // namespace

// The second stage's state is z + h a k_1 before the step is completed.
double runge_kutta_step(const GridStep& g, std::vector<LinearStep>& moves) {
  const Tableau& t = tableau_of(g.options.solver);
  const Clock clock = g.options.clock;
  const double h = to_clock(clock, g.to()) - to_clock(clock, g.from());
  LinearStep s;
  s.time = g.from();
  s.form = form_of(clock);
  if (t.stages == 1) {
    s.now = h * t.b[0];
  } else {
    s.now = h * t.a[1][0];
    s.whole = false;
    moves.push_back(s);
    s.time = stage_time(clock, g.from(), g.to(), t.c[1]);
    s.now = h * t.b[1];
    s.before = h * (t.b[0] - t.a[1][0]);
    s.whole = true;
  }
  moves.push_back(s);
  return h;
}

bool is_runge_kutta(Solver solver) {
  return solver == Solver::euler || solver == Solver::heun || solver == Solver::rk4 ||
         solver == Solver::dopri5 || solver == Solver::tsit5;
}

const Tableau& tableau_of(Solver solver) {
  if (solver == Solver::euler) return euler;
  if (solver == Solver::heun) return heun;
  if (solver == Solver::rk4) return rk4;
  if (solver == Solver::dopri5) return dopri5;
  if (solver == Solver::tsit5) return tsit5;
  throw Error("VALUE", "not a Runge-Kutta method");
}

template <class T>
std::unique_ptr<Stepper<T>> make_runge_kutta(Trajectory<T>& trajectory) {
  return std::make_unique<RungeKutta<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_runge_kutta(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_runge_kutta(Trajectory<double>&);

}  // namespace sklar
