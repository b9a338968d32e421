#pragma once

#include "integrate/solver.hpp"

// Time of the ou process is the angle theta: alpha = cos theta = e^-t, sigma = sin theta, w = alpha^2.
namespace sklar {

inline constexpr double reference_angle = 1.5707963267948966;  // pure noise

double ou_alpha(double theta);             // exactly 0 at the reference
double ou_time(double theta);              // t = -log alpha, infinite at the reference
double ou_angle(double time);              // its inverse
double log_signal_to_noise(double theta);  // log(alpha / sigma)

// Time in which the stochastic process runs, growing with the noise: t of ou, t^2 of reflection.
double forward_time(Process process, double time);

double to_clock(Clock clock, double time);
double from_clock(Clock clock, double x);
Form form_of(Clock clock);

}  // namespace sklar
