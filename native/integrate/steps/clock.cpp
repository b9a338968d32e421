#include "integrate/steps/clock.hpp"

#include <algorithm>
#include <cmath>

namespace sklar {

double forward_time(Process process, double time) {
  return with_process(process, [&](auto p) { return p.forward_time(time); });
}

double to_clock(Clock clock, double time) {
  switch (clock) {
    case Clock::w:
      return OuProcess::alpha(time) * OuProcess::alpha(time);
    case Clock::alpha:
      return OuProcess::alpha(time);
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
