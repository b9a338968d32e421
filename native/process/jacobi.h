#pragma once

// The Jacobi process dU = (1 - 2 U) dtau + sqrt(2 U (1 - U)) dB at tau = t^2, whose modes are shifted
// Legendre polynomials of rates k (k + 1) (docs/mathematics.md, section 1 and B.5). Host and device.
//
// U = (1 - cos of the colatitude) / 2 of Brownian motion on the sphere, so a path is a turn by a random angle
// in a random direction, and the velocity is that of the heat on the sphere, looked at along the axis. The
// angle is that of a mixture: with m the number of lineages that a coalescent, whose k lineages become k - 1
// at the rate k (k + 1), has at tau, cos^2 of half the angle is V^(1 / (m + 1)), V uniform (Griffiths and
// Spano, 2010; Mijatovic, Mramor and Uribe, 2020).

#include <math.h>
#include <stddef.h>

#include "core/random/philox.h"
#include "process/draw.h"
#include "process/form.h"

namespace sklar {

namespace jacobi {

// The time at which m = y - 1 lineages are left, at the quantile of the standard normal z: the sum of
// independent exponentials of rates k (k + 1), k > m, by Cornish and Fisher from its cumulants. For y >= 33 a
// mode of order n is damped as it should be to 1e-6 of itself (test/native/jacobi_test.cpp).
SKLAR_HD_INLINE double time_of_lineages(double y, double z) {
  const double x = 1 / (y * y), root = sqrt(y);
  // sums of (k (k + 1))^-r over k > m, times y^(2 r - 1)
  const double s2 = 1 / 3.0 - x / 15 + x * x / 21, s3 = 1 / 5.0 - x / 7, s4 = 1 / 7.0 - 2 * x / 9,
               s5 = 1 / 9.0;
  const double deviation = sqrt(s2);
  const double g1 = 2 * s3 / (s2 * deviation) / root, g2 = 6 * s4 / (s2 * s2) / y,
               g3 = 24 * s5 / (s2 * s2 * deviation) / (y * root);
  const double z2 = z * z, z3 = z2 * z, z4 = z2 * z2;
  const double w = z + g1 * (z2 - 1) / 6 + g2 * (z3 - 3 * z) / 24 - g1 * g1 * (2 * z3 - 5 * z) / 36 +
                   g3 * (z4 - 6 * z2 + 3) / 120 - g1 * g2 * (z4 - 5 * z2 + 2) / 24 +
                   g1 * g1 * g1 * (12 * z4 - 53 * z2 + 17) / 324;
  return (1 + deviation * w / root) / y;
}

inline constexpr uint32_t few_lineages = 32;

// How many are left at tau; `z` standard normal, and an exponential for each of the last few, from block 1 of
// the draw on.
SKLAR_HD_INLINE double lineages(double tau, double z, const PhiloxKey& key, const PathDraw& draw,
                                uint32_t tag) {
  double time = time_of_lineages(few_lineages + 1, z);
  if (time > tau) {
    // the least y of a time up to tau: secants in 1 / y, in which the time is all but linear
    double a = 1.0 / (few_lineages + 1), b = tau, at_a = time, at_b = time_of_lineages(1 / b, z);
    SKLAR_ROLLED
    for (int i = 0; i < 20 && fabs(at_b - tau) > 1e-12 * tau && at_a != at_b; ++i) {
      double next = b - (at_b - tau) * (b - a) / (at_b - at_a);
      if (!(next > 0)) next = b / 2;
      a = b;
      at_a = at_b;
      b = fmin(next, 1.0 / few_lineages);
      at_b = time_of_lineages(1 / b, z);
    }
    return fmax(ceil(1 / b - 1e-9), few_lineages + 1.0) - 1;
  }
  PhiloxBlock random{};
  SKLAR_ROLLED
  for (uint32_t k = few_lineages; k > 0; --k) {
    const uint32_t i = few_lineages - k;
    if (i % 4 == 0)
      random = philox(philox_counter(draw.row, draw.column * 16 + 1 + i / 4, draw.step, tag), key);
    const uint32_t word = i % 4 == 0 ? random.x : i % 4 == 1 ? random.y : i % 4 == 2 ? random.z : random.w;
    time -= log(static_cast<double>(philox_uniform(word))) / (k * (k + 1.0));
    if (time > tau) return k;
  }
  return 0;
}

}  // namespace jacobi

struct JacobiProcess {
  static constexpr const char* name = "jacobi";
  static constexpr bool on_cube = true;
  static constexpr bool has_noise = false;  // its diffusion depends on the state: no solver here draws it
  static constexpr bool learned_in_kernels = false;  // paths take too many registers beside a network
  static constexpr double last_time = HUGE_VAL;
  static constexpr Form learned = Form::velocity;
  static constexpr uint32_t time_tag = kTagJacobiTime, noise_tag = kTagJacobiNoise;

  SKLAR_HD double noise(double time) { return time; }
  SKLAR_HD double time_of_noise(double noise) { return noise; }
  SKLAR_HD double forward_time(double time) { return time * time; }

  // v = -2 t D grad F, D = u (1 - u)
  SKLAR_HD double over_slope(Form, double time) { return -2 * time; }
  static constexpr double slope_unit = 2;

  template <class T>
  SKLAR_HD_INLINE static void path(double time, T start, T noise, const PathDraw& draw, T* state,
                                   T* velocity) {
    const PhiloxKey key = philox_key(draw.seed);
    const double m = jacobi::lineages(time * time, static_cast<double>(noise), key, draw, kTagJacobiPath);
    const PhiloxBlock random =
        philox(philox_counter(draw.row, draw.column * 16, draw.step, kTagJacobiPath), key);
    const double half =
        -expm1(log(static_cast<double>(philox_uniform(random.x))) / (m + 1));  // sin^2 of half
    const double turn = cos(2 * kPi * static_cast<double>(philox_uniform(random.y)));
    const double u = static_cast<double>(start), axis = 1 - 2 * u, across = 2 * sqrt(u * (1 - u)) * turn;
    const double c = 1 - 2 * half, s = 2 * sqrt(half * (1 - half));
    const double to = 0.5 * (1 - (c * axis + s * across));
    *state = static_cast<T>(fmin(fmax(to, 0.0), 1.0));
    *velocity = static_cast<T>(time * m * sqrt(half / (1 - half)) * (s * axis - c * across));
  }

  SKLAR_HD void time_features(double time, double* out) {
    out[0] = time;
    out[1] = exp(-4 * time * time);
  }
  SKLAR_HD double face(double u) { return 4 * u * (1 - u); }
  SKLAR_HD double face_slope(double u) { return 4 - 8 * u; }
  // 1 / (2 D): the rate at which dependence is lost weighs velocities so (section 1, property 5)
  SKLAR_HD double loss_weight(double u) { return 0.5 / fmax(u * (1 - u), 1e-30); }
  static constexpr int bound_power = 2;
};

}  // namespace sklar
