#pragma once

#include <stdint.h>

namespace sklar {

inline constexpr double kPi = 3.14159265358979323846;

// Which random numbers, beyond its standard normal, are one coordinate's of a path.
struct PathDraw {
  uint64_t seed = 0, row = 0, step = 0;
  uint32_t column = 0;
};

}  // namespace sklar
