#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace sklar {

// An exponential tail that begins at an edge and ends where the support does: at distance d from the edge the
// share (exp(-d / scale) - e) / (1 - e) of its mass lies beyond, e = exp(-length / scale).
class ExponentialTail {
 public:
  // length: from the edge to the end of the support; infinite where there is none, 0 for no tail
  ExponentialTail(double mass, double scale, double length)
      : mass_(length > 0 ? mass : 0),
        scale_(scale),
        length_(length),
        end_(std::exp(-length / scale)),
        log_height_(std::log(mass_) - std::log(scale) - std::log(-std::expm1(-length / scale))) {}

  double mass() const { return mass_; }

  // The mass at distances of at least d.
  double beyond(double d) const {
    if (mass_ == 0 || d >= length_) return 0;
    return mass_ * std::exp(-d / scale_) * (std::expm1((d - length_) / scale_) / std::expm1(-length_ / scale_));
  }

  // The distance beyond which there is this much mass.
  double distance(double mass) const {
    return mass_ == 0 ? 0 : -scale_ * std::log(mass / mass_ * (1 - end_) + end_);
  }

  double log_pdf(double d) const {
    return mass_ == 0 ? -std::numeric_limits<double>::infinity() : log_height_ - d / scale_;
  }

 private:
  double mass_, scale_, length_, end_, log_height_;
};

}  // namespace sklar
