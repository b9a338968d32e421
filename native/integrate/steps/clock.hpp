#pragma once

#include "integrate/steps/options.hpp"

// Of the ou process: its times are angles (process/ou.h).
namespace sklar {

// Time in which the stochastic process runs, growing with the noise.
double forward_time(Process process, double time);

double to_clock(Clock clock, double time);
double from_clock(Clock clock, double x);
Form form_of(Clock clock);

}  // namespace sklar
