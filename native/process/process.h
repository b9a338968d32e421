#pragma once

// The processes by which dependence is forgotten (docs/mathematics.md, section 1), a file each, and what a
// process has. Processes know neither head nor solver. Host and device.
//
// clang-format off
//   name                         for people
//   on_cube                      states are rows on the copula scale: solvers fold them at its faces, and turn velocities
//                                round there; else they are rows on the Gaussian scale, whitened
//   has_noise                    its stochastic solvers are known
//   learned_in_kernels           kernels of whole training steps draw its paths
//   last_time                    the end of its times, 0 being data
//   learned                      the form of the field along its paths, which a velocity head learns
//   time_tag, noise_tag          its streams of random numbers (core/random/philox.h), for times and noise of training paths
//   noise, time_of_noise         the scale of what was added until a time, and back
//   forward_time                 the time in which the process runs
//   over_slope                   a form over the slope: grad F on the cube, times D(u) where D is not constant; else G / (2 w)
//   slope_unit                   what a bounded gradient makes of the slope, times 1 / noise
//   path                         state and velocity at a time, from the start and a standard normal
//   time_features                two numbers by which a network tells times of little dependence apart
//   face, face_slope             what the field vanishes with at the faces of the cube
//   loss_weight                  of squared velocities in the rate at which dependence is lost, and in the bound of D.3
//   bound_power                  the bound draws noises whose power 1 / bound_power is uniform
// clang-format on

#include "process/jacobi.h"
#include "process/ou.h"
#include "process/reflection.h"

namespace sklar {

enum class Process : int32_t { ou, reflection, jacobi };
inline constexpr Process all_processes[] = {Process::ou, Process::reflection, Process::jacobi};

// body(P{}), P the process. A process that is left out here does not compile.
template <class Body>
SKLAR_HD_INLINE auto with_process(Process process, Body&& body) {
  switch (process) {
    case Process::ou:
      return body(OuProcess{});
    case Process::reflection:
      return body(ReflectionProcess{});
    case Process::jacobi:
      return body(JacobiProcess{});
  }
  __builtin_unreachable();
}

// The same of those that are learned in kernels of whole training steps.
template <class Body>
SKLAR_HD_INLINE auto with_process_of_kernels(Process process, Body&& body) {
  return with_process(process, [&](auto p) {
    if constexpr (decltype(p)::learned_in_kernels)
      return body(p);
    else
      __builtin_unreachable();
  });
}

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
