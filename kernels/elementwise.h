// Operations of backend/backend.hpp that go element by element or row by row. Plain C++. Pointers are device
// memory, `stream` is a cudaStream_t; every function returns a cudaError_t (0: success) and does not wait.
#pragma once

#include "backend/operations/classifier_operations.h"
#include "core/margin_maps.hpp"
#include "core/monotone.h"

namespace sklar::cuda {

/// Standard normals: element (r, c) is lane c % 4 of counter (first_row + r, c / 4, step, tag); see
/// native/core/random/philox.h.
int launch_normals(MatrixView<float> out, uint64_t seed, uint64_t first_row, uint64_t step, uint32_t tag,
                   void* stream);
int launch_signs(MatrixView<float> out, uint64_t seed, uint64_t first_row, uint64_t step, uint32_t tag,
                 void* stream);
constexpr size_t most_vectors = 64;  // of one row
/// Of each row of q[0..count); area: rows x count x columns.
int launch_orthonormalise(const MatrixView<float>* q, size_t count, double* area, void* stream);
int launch_fill_column(MatrixView<float> m, size_t column, float value, void* stream);
int launch_combine(const Combine<float>& sum, void* stream);

int launch_fill(double* to, size_t count, double value, void* stream);
int launch_add_scaled(double* to, const double* x, size_t count, double factor, const double* row,
                      size_t columns, void* stream);
int launch_row_dots(double* out, size_t out_stride, MatrixView<const float> a, MatrixView<const float> b,
                    bool accumulate, void* stream);
int launch_copy_rows(MatrixView<float> to, const uint32_t* to_rows, MatrixView<const float> from,
                     const uint32_t* from_rows, size_t count, void* stream);
int launch_keep_finite(MatrixView<float> y, MatrixView<float> good, int32_t* failed, int32_t mark,
                       void* stream);
int launch_error_norm(const ErrorNorm<float>& norm, void* stream);
int launch_fold(MatrixView<float> to, MatrixView<const float> y, void* stream);
int launch_flip(MatrixView<float> v, MatrixView<const float> y, void* stream);
int launch_brownian(MatrixView<float> w, MatrixView<float> h, const BrownianPath& path, const double* from,
                    const double* to, void* stream);
int launch_interpolate_levels(MatrixView<float> cotangent, double* reference, const LevelInterpolation& at,
                              void* stream);
int launch_level_cotangent(MatrixView<float> cotangent, const int32_t* level, void* stream);
int launch_log_ratio(double* out, MatrixView<const float> logits, size_t level, void* stream);

/// y (and a column of ones), quadratic (or null) from u; cholesky: null or dim x dim. scratch: rows x dim,
/// unless cholesky is null.
int launch_whiten(MatrixView<float> y, const double* u, bool from_gaussian, const double* cholesky,
                  double* quadratic, double* scratch, void* stream);

/// Margin maps in device memory: from and slope dim x knots, to knots; null: none.
struct DeviceMaps {
  const double* from = nullptr;
  const double* slope = nullptr;
  const double* to = nullptr;

  SKLAR_HD_INLINE double operator()(size_t column, double z) const {
    constexpr size_t knots = MarginMaps::knots;
    return monotone_map(from + column * knots, to, slope + column * knots, knots, z);
  }
};
int launch_colour(double* out, MatrixView<const float> y, bool to_gaussian, const double* cholesky,
                  const DeviceMaps& maps, void* stream);

int launch_to_cube(MatrixView<float> y, const double* x, bool from_gaussian, void* stream);
int launch_from_cube(double* out, MatrixView<const float> y, bool to_gaussian, const DeviceMaps& maps,
                     void* stream);
int launch_to_uniform(MatrixView<float> y, void* stream);

}  // namespace sklar::cuda
