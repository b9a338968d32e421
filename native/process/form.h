#pragma once

namespace sklar {

// Everything is F = log c_t written as a field; the forms differ by a factor that depends on time alone.
//   ou, time = theta in [0, pi/2], alpha = cos theta = e^-t, w = alpha^2, theta = 0 at data:
//     gradient     G = grad_z F                         (0 at the reference)
//     slope_w      dz/dw     =  G / (2 w)               (bounded at the reference: (R - I) z / 2)
//     slope_alpha  dz/dalpha =  G / alpha
//     slope_theta  dz/dtheta = -tan(theta) G            (0 at both ends of an exact field)
//   reflection, time = t >= 0, t = 0 at data:
//     velocity     v = E[V | u_t] = -t grad_u F
enum class Form { gradient, slope_w, slope_alpha, slope_theta, velocity };

}  // namespace sklar
