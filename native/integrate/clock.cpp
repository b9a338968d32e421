#include "integrate/clock.hpp"

#include <algorithm>
#include <cmath>

namespace sklar {

double ou_alpha(double theta) { return theta >= reference_angle ? 0 : std::cos(theta); }

double ou_time(double theta) {
  if (theta >= reference_angle) return HUGE_VAL;
  const double sine = std::sin(theta);
  return sine < 0.7 ? -0.5 * std::log1p(-sine * sine) : -std::log(std::cos(theta));
}

double ou_angle(double time) {
  if (time == HUGE_VAL) return reference_angle;
  return std::atan2(std::sqrt(-std::expm1(-2 * time)), std::exp(-time));
}

double log_signal_to_noise(double theta) {
  if (theta >= reference_angle) return -HUGE_VAL;
  return -std::log(std::tan(theta));
}

double forward_time(Process process, double time) {
  return process == Process::reflection ? time * time : ou_time(time);
}

double to_clock(Clock clock, double time) {
  switch (clock) {
    case Clock::w:
      return ou_alpha(time) * ou_alpha(time);
    case Clock::alpha:
      return ou_alpha(time);
    case Clock::theta:
    case Clock::time:
      break;
  }
  return time;
}

double from_clock(Clock clock, double x) {
  switch (clock) {
    case Clock::w: {
      const double w = std::clamp(x, 0.0, 1.0);
      return std::atan2(std::sqrt(1 - w), std::sqrt(w));
    }
    case Clock::alpha: {
      const double alpha = std::clamp(x, 0.0, 1.0);
      return std::atan2(std::sqrt((1 - alpha) * (1 + alpha)), alpha);
    }
    case Clock::theta:
      return std::clamp(x, 0.0, reference_angle);
    case Clock::time:
      break;
  }
  return std::max(x, 0.0);
}

Form form_of(Clock clock) {
  switch (clock) {
    case Clock::w:
      return Form::slope_w;
    case Clock::alpha:
      return Form::slope_alpha;
    case Clock::theta:
      return Form::slope_theta;
    case Clock::time:
      break;
  }
  return Form::velocity;
}

}  // namespace sklar
