#include <cmath>

#include "integrate/trajectory.hpp"

namespace sklar {
namespace {

// DPM-Solver++(2M) and its SDE (Lu et al., 2022): D = E[z_0 | z] is extrapolated linearly in lambda =
// log(alpha / sigma). At both ends lambda is infinite; there the steps are of first order, and the last one
// ends at D.
template <class T>
class DpmSolver final : public Stepper<T> {
 public:
  explicit DpmSolver(Trajectory<T>& t) : t_(t), v_(t.vectors()) {
    for (auto& d : denoised_) d = t.vectors();
  }

  void step(std::size_t i) override {
    const double from = t_.node(i), to = t_.node(i + 1);
    const double sigma_t = std::sin(from), alpha_s = ou_alpha(to), sigma_s = std::sin(to);
    const double h = log_signal_to_noise(to) - log_signal_to_noise(from);
    const std::size_t now = i % 2, before = 1 - now;
    t_.evaluate(t_.y, from, Form::slope_theta, v_);
    Combine<T> d;
    d.to = denoised_[now];
    d.add(t_.z, ou_alpha(from)).add(v_, -sigma_t);
    t_.backend.combine(d);

    const bool noisy = t_.options.solver == Solver::dpmpp_2m_sde;
    const double decay = std::exp(-h);
    const double weight = alpha_s * (noisy ? -std::expm1(-2 * h) : -std::expm1(-h));
    const double share =
        std::isfinite(h) && std::isfinite(previous_) && previous_ > 0 ? h / (2 * previous_) : 0;
    Combine<T> sum;
    sum.to = t_.z;
    if (sigma_s > 0) sum.add(t_.z, sigma_s / sigma_t * (noisy ? decay : 1));
    sum.add(denoised_[now], weight * (1 + share));
    if (share != 0) sum.add(denoised_[before], -weight * share);
    if (noisy) t_.add_noise(sum, sigma_s * std::sqrt(-std::expm1(-2 * h)), i);
    t_.backend.combine(sum);
    previous_ = h;
  }

  void restart() override { previous_ = 0; }

 private:
  Trajectory<T>& t_;
  Matrix<T> v_, denoised_[2];
  double previous_ = 0;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_dpm_solver(Trajectory<T>& trajectory) {
  return std::make_unique<DpmSolver<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_dpm_solver(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_dpm_solver(Trajectory<double>&);

}  // namespace sklar
