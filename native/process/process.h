#pragma once

// The processes by which dependence is forgotten (docs/mathematics.md, section 1), a file each. A process has
//   on_cube             states are rows on the copula scale, reflected at its faces; else on the Gaussian
//   scale, whitened has_noise           its stochastic solvers are known learned_in_kernels  kernels of whole
//   training steps draw its paths last_time           the end of its times, 0 being data learned the form of
//   the field along its paths, which a velocity head learns noise, time_of_noise, forward_time   the scale of
//   what was added until a time; the time in which the process runs over_slope          a form over the
//   slope: grad F on the cube, times D(u) where D is not constant; G / (2 w) else slope_unit          what a
//   bounded gradient makes of the slope, times 1 / noise path                state and velocity at a time,
//   from the start and a standard normal time_features       two numbers by which a network tells times of
//   little dependence apart face, face_slope    what the field vanishes with at the faces of the cube
//   loss_weight         of squared velocities in the rate at which dependence is lost, and the bound of D.3
//   bound_power         the bound draws noises whose power 1 / bound_power is uniform
// and names its streams of random numbers. Processes know neither head nor solver. Host and device.

#include "process/jacobi.h"
#include "process/ou.h"
#include "process/reflection.h"

namespace sklar {

enum class Process : int32_t { ou, reflection, jacobi };
inline constexpr Process all_processes[] = {Process::ou, Process::reflection, Process::jacobi};

// body(P{}), P the process
template <class Body>
SKLAR_HD_INLINE auto with_process(Process process, Body&& body) {
  switch (process) {
    case Process::reflection:
      return body(ReflectionProcess{});
    case Process::jacobi:
      return body(JacobiProcess{});
    default:
      return body(OuProcess{});
  }
}

// The same for kernels of whole training steps.
template <class Body>
SKLAR_HD_INLINE auto with_process_of_kernels(Process process, Body&& body) {
  return process == Process::reflection ? body(ReflectionProcess{}) : body(OuProcess{});
}

// Its streams of random numbers, for the times and the noise of training paths.
SKLAR_HD_INLINE uint32_t time_tag(Process process) {
  return with_process(process, [](auto p) { return decltype(p)::time_tag; });
}
SKLAR_HD_INLINE uint32_t noise_tag(Process process) {
  return with_process(process, [](auto p) { return decltype(p)::noise_tag; });
}

SKLAR_HD_INLINE bool learned_in_kernels(Process process) {
  return with_process(process, [](auto p) { return decltype(p)::learned_in_kernels; });
}

SKLAR_HD_INLINE bool on_cube(Process process) {
  return with_process(process, [](auto p) { return decltype(p)::on_cube; });
}
SKLAR_HD_INLINE bool has_noise(Process process) {
  return with_process(process, [](auto p) { return decltype(p)::has_noise; });
}

}  // namespace sklar
