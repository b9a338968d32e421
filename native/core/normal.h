#pragma once

// The standard normal distribution on host and device: cdf, quantile, log cdf, in double precision (callers
// in single precision round the result, which is then correct to the last place).

#include <math.h>

#include "core/host_device.h"

namespace sklar {

inline constexpr double sqrt_half = 0.70710678118654752440;
inline constexpr double half_log_two_pi = 0.91893853320467274178;

// P(Z <= x). Relative error below 5e-16 in both tails until underflow near -38.
SKLAR_HD_INLINE double normal_cdf(double x) {
  const double y = -x * sqrt_half;
  double e = erfc(y);
  if (y > 1 && e > 0) {
    // erfc magnifies the rounding of y by 2 y^2: put the lost part of -x/sqrt(2) back
    const double low = -4.8336466567264567e-17;  // sqrt(1/2) - sqrt_half
    const double lost = fma(-x, sqrt_half, -y) - x * low;
    e -= 1.1283791670955126 * exp(-y * y) * lost;
  }
  return 0.5 * e;
}

// log P(Z <= x) without underflow or cancellation.
SKLAR_HD_INLINE double log_normal_cdf(double x) {
  if (x > 0) return log1p(-normal_cdf(-x));
  if (x > -36) return log(normal_cdf(x));
  const double r = 1 / (x * x);
  const double tail = r * (-1 + r * (3 + r * (-15 + r * (105 + r * (-945 + r * 10395)))));
  return -0.5 * x * x - log(-x) - half_log_two_pi + log1p(tail);
}

// x with P(Z <= x) = p; -inf and inf at 0 and 1, NaN outside. Wichura (1988), algorithm AS 241, then one
// Newton step in the tails, where the last bits count.
SKLAR_HD_INLINE double normal_quantile(double p) {
  const double q = p - 0.5;
  if (fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q *
           (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r + 6.7265770927008700853e4) * r +
                4.5921953931549871457e4) *
                   r +
               1.3731693765509461125e4) *
                  r +
              1.9715909503065514427e3) *
                 r +
             1.3314166789178437745e2) *
                r +
            3.3871328727963666080e0) /
           (((((((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r + 3.9307895800092710610e4) * r +
                2.1213794301586595867e4) *
                   r +
               5.3941960214247511077e3) *
                  r +
              6.8718700749205790830e2) *
                 r +
             4.2313330701600911252e1) *
                r +
            1.0);
  }
  const double tail = q < 0 ? p : 1 - p;
  if (!(tail > 0)) return tail == 0 ? (q < 0 ? -HUGE_VAL : HUGE_VAL) : NAN;
  double r = sqrt(-log(tail)), x;
  if (r <= 5) {
    r -= 1.6;
    x = (((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) *
                 r +
             1.27045825245236838258e0) *
                r +
            3.64784832476320460504e0) *
               r +
           5.76949722146069140550e0) *
              r +
          4.63033784615654529590e0) *
             r +
         1.42343711074968357734e0) /
        (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) *
                 r +
             1.48103976427480074590e-1) *
                r +
            6.89767334985100004550e-1) *
               r +
           1.67638483018380384940e0) *
              r +
          2.05319162663775882187e0) *
             r +
         1.0);
  } else {
    r -= 5;
    x = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) *
                 r +
             2.65321895265761230930e-2) *
                r +
            2.96560571828504891230e-1) *
               r +
           1.78482653991729133580e0) *
              r +
          5.46378491116411436990e0) *
             r +
         6.65790464350110377720e0) /
        (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) *
                 r +
             7.86869131145613259100e-4) *
                r +
            1.48753612908506148525e-2) *
               r +
           1.36929880922735805310e-1) *
              r +
          5.99832206555887937690e-1) *
             r +
         1.0);
  }
  // x is the upper quantile; one step on log P, whose curvature is mild in the tail
  const double cdf = normal_cdf(-x);
  if (cdf > 0) {
    const double step = log(cdf / tail) * cdf / exp(-0.5 * x * x - half_log_two_pi);
    if (fabs(step) < 1e-6) x += step;
  }
  return q < 0 ? -x : x;
}

}  // namespace sklar
