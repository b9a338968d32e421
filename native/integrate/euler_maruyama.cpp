#include <cmath>

#include "integrate/trajectory.hpp"

namespace sklar {
namespace {

// The reverse process by Euler's rule: dz = (-z + 2 G) dtau + sqrt(2) dB in ou time; du = grad log c dtau +
// dB, folded, in tau = t^2 of the reflection process, where grad log c = -v / t.
template <class T>
class EulerMaruyama final : public Stepper<T> {
 public:
  explicit EulerMaruyama(Trajectory<T>& t) : t_(t), k_(t.vectors()) {}

  void step(std::size_t i) override {
    if (t_.leave_reference(i)) return;
    const double h = t_.forward_time(t_.node(i)) - t_.forward_time(t_.node(i + 1));
    Combine<T> sum;
    sum.to = t_.z;
    if (t_.reflected()) {
      t_.evaluate(t_.y, t_.node(i), Form::velocity, k_);
      sum.add(t_.z, 1).add(k_, -h / t_.node(i));
      t_.add_noise(sum, std::sqrt(h), i);
    } else {
      t_.evaluate(t_.y, t_.node(i), Form::gradient, k_);
      sum.add(t_.z, 1 - h).add(k_, 2 * h);
      t_.add_noise(sum, std::sqrt(2 * h), i);
    }
    t_.backend.combine(sum);
    if (t_.reflected()) t_.backend.fold(t_.z, t_.z);
  }

 private:
  Trajectory<T>& t_;
  Matrix<T> k_;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_euler_maruyama(Trajectory<T>& trajectory) {
  return std::make_unique<EulerMaruyama<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_euler_maruyama(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_euler_maruyama(Trajectory<double>&);

}  // namespace sklar
