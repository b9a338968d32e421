#pragma once

#include <cstdint>
#include <span>

#include "backend/operations/velocity_operations.h"

// A trajectory as one operation: a table of steps that are linear in the state and in values of a field, and
// what a device must know of the field to evaluate it by itself.
namespace sklar {

// One evaluation of the field f at the state z and a move: k = kept_state z + kept_field f(z, time), then
// z <- state z + now k + before (the k of the step before this one) + noise xi. Where the field is that of
// the reflection process it is continued beyond the faces: it takes z folded and turns round its sign.
struct LinearStep {
  double time = 0;
  Form form = Form::gradient;
  double kept_state = 0, kept_field = 1;
  double state = 1, now = 0, before = 0;
  double noise = 0;
  std::uint64_t draw = 0;  // xi: standard normals drawn for (row, draw) under `tag`
  std::uint32_t tag = 0;
  bool whole =
      true;  // z is a state of the trajectory again: one of the reflection process is folded, k turned round
  // Not 0: rows that are not finite by now are marked with it and held at their last good state, as by
  // Backend::keep_finite.
  std::int32_t mark = 0;
};

// How the output of a network becomes a field.
template <class T>
struct FusedField : FusedNetwork<T> {
  enum class Head {
    levels,    // a classifier of noise levels: the adjoint of a mixture (process/level_interpolation.h)
    velocity,  // heads/velocity.h
  };
  Head head = Head::levels;
  std::span<const double> w;  // levels: of each, host memory
  const T* slope =
      nullptr;  // levels: of the field at the last one, dim x dim, backend memory; null: not known
  VelocityHead velocity{};  // velocity
};

// z (dim columns) goes through all steps.
template <class T>
struct TrajectoryProgram {
  FusedField<T> field;
  std::span<const LinearStep> steps;  // host memory
  MatrixView<T> z;
  bool reflected = false;
  std::uint64_t seed = 0, first_row = 0;
  std::int32_t* failed = nullptr;  // as in Backend::keep_finite, one for each row
};

}  // namespace sklar
