#include <cmath>

#include "core/philox.h"
#include "integrate/trajectory.hpp"

namespace sklar {
namespace {

// Steps that leave the law at one time as it is, but for their size: of the ou process with G frozen
// (independent coordinates stay standard normal), of folded Langevin dynamics for the reflection process.
template <class T>
class Corrector final : public Stepper<T> {
 public:
  explicit Corrector(Trajectory<T>& t) : t_(t), k_(t.vectors()) {}

  void step(std::size_t i) override {
    const double size = t_.options.corrector_size, time = t_.node(i);
    // grad log c = -v / t cannot be had from the velocity at data
    if (t_.reflected() && time <= 0) return;
    for (std::size_t m = 0; m < t_.options.corrector_steps; ++m) {
      Combine<T> sum;
      sum.to = t_.z;
      if (t_.reflected()) {
        t_.evaluate(t_.y, time, Form::velocity, k_);
        sum.add(t_.z, 1).add(k_, -size / time);
        sum.noise = std::sqrt(2 * size);
      } else {
        t_.evaluate(t_.y, time, Form::gradient, k_);
        const double lost = -std::expm1(-size);
        sum.add(t_.z, 1 - lost).add(k_, lost);
        sum.noise = std::sqrt(-std::expm1(-2 * size));
      }
      sum.seed = t_.options.seed;
      sum.first_row = t_.options.first_row;
      sum.step = i * t_.options.corrector_steps + m;
      sum.tag = kTagCorrectorNoise;
      t_.backend.combine(sum);
      if (t_.reflected()) t_.backend.fold(t_.z, t_.z);
    }
  }

 private:
  Trajectory<T>& t_;
  Matrix<T> k_;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_corrector(Trajectory<T>& trajectory) {
  return std::make_unique<Corrector<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_corrector(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_corrector(Trajectory<double>&);

}  // namespace sklar
