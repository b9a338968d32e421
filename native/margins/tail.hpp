#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace sklar {

// An exponential tail that begins at an edge and ends where the support does: at distance d from the edge the
// share (exp(-d / scale) - e) / (1 - e) of its mass lies beyond, e = exp(-length / scale). Where the length
// is a small part of the scale 1 - e loses its digits, so it is within(length) / scale here, and e appears in
// no difference.
class ExponentialTail {
 public:
  // length: from the edge to the end of the support; infinite where there is none, 0 for no tail
  ExponentialTail(double mass, double scale, double length)
      : mass_(length > 0 ? mass : 0),
        scale_(scale),
        length_(length),
        whole_(within(length)),
        log_height_(std::log(mass_) - std::log(whole_)) {}

  double mass() const { return mass_; }
  double length() const { return length_; }

  // The mass at distances of at least d.
  double beyond(double d) const {
    if (mass_ == 0 || d >= length_) return 0;
    return mass_ * std::exp(-d / scale_) * (within(length_ - d) / whole_);
  }

  // The distance beyond which there is this much mass.
  double distance(double mass) const {
    if (mass_ == 0) return 0;
    const double share = mass / mass_, ratio = length_ / scale_;
    if (ratio > 1) {
      const double end = std::exp(-ratio);
      return std::min(length_, -scale_ * std::log(share * (1 - end) + end));
    }
    const double before = (1 - share) * (whole_ / scale_);
    return std::min(length_, before > tiny ? -scale_ * std::log1p(-before) : (1 - share) * whole_);
  }

  double log_pdf(double d) const {
    return mass_ == 0 ? -std::numeric_limits<double>::infinity() : log_height_ - d / scale_;
  }

 private:
  static constexpr double tiny = 1e-9;

  // The integral of exp(-t / scale) from 0 to d.
  double within(double d) const { return d / scale_ < tiny ? d : -std::expm1(-d / scale_) * scale_; }

  double mass_, scale_, length_, whole_, log_height_;
};

}  // namespace sklar
