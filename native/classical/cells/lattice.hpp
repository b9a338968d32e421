#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "classical/cells/frailty.hpp"
#include "special/positive.hpp"

namespace sklar {

// A positive integral by its logarithm, with its relative standard error; 0 where it is exact.
struct LogEstimate {
  double log_value = 0, error = 0;
};

// Square roots of the first primes: the generators of Richtmyer.
inline std::vector<double> prime_roots(std::size_t count) {
  std::vector<double> roots;
  std::vector<std::uint32_t> primes;
  for (std::uint32_t k = 2; roots.size() < count; ++k) {
    bool prime = true;
    for (const std::uint32_t p : primes) {
      if (p * p > k) break;
      if (k % p == 0) prime = false;
    }
    if (!prime) continue;
    primes.push_back(k);
    const double root = std::sqrt(static_cast<double>(k));
    roots.push_back(root - std::floor(root));
  }
  return roots;
}

// Points of a randomised quasi-Monte Carlo rule: multiples of square roots of primes, folded, under twelve
// random shifts (Cranley and Patterson 1976; Genz 1992), from `key` alone. The number of points is doubled
// from 64 a shift (or `most`) until the relative standard error is at most `tolerance`, up to `most` a shift.
// log_weight(point) is the logarithm of the integrand, the point as many uniforms as there are roots.
template <class LogWeight>
LogEstimate integrate_lattice(const std::vector<double>& roots, std::uint64_t key, double tolerance,
                              std::size_t most, LogWeight&& log_weight) {
  constexpr std::size_t shifts = 12;
  const std::size_t dim = roots.size();
  std::vector<double> shift(shifts * dim), point(dim);
  for (std::size_t i = 0; i < shift.size(); i += 2) {
    const PhiloxBlock bits = philox(
        philox_counter(0, static_cast<std::uint32_t>(i / 2), 0, kTagClassicalLattice), philox_key(key));
    shift[i] = uniform53(bits.x, bits.y).p;
    if (i + 1 < shift.size()) shift[i + 1] = uniform53(bits.z, bits.w).p;
  }
  std::array<double, shifts> sum{};
  double top = -infinity;  // sums are in units of its exponential
  for (std::size_t done = 0, count = std::min(most, std::size_t{64});; count *= 2) {
    for (std::size_t s = 0; s < shifts; ++s)
      for (std::size_t k = done; k < count; ++k) {
        for (std::size_t j = 0; j < dim; ++j) {
          double x = static_cast<double>(k + 1) * roots[j] + shift[s * dim + j];
          x -= std::floor(x);
          point[j] = std::fmin(std::fmax(std::fabs(2 * x - 1), 0x1p-54), 1 - 0x1p-53);
        }
        const double value = log_weight(point.data());
        if (!(value > -infinity)) continue;
        if (value > top) {
          const double scale = std::exp(top - value);
          for (double& total : sum) total *= scale;
          top = value;
        }
        sum[s] += std::exp(value - top);
      }
    done = count;
    double mean = 0, square = 0;
    for (const double total : sum) mean += total / shifts;
    for (const double total : sum) square += (total - mean) * (total - mean);
    const double error = mean > 0 ? std::sqrt(square / (shifts * (shifts - 1.0))) / mean : 0;
    if (error <= tolerance || count >= most)
      return {top + std::log(mean / static_cast<double>(count)), error};
  }
}

// A key of numbers: the same numbers, the same key.
inline std::uint64_t key_of(const double* values, std::size_t count) {
  std::uint64_t key = 0x9e3779b97f4a7c15ULL;
  for (std::size_t i = 0; i < count; ++i) {
    key ^= __builtin_bit_cast(std::uint64_t, values[i] == 0 ? 0.0 : values[i]);
    key *= 0xff51afd7ed558ccdULL;
    key ^= key >> 32;
  }
  return key;
}

}  // namespace sklar
