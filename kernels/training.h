// The operations of a training step that are not matrix products. Plain C++; conventions as in elementwise.h.
#pragma once

#include "backend/operations/adam.h"
#include "backend/operations/classifier_operations.h"
#include "backend/operations/velocity_operations.h"

namespace sklar::cuda {

/// Elements from one share of the gradient of so many parameters to the next.
SKLAR_HD_INLINE constexpr size_t share_stride(size_t parameters) { return (parameters + 3) / 4 * 4; }

/// Of the warps of a batch that hold the same row each writes the same.
int launch_draw_tied(const TiedDraw<float>& levels, void* stream);
/// Losses of the rows: their sums are a launch of their own, or a part of launch_gradient_norm.
int launch_classifier_loss(const ClassifierLoss<float>& loss, void* stream);

/// Sums of `parts` losses a row, `rows` of each model.
int launch_loss_sums(const double* losses, size_t rows, int parts, const TrainedModel<float>* models,
                     size_t model_count, void* stream);

struct LossSums {
  const double* losses = nullptr;  // null: none
  size_t rows = 0;
  int parts = 0;
  TrainState* state = nullptr;
};
int launch_merged_gradient(const MergedGradient<float>& gradient, void* stream);

/// Of each model: the scalars of its step, and the end of it. partials: norm_partials doubles each;
/// blocks_done, one each, is zero before and after. losses, merged (null: none): of the only model, whose
/// gradient begins with what merged has still to make.
size_t norm_partials(size_t count, const MergedGradient<float>* merged);
int launch_gradient_norm(const AdamUpdate<float>* updates, size_t model_count, size_t count, double* partials,
                         const MergedGradient<float>* merged, const LossSums& losses,
                         AdamScalars<float>* scalars, unsigned* blocks_done, void* stream);

/// The second kernel of narrow_train.h, for each of `model_count` models: gradients of its `members` networks
/// of `count` parameters from `blocks` shares each, the sums of `parts` losses of each block, and partial
/// sums of the squared norm of everything, share_norm_partials(count, members) doubles.
size_t share_norm_partials(size_t count, size_t members);
int launch_share_sums(const float* shares, size_t blocks, size_t members, const TrainedModel<float>* models,
                      size_t model_count, size_t count, const double* losses, int parts, double* partials,
                      void* stream);

/// scalars: one of each model, from launch_gradient_norm. Null: they come from partial_count partial sums of
/// the squared norm of each, and the step ends here; blocks_done as there.
int launch_adam(const AdamUpdate<float>* updates, size_t model_count, size_t count,
                const AdamScalars<float>* scalars, const double* partials, size_t partial_count,
                unsigned* blocks_done, void* stream);

int launch_draw_velocity(const VelocityDraw<float>& draw, void* stream);
int launch_velocity_features(const VelocityHead& head, MatrixView<const float> y, const double* time,
                             MatrixView<float> x, void* stream);
int launch_velocity_loss(const VelocityLoss<float>& loss, void* stream);
int launch_velocity_output(const VelocityForm& form, MatrixView<const float> y, const double* time,
                           MatrixView<const float> n, MatrixView<float> out, void* stream);
int launch_velocity_cotangent(const VelocityHead& head, MatrixView<const float> y,
                              MatrixView<const float> direction, MatrixView<float> e, void* stream);
int launch_velocity_product(const VelocityForm& form, MatrixView<const float> y, const double* time,
                            MatrixView<const float> n, MatrixView<const float> x_adjoint,
                            MatrixView<const float> direction, MatrixView<float> product, void* stream);
int launch_velocity_diagonal(const VelocityForm& form, MatrixView<const float> y, const double* time,
                             MatrixView<const float> n, MatrixView<const float> x_adjoint, size_t column,
                             double* sum, void* stream);

}  // namespace sklar::cuda
