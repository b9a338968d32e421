#include <cmath>

#include "integrate/trajectory.hpp"

namespace sklar {
namespace {

// Song, Meng, Ermon (2020) on the circle alpha = cos theta, sigma = sin theta. With v = dz/dtheta, E[z_0 | z]
// = alpha z - sigma v and E[noise | z] = sigma z + alpha v: finite from pure noise to data.
template <class T>
class Ddim final : public Stepper<T> {
 public:
  explicit Ddim(Trajectory<T>& t) : t_(t), v_(t.vectors()) {}

  void step(std::size_t i) override {
    const double from = t_.node(i), to = t_.node(i + 1);
    const double alpha_t = ou_alpha(from), sigma_t = std::sin(from), alpha_s = ou_alpha(to),
                 sigma_s = std::sin(to);
    t_.evaluate(t_.y, from, Form::slope_theta, v_);
    const double ratio = alpha_t / alpha_s;
    const double nu = t_.options.eta * sigma_s * std::sqrt((1 - ratio) * (1 + ratio)) / sigma_t;
    const double kept = std::sqrt(std::max(sigma_s * sigma_s - nu * nu, 0.0));
    Combine<T> sum;
    sum.to = t_.z;
    sum.add(t_.z, alpha_s * alpha_t + kept * sigma_t).add(v_, kept * alpha_t - alpha_s * sigma_t);
    t_.add_noise(sum, nu, i);
    t_.backend.combine(sum);
  }

 private:
  Trajectory<T>& t_;
  Matrix<T> v_;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_ddim(Trajectory<T>& trajectory) {
  return std::make_unique<Ddim<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_ddim(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_ddim(Trajectory<double>&);

}  // namespace sklar
