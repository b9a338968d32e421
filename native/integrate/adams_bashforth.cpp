#include "integrate/trajectory.hpp"

namespace sklar {
namespace {

// Two-step Adams-Bashforth on any grid, one evaluation a step; the first step is Euler's.
template <class T>
class AdamsBashforth final : public Stepper<T> {
 public:
  explicit AdamsBashforth(Trajectory<T>& t) : t_(t) {
    times_ = t.backend.template buffer<double>(t.rows());
    for (std::size_t j = 0; j < 2; ++j) {
      k_[j] = t.vectors();
      if (t.divergence)
        divergence_[j] = t.backend.template buffer<double>(t.rows() * t.divergence->columns());
    }
  }

  void step(std::size_t i) override {
    const Clock clock = t_.options.clock;
    const double h = to_clock(clock, t_.node(i + 1)) - to_clock(clock, t_.node(i));
    const std::size_t now = i % 2, before = 1 - now;
    t_.backend.fill(times_.data(), t_.rows(), t_.node(i));
    t_.evaluate(t_.y, times_.data(), form_of(clock), k_[now], divergence_[now].data());
    const double ratio = previous_ != 0 ? h / (2 * previous_) : 0;
    Combine<T> sum;
    sum.to = t_.z;
    sum.add(t_.z, 1).add(k_[now], h * (1 + ratio));
    if (ratio != 0) sum.add(k_[before], -h * ratio);
    t_.backend.combine(sum);
    if (t_.divergence) {
      const std::size_t count = t_.rows() * t_.divergence->columns();
      t_.backend.add_scaled(t_.divergence->total, divergence_[now].data(), count, h * (1 + ratio), nullptr,
                            1);
      if (ratio != 0)
        t_.backend.add_scaled(t_.divergence->total, divergence_[before].data(), count, -h * ratio, nullptr,
                              1);
    }
    if (t_.reflected()) {
      t_.backend.flip(k_[now], t_.z);
      t_.backend.fold(t_.z, t_.z);
    }
    previous_ = h;
  }

  void restart() override { previous_ = 0; }

 private:
  Trajectory<T>& t_;
  Matrix<T> k_[2];
  Buffer<double> times_, divergence_[2];
  double previous_ = 0;
};

}  // namespace

template <class T>
std::unique_ptr<Stepper<T>> make_adams_bashforth(Trajectory<T>& trajectory) {
  return std::make_unique<AdamsBashforth<T>>(trajectory);
}
template std::unique_ptr<Stepper<float>> make_adams_bashforth(Trajectory<float>&);
template std::unique_ptr<Stepper<double>> make_adams_bashforth(Trajectory<double>&);

}  // namespace sklar
