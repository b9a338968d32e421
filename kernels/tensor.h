// Matrix products on the tensor cores: 16-bit operands, sums in float32. Plain C++; conventions as in
// elementwise.h. Compute capability 8.0 and later.
#pragma once

#include "linear.h"

namespace sklar::cuda {

enum class Arithmetic {
  half,            // fp16
  brain,           // bf16
  three_products,  // operands as sums of two fp16, three products: float32 to about 1e-6
};

/// A factor in 16 bits: rows of `stride` elements (a multiple of 8), what lies beyond `columns` zero. `low`
/// holds what fp16 left of the values, times 2^11; null where it was not asked for.
struct Factor16 {
  const uint16_t* high = nullptr;
  const uint16_t* low = nullptr;
  size_t inner = 0, columns = 0, stride = 0;
};
SKLAR_HD_INLINE constexpr size_t factor16_stride(size_t columns) { return (columns + 7) / 8 * 8; }

/// Packs several factors in one launch. From w (w_stride elements a row) or w^T; `low` null: high alone.
struct PackJob {
  const float* w;
  size_t w_stride, inner, columns;
  bool transposed;
  float* b;  // in float32, rows of factor_stride elements; or null and
  uint16_t *high, *low;
};
constexpr size_t most_packs = 40;  // of one launch
int launch_packs(const PackJob* jobs, size_t count, bool brain, void* stream);

/// *saturated is increased where a finite value was beyond the range of fp16, and was set to its end.
int launch_tensor_linear(MatrixView<const float> x, const Factor16& b, Arithmetic arithmetic,
                         const EpilogueOperands<float>& epilogue, unsigned* saturated, void* stream);

/// As launch_outer, operands rounded to fp16 or bf16.
int launch_tensor_outer(const OuterProduct<float>* products, size_t count, const OuterPlan& plan, bool brain,
                        float* workspace, unsigned* saturated, void* stream);

}  // namespace sklar::cuda
