#pragma once

// Velocity heads element by element, for host and device: what a network reads of a state and a time, and how
// its output becomes the velocity (docs/mathematics.md, B.2 and C).

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fold.h"
#include "core/host_device.h"
#include "process/form.h"

namespace sklar {

inline constexpr uint32_t velocity_time_features = 11;
inline constexpr double velocity_pi = 3.14159265358979323846;

enum class VelocityKind : int32_t {
  trigonometric,         // z_theta = cos(theta) z_0 + sin(theta) noise
  reflection,            // u_t = fold(u_0 + t V), velocity zero on the faces
  reflection_published,  // the same process; state and time are read as they are, the output is the velocity
};

struct VelocityHead {
  VelocityKind kind;
  uint32_t dim;
  uint32_t frequencies;  // reflection: of each coordinate the network reads cos(pi k u), k = 1..frequencies
};

// What the network reads of one coordinate: cosines, whose slope vanishes on the faces; else the coordinate
// itself.
SKLAR_HD_INLINE uint32_t velocity_lift_size(const VelocityHead& head) {
  return head.kind == VelocityKind::reflection ? head.frequencies : 1;
}
// out[k * stride], k below velocity_lift_size
template <class T>
SKLAR_HD_INLINE void velocity_lift(const VelocityHead& head, double y, T* out, size_t stride) {
  if (head.kind != VelocityKind::reflection) {
    *out = static_cast<T>(y);
    return;
  }
  const double c = cos(velocity_pi * y);
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
  if (head.kind != VelocityKind::reflection) return static_cast<double>(*adjoint);
  double sum = 0;
  for (uint32_t k = 0; k < head.frequencies; ++k) {
    const double frequency = velocity_pi * (k + 1);
    sum -= static_cast<double>(adjoint[k * stride]) * frequency * sin(frequency * y);
  }
  return sum;
}
SKLAR_HD_INLINE uint32_t velocity_state_features(const VelocityHead& head) {
  return head.dim * velocity_lift_size(head);
}
SKLAR_HD_INLINE uint32_t velocity_inputs(const VelocityHead& head) {
  return velocity_state_features(head) +
         (head.kind == VelocityKind::reflection_published ? 1 : velocity_time_features);
}

// Features of a time. The scale on which a field changes is the logarithm of the noise.
SKLAR_HD_INLINE void velocity_time(const VelocityHead& head, double time, double* out) {
  if (head.kind == VelocityKind::reflection_published) {
    out[0] = time;
    return;
  }
  double noise;
  if (head.kind == VelocityKind::trigonometric) {
    out[0] = sin(time);
    out[1] = cos(time);
    noise = out[0];
  } else {
    out[0] = 2 * time;
    out[1] = exp(-velocity_pi * velocity_pi * time * time);
    noise = time;
  }
  const double level = log(noise + 1e-3) / 3.5;  // -2 to 0 or so
  out[2] = level + 1;
  for (int k = 1; k <= 4; ++k) {
    out[1 + 2 * k] = sin(0.5 * velocity_pi * k * level);
    out[2 + 2 * k] = cos(0.5 * velocity_pi * k * level);
  }
}

// The form in which a head has learned its field: the velocity along its path.
SKLAR_HD_INLINE Form velocity_form(const VelocityHead& head) {
  return head.kind == VelocityKind::trigonometric ? Form::slope_theta : Form::velocity;
}

// A form of the field is this times the network's output (times sin(pi u) for the reflection); the others
// follow from the velocity. It vanishes where the exact field does: at data, as fast as one of a bounded
// gradient, and at the reference; every form is finite at both ends.
SKLAR_HD_INLINE double velocity_scale(const VelocityHead& head, Form form, double time) {
  constexpr double floor = 0.02;  // noise below which the gradient is taken to be bounded
  if (head.kind == VelocityKind::reflection_published) return 1;
  if (form == Form::velocity) return time / sqrt(time * time + floor * floor);
  const double s = sin(time), c = time >= 0.5 * velocity_pi ? 0 : cos(time);
  const double noise = sqrt(s * s + floor * floor);
  if (form == Form::slope_theta) return s * c / noise;
  if (form == Form::slope_alpha) return -c / noise;
  if (form == Form::slope_w) return -0.5 / noise;
  return -c * c / noise;
}

// What the reflection's output is multiplied by, and its derivative; 1 and 0 for the others.
SKLAR_HD_INLINE double velocity_boundary(const VelocityHead& head, double u) {
  return head.kind == VelocityKind::reflection ? sin(velocity_pi * u) : 1;
}
SKLAR_HD_INLINE double velocity_boundary_slope(const VelocityHead& head, double u) {
  return head.kind == VelocityKind::reflection ? velocity_pi * cos(velocity_pi * u) : 0;
}

// One coordinate of a path: the state at `time` and its velocity, from the start and the noise.
template <class T>
SKLAR_HD_INLINE void velocity_path(const VelocityHead& head, double time, T start, T noise, T* state,
                                   T* velocity) {
  if (head.kind == VelocityKind::trigonometric) {
    const T c = static_cast<T>(cos(time)), s = static_cast<T>(sin(time));
    *state = c * start + s * noise;
    *velocity = c * noise - s * start;
    return;
  }
  const double y = static_cast<double>(start) + time * static_cast<double>(noise);
  *state = static_cast<T>(fold(y));
  *velocity = static_cast<T>(fold_sign(y)) * noise;
}

}  // namespace sklar
