#include <cmath>

#include "integrate/trajectory.hpp"

namespace sklar {
namespace {

// The linear part and the noise are exact, so independent coordinates stay standard normal at any step size.
// Two-step: G is extrapolated linearly in time.
template <class T>
class ExponentialEm final : public Stepper<T> {
 public:
  explicit ExponentialEm(Trajectory<T>& t) : t_(t) {
    for (auto& g : g_) g = t.vectors();
  }

  void step(std::size_t i) override {
    if (t_.leave_reference(i)) return;
    const std::size_t now = i % 2, before = 1 - now;
    t_.evaluate(t_.y, t_.node(i), Form::gradient, g_[now]);
    const double h = t_.forward_time(t_.node(i)) - t_.forward_time(t_.node(i + 1));
    const double lost = -std::expm1(-h);
    double extrapolated = 0;
    if (t_.options.solver == Solver::exponential_em && previous_ > 0)
      extrapolated = 2 * (h - lost) / previous_;
    Combine<T> sum;
    sum.to = t_.z;
    sum.add(t_.z, 1 - lost).add(g_[now], 2 * lost + extrapolated);
    if (extrapolated != 0) sum.add(g_[before], -extrapolated);
    t_.add_noise(sum, std::sqrt(-std::expm1(-2 * h)), i);
    t_.backend.combine(sum);
    previous_ = h;
  }

  void restart() override { previous_ = 0; }

 private:
  Trajectory<T>& t_;
  Matrix<T> g_[2];
  double previous_ = 0;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_exponential_em(Trajectory<T>& trajectory) {
  return std::make_unique<ExponentialEm<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_exponential_em(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_exponential_em(Trajectory<double>&);

}  // namespace sklar
