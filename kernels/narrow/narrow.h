// Whole trajectories of narrow residual networks (backend/operations/trajectory.hpp) in one kernel: a warp
// takes 16 rows from the first step to the last, weights and what the adjoint needs stay in shared memory.
// Plain C++; conventions as in elementwise.h. Compute capability 8.0 and later.
#pragma once

#include "backend/operations/trajectory.hpp"
#include "narrow/narrow_widths.h"

namespace sklar::cuda {

/// A LinearStep as the kernel reads it, with what the field needs to know of its time.
struct NarrowStep {
  float kept_state, kept_field, state, now, before, noise;
  uint64_t draw;
  uint32_t tag;
  int32_t mark;
  bool whole;
  // The network's part of the field is `scale` times the adjoint of the logits near_weight (near - last) +
  // far_weight (far - last), or times the output; 0: the network is not needed.
  float scale;
  uint32_t near, far;
  float near_weight, far_weight;
  float reference;                        // weight of the known slope
  float feature[velocity_time_features];  // of the time
};

struct NarrowNetwork {
  const float* parameters;
  uint32_t inputs, depth, outputs;
  uint32_t dim;     // of the state
  uint32_t lifted;  // inputs that are read off the state; the others are features of the time
  const float* slope;
};

struct NarrowProgram {
  NarrowNetwork network;
  VelocityHead velocity;
  const NarrowStep* steps;
  uint32_t count;
  MatrixView<float> z;
  bool reflected;
  uint64_t seed, first_row;
  int32_t* failed;
  const uint32_t*
      low;  // what fp16 leaves of the weights, from launch_narrow_low; null: products in fp16 alone
  unsigned* saturated;  // as in linear.h
};

/// Where things lie in shared memory, in bytes. Of a block: fp16 weights, then in float32 biases, input
/// projection, head and slope. Of each warp: states, kept, last good and field, features, derivatives of the
/// activations.
struct NarrowLayout {
  uint32_t biases, input, head, slope, warps;
  uint32_t state_pitch, feature_pitch;  // in elements, odd: the rows of a warp lie in different banks
  uint32_t features, outer, inner, warp_bytes;

  SKLAR_HD_INLINE NarrowLayout(const NarrowNetwork& n, uint32_t width, bool levels, bool relu, bool lifts) {
    const uint32_t f = sizeof(float);
    biases = 2 * n.depth * width * (width + 8) * 2;
    input = biases + (2 * n.depth + 1) * width * f;
    head = input + n.inputs * width * f;
    slope = aligned(head + n.outputs * (width + 1) * f);
    warps = aligned(slope + (n.slope ? n.dim * n.dim * f : 0));
    state_pitch = n.dim | 1;
    feature_pitch = lifts ? n.lifted | 1 : state_pitch;
    features = 4 * 16 * state_pitch * f;
    outer = aligned(features + (lifts ? 16 * feature_pitch * f : 0));
    inner = outer + (levels ? n.depth * width * 32 : 0);
    warp_bytes = inner + (levels ? n.depth * (relu ? (width + 63) / 64 * 128 : width * 32) : 0);
  }
  SKLAR_HD_INLINE static constexpr uint32_t aligned(uint32_t bytes) { return (bytes + 15) / 16 * 16; }
  SKLAR_HD_INLINE uint32_t bytes(uint32_t count) const { return warps + count * warp_bytes; }
};

constexpr uint32_t narrow_warps = 8;  // of a block, at most
/// The operands of three products of a wider network do not fit the registers of a warp.
constexpr bool narrow_in_three(size_t width) { return width <= 64; }

/// 32-bit words of `low` for 2 depth matrices of width x width.
constexpr size_t narrow_low_words(size_t width, size_t depth) { return depth * width * width; }
int launch_narrow_low(uint32_t* low, const float* parameters, size_t width, size_t inputs, size_t depth,
                      void* stream);

/// warps of 16 rows a block.
template <unsigned width>
int launch_narrow(const NarrowProgram& program, bool levels, bool relu, uint32_t warps, void* stream);

}  // namespace sklar::cuda
