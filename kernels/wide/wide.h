// Wide products on the tensor cores: 16-bit operands, sums in float32. Plain C++; conventions as in
// elementwise.h. Compute capability 8.0 and later.
#pragma once

#include "linear.h"
#include "squares.h"

namespace sklar::cuda {

enum class Arithmetic {
  half,            // fp16
  bf16,            // bf16
  three_products,  // operands as sums of two fp16, three products: float32 to about 1e-6
};

/// Tiles of the result: 64 x 64, or 128 x 128 (three products: 128 x 64) where there are enough of them. Sums
/// are the same. Large tiles know slopes in 16 bits alone.
enum class TileSize { small, large };
size_t wide_shared_bytes(Arithmetic arithmetic, TileSize size);

/// x B. three_products: the forward pass alone, x and b in two parts.
int launch_wide_linear(const Squares& x, size_t rows, const Squares& b, size_t inner, Arithmetic arithmetic,
                       TileSize size, const Finish& finish, void* stream);

/// As OuterProduct, its operands as squares.
struct WideOuter {
  Squares a[2], b[2];
  size_t rows[2];
  float* c;
  float* column_sums;
  size_t c_stride, a_columns, b_columns;
  unsigned segments;
};
OuterPlan plan_wide_outer(const WideOuter* products, size_t count);
int launch_wide_outer(const WideOuter* products, size_t count, const OuterPlan& plan, bool bf16,
                      float* workspace, void* stream);

}  // namespace sklar::cuda
