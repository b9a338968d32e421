// A training step of a narrow network up to its gradient (Backend::classifier_step, velocity_step) in two
// kernels. A block takes 16 rows through the draw, the passes, the loss and their share of every weight
// gradient; the second kernel (share_sums of training.h) adds the shares. Plain C++; conventions as in
// elementwise.h. Compute capability 8.0 and later.
#pragma once

#include "backend/operations/classifier_operations.h"
#include "backend/operations/velocity_operations.h"
#include "narrow/narrow_widths.h"
#include "training.h"

namespace sklar::cuda {

constexpr uint32_t train_rows = 16;  // of a block

/// Where the parts of a network's parameters begin.
struct TrainParameters {
  uint32_t input_bias, blocks, stage, head, count;  // stage: from matrix to matrix of the blocks
  explicit SKLAR_HD_INLINE TrainParameters(const FusedNetwork<float>& n) {
    const uint32_t width = static_cast<uint32_t>(n.hidden);
    input_bias = static_cast<uint32_t>(n.inputs) * width;
    blocks = input_bias + width;
    stage = width * (width + 1);
    head = blocks + 2 * static_cast<uint32_t>(n.depth) * stage;
    count = head + static_cast<uint32_t>(n.outputs) * (width + 1);
  }
};

/// Where things lie in shared memory, in bytes. Fp16: weights, operands of products. Float32: derivatives of
/// activations, 16 rows as wide as the network, biases, input projection, head.
struct TrainLayout {
  uint32_t operands, slopes, wide, biases, input, head, end;
  uint32_t wide_pitch;   // in elements, as all pitches: the rows of a warp lie in different banks
  uint32_t slope_count;  // floats

  SKLAR_HD_INLINE static constexpr uint32_t block_operands(bool second_order) { return second_order ? 6 : 2; }
  SKLAR_HD_INLINE static constexpr uint32_t slope_kinds(bool relu, bool second_order) {
    return second_order ? (relu ? 3 : 4) : 2;
  }

  SKLAR_HD_INLINE TrainLayout(const FusedNetwork<float>& n, bool second_order, bool shared_slopes) {
    const uint32_t f = sizeof(float), r = train_rows, inputs = static_cast<uint32_t>(n.inputs),
                   width = static_cast<uint32_t>(n.hidden), depth = static_cast<uint32_t>(n.depth);
    wide_pitch = width + 4;
    slope_count = slope_kinds(n.relu, second_order) * depth * r * width;
    operands = 2 * depth * width * (width + 8) * 2;
    slopes = operands + (block_operands(second_order) * depth + 2) * r * (width + 8) * 2;
    wide = slopes + (shared_slopes ? slope_count * f : 0);
    biases = wide + (second_order ? 3 : 1) * r * wide_pitch * f;
    input = biases + (2 * depth + 1) * width * f;
    head = input + inputs * width * f;
    end = head + static_cast<uint32_t>(n.outputs) * (width + 1) * f;
  }
};

/// A classifier's own, in float32 as well: 16 rows of several states and of logits.
struct ClassifierLayout : TrainLayout {
  uint32_t states, logits, losses, starts, levels, bytes;
  uint32_t state_pitch, level_pitch;

  static constexpr uint32_t states_kept = 5, logits_kept = 3;

  SKLAR_HD_INLINE ClassifierLayout(const FusedNetwork<float>& n, bool shared_slopes)
      : TrainLayout(n, true, shared_slopes) {
    const uint32_t f = sizeof(float), r = train_rows, dim = static_cast<uint32_t>(n.inputs);
    state_pitch = (dim + 1) | 1;
    level_pitch = static_cast<uint32_t>(n.outputs) | 1;
    states = end;
    logits = states + states_kept * r * state_pitch * f;
    losses = (logits + logits_kept * r * level_pitch * f + 7) / 8 * 8;
    starts = losses + 2 * r * static_cast<uint32_t>(sizeof(double));
    levels = starts + r * static_cast<uint32_t>(sizeof(uint64_t));
    bytes = levels + r * static_cast<uint32_t>(sizeof(int32_t));
  }
};

/// What a step of either kind is told. Blocks of a model stand beside each other, those of a member as well.
template <class Step>
struct TrainProgram {
  Step step;
  float* shares;   // of each block: a gradient, share_stride(parameters) elements
  double* losses;  // of each block: of a classifier cross entropy and squared error, of a velocity the latter
  float* slopes;   // of each block: TrainLayout::slope_count of them; null: in shared memory
  size_t model_count;
  TrainedModel<float> models[most_models];
};
using ClassifierTraining = TrainProgram<ClassifierStep<float>>;
using VelocityTraining = TrainProgram<VelocityStep<float>>;

/// A velocity head's own: 16 rows of several states and of what the network reads.
struct VelocityLayout : TrainLayout {
  uint32_t states, features, times, losses, starts, bytes;
  uint32_t state_pitch, feature_pitch;

  static constexpr uint32_t states_kept = 5;

  SKLAR_HD_INLINE VelocityLayout(const FusedNetwork<float>& n, bool shared_slopes)
      : TrainLayout(n, false, shared_slopes) {
    const uint32_t f = sizeof(float), r = train_rows;
    state_pitch = static_cast<uint32_t>(n.outputs) | 1;
    feature_pitch = (static_cast<uint32_t>(n.inputs) + 1) | 1;
    states = end;
    features = states + states_kept * r * state_pitch * f;
    times = (features + r * feature_pitch * f + 7) / 8 * 8;
    losses = times + r * static_cast<uint32_t>(sizeof(double));
    starts = losses + r * static_cast<uint32_t>(sizeof(double));
    bytes = starts + r * static_cast<uint32_t>(sizeof(uint64_t));
  }
};

/// three_products: float32-like products in the forward pass.
template <unsigned width>
int launch_classifier_training(const ClassifierTraining& program, bool three_products, void* stream);
template <unsigned width>
int launch_velocity_training(const VelocityTraining& program, bool three_products, void* stream);

}  // namespace sklar::cuda
