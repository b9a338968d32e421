#pragma once

#include "integrate/steps/options.hpp"

// Clocks of solvers (docs/mathematics.md, A.7). Times of the ou process are angles (process/ou.h); on the
// cube the clock is the time.
namespace sklar {

// Time in which the stochastic process runs, growing with the noise.
double forward_time(Process process, double time);

double to_clock(Clock clock, double time);
double from_clock(Clock clock, double x);
Form form_of(Clock clock);

}  // namespace sklar
