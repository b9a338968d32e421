// What a step begins with, in one launch, and activations as squares. Plain C++; conventions as in
// elementwise.h.
#pragma once

#include "backend/operations/classifier_operations.h"
#include "linear.h"
#include "squares.h"

namespace sklar::cuda {

/// A factor of products, from w (w_stride elements a row) or w^T.
struct PackJob {
  const float* w;
  size_t w_stride, inner, columns;
  bool transposed;
  float* b = nullptr;  // in float32, rows of b_stride elements, zero from `columns` to `width`; or
  size_t b_stride = 0, width = 0;
  uint16_t* halves = nullptr;  // squares, in so many parts
  unsigned parts = 0;
};
constexpr size_t most_packs = 32;  // of one launch

/// What a step begins with: factors are packed; maps merged (null: none); the batch drawn (null: none), with
/// e_level - e_last in the rows of `cotangent`. None of them reads what another writes.
int launch_begin(const PackJob* jobs, size_t count, bool bf16, const MergeLinear* merge,
                 const BatchDraw<float>* draw, MatrixView<float> cotangent, void* stream);

/// Plain values as squares: so many rows, all columns up to whole squares.
int launch_round(MatrixView<const float> from, uint16_t* to, unsigned parts, bool bf16, unsigned* saturated,
                 void* stream);

}  // namespace sklar::cuda
