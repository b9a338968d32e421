// Matrix products with fused epilogues. Plain C++; conventions as in elementwise.h.
#pragma once

#include "backend/operations/operations.h"

namespace sklar::cuda {

/// The right factor of a product: inner x columns, row-major, rows of `stride` elements (a multiple of 4),
/// what lies beyond `columns` zero.
struct Factor {
  const float* b = nullptr;
  size_t inner = 0, columns = 0, stride = 0;
};
SKLAR_HD_INLINE constexpr size_t factor_stride(size_t columns) { return (columns + 3) / 4 * 4; }

/// An epilogue as kernels take it, for a product of so many columns.
struct Finish {
  EpilogueOperands<float> e;
  size_t columns = 0;
  unsigned* saturated = nullptr;  // counts finite values that were beyond the range of fp16
  bool bf16 = false;              // 16 bits are bf16
  bool kept = false;              // slopes come in 16 bits
  bool wide = false;              // rows of all plain values begin at 16 bytes
};

/// x B with an epilogue, in float32.
int launch_linear(MatrixView<const float> x, const Factor& b, const Finish& finish, void* stream);

/// See Backend::merge_linear.
struct MergeLinear {
  MatrixView<float> to;
  const float *w0 = nullptr, *b0 = nullptr, *w = nullptr, *b = nullptr;
};

constexpr size_t most_products = 16;  // of one launch: they travel as arguments of the kernel, 4 KiB at most

/// Shape of what launch_outer does, a function of the shapes of the products alone.
struct OuterPlan {
  size_t tiles = 0;      // of all results
  size_t splits = 1;     // parts into which the sums are cut
  size_t workspace = 0;  // floats
};
/// Sums of so many rows, the longest, cut into parts worth a block each, so that about `wanted` blocks have
/// work; a part of a tile has so many floats.
inline OuterPlan plan_parts(size_t tiles, size_t longest, size_t wanted, size_t shortest, size_t floats) {
  OuterPlan plan{tiles};
  if (tiles == 0) return plan;
  const size_t parts = wanted / tiles < longest / shortest ? wanted / tiles : longest / shortest;
  if (parts <= 1) return plan;
  plan.splits = parts;
  plan.workspace = parts * tiles * floats;
  return plan;
}
OuterPlan plan_outer(const OuterProduct<float>* products, size_t count);

/// All products in one launch, and a second one where sums were cut. count <= most_products.
int launch_outer(const OuterProduct<float>* products, size_t count, const OuterPlan& plan, float* workspace,
                 void* stream);

}  // namespace sklar::cuda
