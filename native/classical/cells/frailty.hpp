#pragma once

#include <cstdint>

#include "core/random/philox.h"
#include "special/positive.hpp"

namespace sklar {

// Uniform to 53 bits on midpoints, never 0 or 1.
inline Unit uniform53(std::uint32_t high, std::uint32_t low) {
  const double k = static_cast<double>((static_cast<std::uint64_t>(high) << 21) | (low >> 11));
  return {(k + 0.5) * 0x1p-53, (9007199254740991.0 - k + 0.5) * 0x1p-53};
}

// The frailties V of Archimedean copulas (Hofert 2008), as log V: draws of one row, as many as they
// need.
class RowDraws {
 public:
  RowDraws(std::uint64_t seed, std::uint64_t row) : key_(philox_key(seed)), row_(row) {}

  double log_gamma(double shape);        // Gamma(shape, 1): Marsaglia and Tsang (2000)
  double log_stable(double alpha);       // Laplace transform exp(-s^alpha): Kanter (1975)
  double log_logarithmic(double theta);  // P(k) ~ (1 - e^-theta)^k / k: Kemp (1981)
  double log_sibuya(double alpha);     // P(> k) = Gamma(k + 1 - alpha) / (k! Gamma(1 - alpha)): Hofert (2011)
  double log_geometric(double theta);  // P(k) = (1 - theta) theta^(k - 1), k >= 1

 private:
  Unit next();

  PhiloxKey key_;
  std::uint64_t row_;
  std::uint32_t taken_ = 0;
  PhiloxBlock bits_{};
};

}  // namespace sklar
