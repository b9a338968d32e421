#pragma once

// Velocity heads element by element, for host and device: what a network reads of a state and a time, and how
// its output n becomes the field of a process, v_j = scale(t) face(u_j) n_j (docs/mathematics.md, B.2 and C).
// Of a potential head n is the gradient of one output in the state (docs/mathematics.md, A.11).

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "process/process.h"

namespace sklar {

inline constexpr uint32_t velocity_time_features = 11;

struct VelocityHead {
  Process process;
  uint32_t dim;
  uint32_t frequencies;  // on the cube: of each coordinate the network reads cos(pi k u), k = 1..frequencies
  bool published;        // state and time are read as they are, the output is the velocity
  bool potential = false;
};

// Of the network.
SKLAR_HD_INLINE uint32_t velocity_outputs(const VelocityHead& head) { return head.potential ? 1 : head.dim; }

// Cosines, whose slope vanishes on the faces; else the network reads the coordinate itself.
SKLAR_HD_INLINE bool velocity_lifts(const VelocityHead& head) {
  return on_cube(head.process) && !head.published;
}

// Noise below which it does not tell times apart.
SKLAR_HD_INLINE double velocity_time_floor(const VelocityHead& head) { return head.potential ? 0.3 : 1e-3; }

// What the network reads of one coordinate.
SKLAR_HD_INLINE uint32_t velocity_lift_size(const VelocityHead& head) {
  return velocity_lifts(head) ? head.frequencies : 1;
}
// out[k * stride], k below velocity_lift_size
template <class T>
SKLAR_HD_INLINE void velocity_lift(const VelocityHead& head, double y, T* out, size_t stride) {
  if (!velocity_lifts(head)) {
    *out = static_cast<T>(y);
    return;
  }
  const double c = cos(kPi * y);
  double before = 1, now = c;
  for (uint32_t k = 0; k < head.frequencies; ++k) {
    out[k * stride] = static_cast<T>(now);
    const double next = 2 * c * now - before;
    before = now;
    now = next;
  }
}
// sum over k of adjoint[k * stride] d out_k / dy
template <class T>
SKLAR_HD_INLINE double velocity_lift_slope(const VelocityHead& head, double y, const T* adjoint,
                                           size_t stride) {
  if (!velocity_lifts(head)) return static_cast<double>(*adjoint);
  double sum = 0;
  for (uint32_t k = 0; k < head.frequencies; ++k) {
    const double frequency = kPi * (k + 1);
    sum -= static_cast<double>(adjoint[k * stride]) * frequency * sin(frequency * y);
  }
  return sum;
}
SKLAR_HD_INLINE uint32_t velocity_state_features(const VelocityHead& head) {
  return head.dim * velocity_lift_size(head);
}
SKLAR_HD_INLINE uint32_t velocity_inputs(const VelocityHead& head) {
  return velocity_state_features(head) + (head.published ? 1 : velocity_time_features);
}

// The scale on which a field changes is the logarithm of the noise: -2 to 0 or so.
SKLAR_HD_INLINE double velocity_level(const VelocityHead& head, double noise) {
  const double floor = velocity_time_floor(head);
  return log(head.potential ? sqrt(noise * noise + floor * floor) : noise + floor) / 3.5;
}

// Features of a time.
SKLAR_HD_INLINE void velocity_time(const VelocityHead& head, double time, double* out) {
  if (head.published) {
    out[0] = time;
    return;
  }
  const double noise = with_process(head.process, [&](auto p) {
    p.time_features(time, out);
    return p.noise(time);
  });
  const double level = velocity_level(head, noise);
  out[2] = level + 1;
  for (int k = 1; k <= 4; ++k) {
    out[1 + 2 * k] = sin(0.5 * kPi * k * level);
    out[2 + 2 * k] = cos(0.5 * kPi * k * level);
  }
}

// The form in which a head has learned its field: the velocity along the paths.
SKLAR_HD_INLINE Form velocity_form(const VelocityHead& head) {
  return with_process(head.process, [](auto p) { return decltype(p)::learned; });
}

// A form of the field is this times velocity_face, times the network's output. It vanishes where the exact
// field does: at data, as fast as one of a bounded gradient, and at the reference; every form is finite at
// both ends. A potential's gradient is bounded, F = w n.
SKLAR_HD_INLINE double velocity_scale(const VelocityHead& head, Form form, double time) {
  constexpr double floor = 0.02;  // noise below which the gradient is taken to be bounded
  if (head.published) return 1;
  return with_process(head.process, [&](auto p) {
    if (head.potential) return p.over_slope(form, time) / 2;
    const double noise = p.noise(time);
    return -p.over_slope(form, time) / (decltype(p)::slope_unit * sqrt(noise * noise + floor * floor));
  });
}

SKLAR_HD_INLINE double velocity_face(const VelocityHead& head, double u) {
  return head.published ? 1 : with_process(head.process, [&](auto p) { return p.face(u); });
}
SKLAR_HD_INLINE double velocity_face_slope(const VelocityHead& head, double u) {
  return head.published ? 0 : with_process(head.process, [&](auto p) { return p.face_slope(u); });
}

// A coordinate of the field over the network's output there; `scale` is velocity_scale.
SKLAR_HD_INLINE double velocity_factor(const VelocityHead& head, double scale, double u) {
  return scale * velocity_face(head, u);
}

// Of a squared error in the loss.
SKLAR_HD_INLINE double velocity_weight(const VelocityHead& head, double u) {
  return head.published ? 1 : with_process(head.process, [&](auto p) { return p.loss_weight(u); });
}

}  // namespace sklar
