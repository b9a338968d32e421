// Products that are thin: a factor of fewer than 32 rows or columns, a result of fewer than 32. Plain C++;
// conventions as in elementwise.h. In float32; activations may come in 16 bits.
#pragma once

#include "backend/operations/classifier_operations.h"
#include "linear.h"

namespace sklar::cuda {

constexpr size_t thin = 32;

struct ThinProduct {
  MatrixView<const float> x;
  Factor b;
  Finish finish;
};
constexpr size_t most_thin = 2;  // of one launch

/// x B, B of fewer than 32 rows as in launch_linear. Products of one launch have as many rows each.
int launch_thin_inner(const ThinProduct* products, size_t count, void* stream);

/// x B, B of fewer than 32 columns and transposed: rows of `b` are its columns, `stride` elements each. A
/// second product is added to the first, and both end in the first one's epilogue.
int launch_thin_columns(const ThinProduct* products, size_t count, void* stream);

/// The same, whose result (epilogue store) is the gradient that the loss of the same rows takes; then this
/// loss.
int launch_thin_columns_and_loss(const ThinProduct* products, size_t count, const ClassifierLoss<float>& loss,
                                 void* stream);

/// Results of fewer than 32 rows or columns, all in one launch. count <= most_products. bf16: 16 bits are
/// bf16.
int launch_thin_outer(const OuterProduct<float>* products, size_t count, bool bf16, void* stream);

}  // namespace sklar::cuda
