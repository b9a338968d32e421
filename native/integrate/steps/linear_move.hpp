#pragma once

#include "integrate/steps/linear_steps.hpp"
#include "integrate/steps/trajectory.hpp"

namespace sklar {

// Carries out linear steps by operations of the backend, one after the other.
template <class T>
class LinearMove {
 public:
  explicit LinearMove(Trajectory<T>& trajectory);
  void apply(const LinearStep& step);

 private:
  Trajectory<T>& t_;
  Matrix<T> kept_[2], field_;
  Buffer<double> divergence_[2];
  std::size_t now_ = 0;
};

}  // namespace sklar
