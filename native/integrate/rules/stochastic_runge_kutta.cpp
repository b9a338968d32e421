#include <cmath>

#include "integrate/rules/stochastic_tableau.hpp"
#include "integrate/steps/trajectory.hpp"

namespace sklar {
namespace {

// docs/mathematics.md, A.8: SRA1 and ShARK on the reverse process dz = (-z + 2 G) dtau + sqrt(2) dB.
template <class T>
class StochasticRungeKutta final : public Stepper<T> {
 public:
  explicit StochasticRungeKutta(Trajectory<T>& t)
      : t_(t), tableau_(stochastic_tableau_of(t.options.solver)), trial_(t.state()) {
    for (auto* m : {&first_, &second_, &g_}) *m = t.vectors();
  }

  void step(std::size_t i) override {
    if (t_.leave_reference(i)) return;
    const double start = t_.forward_time(t_.node(i)), h = start - t_.forward_time(t_.node(i + 1));
    const auto [w, area, w_scale, area_scale] = t_.increment(i);
    const StochasticStep<T> step{t_.z, t_.z,    t_.inner(trial_), first_, second_, w,
                                 area, w_scale, area_scale,       h,      nullptr};
    step(t_.backend, tableau_, [&](double c, MatrixView<T> into) {
      drift(c == 0 ? t_.node(i) : OuProcess::angle(start - c * h), into);
    });
  }

 private:
  // into = -z + 2 G at the trial state
  void drift(double time, MatrixView<T> into) {
    t_.evaluate(trial_, time, Form::gradient, g_);
    Combine<T> sum;
    sum.to = into;
    sum.add(t_.inner(trial_), -1).add(g_, 2);
    t_.backend.combine(sum);
  }

  Trajectory<T>& t_;
  StochasticTableau tableau_;
  Matrix<T> trial_, first_, second_, g_;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_stochastic_runge_kutta(Trajectory<T>& trajectory) {
  return std::make_unique<StochasticRungeKutta<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_stochastic_runge_kutta(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_stochastic_runge_kutta(Trajectory<double>&);

}  // namespace sklar
