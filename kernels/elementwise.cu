// One thread an element or a row; all of them are bound by memory or, at the sizes of training, by the
// launch.
#include "elementwise.h"

#include "backend/rows/classifier.h"
#include "backend/rows/cube.h"
#include "backend/rows/trajectory.h"
#include "core/fold.h"
#include "core/linear/triangular.h"
#include "core/normal.h"
#include "launch.cuh"
#include "rows.cuh"

namespace sklar::cuda {
namespace {

struct Vectors {
  MatrixView<float> q[most_vectors];
};

}  // namespace

int launch_normals(MatrixView<float> out, uint64_t seed, uint64_t first_row, uint64_t step, uint32_t tag,
                   void* stream) {
  const size_t blocks = (out.columns + 3) / 4;
  return each(out.rows * blocks, stream, [=] __device__(size_t i) {
    const size_t row = i / blocks, block = i % blocks;
    float value[4];
    four_normals(value, seed, first_row + row, block, step, tag);
    float* at = out.row(row) + 4 * block;
    for (size_t k = 0; k < 4 && 4 * block + k < out.columns; ++k) at[k] = value[k];
  });
}

int launch_signs(MatrixView<float> out, uint64_t seed, uint64_t first_row, uint64_t step, uint32_t tag,
                 void* stream) {
  return each(out.rows, stream, [=] __device__(size_t i) {
    rows::signs_of_row(out.row(i), out.columns, seed, first_row + i, step, tag);
  });
}

int launch_orthonormalise(const MatrixView<float>* q, size_t count, double* area, void* stream) {
  Vectors vectors;
  for (size_t k = 0; k < count; ++k) vectors.q[k] = q[k];
  const size_t n = q[0].rows;
  return each(n, stream,
              [=] __device__(size_t i) { rows::orthonormalise_row(vectors.q, count, i, area + i, n); });
}

int launch_fill_column(MatrixView<float> m, size_t column, float value, void* stream) {
  return each(m.rows, stream, [=] __device__(size_t i) { m.row(i)[column] = value; });
}

int launch_combine(const Combine<float>& sum, void* stream) {
  const Combine<float> c = sum;
  const size_t blocks = (c.to.columns + 3) / 4;
  return each(c.to.rows * blocks, stream, [=] __device__(size_t i) {
    const size_t row = i / blocks, first = i % blocks * 4;
    float value[4] = {0, 0, 0, 0};
    for (size_t k = 0; k < c.terms; ++k) {
      const float factor =
          static_cast<float>(c.term[k].row ? c.term[k].factor * c.term[k].row[row] : c.term[k].factor);
      const float* x = c.term[k].x.row(row) + first;
      for (size_t j = 0; j < 4 && first + j < c.to.columns; ++j) value[j] += factor * x[j];
    }
    if (c.noise != 0) {
      float noise[4];
      four_normals(noise, c.seed, c.first_row + row, first / 4, c.step, c.tag);
      for (size_t j = 0; j < 4; ++j) value[j] += static_cast<float>(c.noise) * noise[j];
    }
    float* to = c.to.row(row) + first;
    for (size_t j = 0; j < 4 && first + j < c.to.columns; ++j) to[j] = value[j];
  });
}

int launch_fill(double* to, size_t count, double value, void* stream) {
  return each(count, stream, [=] __device__(size_t i) { to[i] = value; });
}

int launch_add_scaled(double* to, const double* x, size_t count, double factor, const double* row,
                      size_t columns, void* stream) {
  return each(count, stream, [=] __device__(size_t k) {
    to[k] += factor * (row ? row[k / columns] : 1.0) * (x ? x[k] : 1.0);
  });
}

int launch_row_dots(double* out, size_t out_stride, MatrixView<const float> a, MatrixView<const float> b,
                    bool accumulate, void* stream) {
  return each(a.rows, stream, [=] __device__(size_t i) {
    double sum = accumulate ? out[i * out_stride] : 0;
    for (size_t j = 0; j < a.columns; ++j)
      sum += static_cast<double>(a.row(i)[j]) * static_cast<double>(b.row(i)[j]);
    out[i * out_stride] = sum;
  });
}

int launch_copy_rows(MatrixView<float> to, const uint32_t* to_rows, MatrixView<const float> from,
                     const uint32_t* from_rows, size_t count, void* stream) {
  const size_t columns = from.columns;
  return each(count * columns, stream, [=] __device__(size_t i) {
    const size_t k = i / columns, j = i % columns;
    to.row(to_rows ? to_rows[k] : k)[j] = from.row(from_rows ? from_rows[k] : k)[j];
  });
}

int launch_keep_finite(MatrixView<float> y, MatrixView<float> good, int32_t* failed, int32_t mark,
                       void* stream) {
  return each(y.rows, stream, [=] __device__(size_t i) {
    rows::keep_finite(y.row(i), good.row(i), y.columns, failed[i], mark);
  });
}

int launch_error_norm(const ErrorNorm<float>& norm, void* stream) {
  const ErrorNorm<float> n = norm;
  return each(n.error.rows, stream, [=] __device__(size_t i) { n.out[i] = rows::error_of_row(n, i); });
}

int launch_fold(MatrixView<float> to, MatrixView<const float> y, void* stream) {
  const size_t columns = to.columns;
  return each(to.rows * columns, stream, [=] __device__(size_t i) {
    to.row(i / columns)[i % columns] = fold(y.row(i / columns)[i % columns]);
  });
}

int launch_flip(MatrixView<float> v, MatrixView<const float> y, void* stream) {
  const size_t columns = v.columns;
  return each(v.rows * columns, stream, [=] __device__(size_t i) {
    v.row(i / columns)[i % columns] *= fold_sign(y.row(i / columns)[i % columns]);
  });
}

int launch_brownian(MatrixView<float> w, MatrixView<float> h, const BrownianPath& given, const double* from,
                    const double* to, void* stream) {
  const BrownianPath path = given;
  const size_t pairs = (w.columns + 1) / 2;
  return each(w.rows * pairs, stream, [=] __device__(size_t i) {
    const size_t row = i / pairs;
    rows::brownian_pair(w, h, path, row, static_cast<uint32_t>(i % pairs), from[row], to[row]);
  });
}

int launch_interpolate_levels(MatrixView<float> cotangent, double* reference, const LevelInterpolation& at,
                              void* stream) {
  const LevelInterpolation m = at;
  return each(cotangent.rows, stream, [=] __device__(size_t i) {
    reference[i] = rows::interpolate_levels_row(cotangent.row(i), cotangent.columns, m, i);
  });
}

int launch_level_cotangent(MatrixView<float> cotangent, const int32_t* level, void* stream) {
  const size_t columns = cotangent.columns;
  return each(cotangent.rows * columns, stream, [=] __device__(size_t i) {
    const size_t row = i / columns, j = i % columns;
    cotangent.row(row)[j] = rows::level_cotangent<float>(j, static_cast<size_t>(level[row]), columns);
  });
}

// docs/mathematics.md, A.4
int launch_log_ratio(double* out, MatrixView<const float> logits, size_t level, void* stream) {
  return each(logits.rows, stream,
              [=] __device__(size_t i) { out[i] = rows::log_ratio(logits.row(i), logits.columns, level); });
}

// Whitening (docs/mathematics.md, A.2), a thread a row. Scratch is column-major, so that the rows of a warp
// lie side by side.
int launch_whiten(MatrixView<float> y, const double* u, bool from_gaussian, const double* cholesky,
                  double* quadratic, double* scratch, void* stream) {
  const size_t d = y.columns - 1, n = y.rows;
  return each(n, stream, [=] __device__(size_t r) {
    double before = 0, after = 0;
    for (size_t i = 0; i < d; ++i) {
      const double given = u[r * d + i], z = from_gaussian ? given : normal_quantile(given);
      double sum = z;
      before += z * z;
      if (cholesky) {
        sum = solve_row(cholesky + i * d, i, z, scratch + r, n);
        scratch[i * n + r] = sum;
      }
      after += sum * sum;
      y.row(r)[i] = static_cast<float>(sum);
    }
    y.row(r)[d] = 1;
    if (quadratic) quadratic[r] = 0.5 * (before - after);
  });
}

int launch_colour(double* out, MatrixView<const float> y, bool to_gaussian, const double* cholesky,
                  const DeviceMaps& maps, void* stream) {
  const size_t d = y.columns - 1;
  const DeviceMaps m = maps;
  return each(y.rows * d, stream, [=] __device__(size_t k) {
    const size_t row = k / d, i = k % d;
    double z = 0;
    if (cholesky)
      for (size_t j = 0; j <= i; ++j) z += cholesky[i * d + j] * static_cast<double>(y.row(row)[j]);
    else
      z = static_cast<double>(y.row(row)[i]);
    if (m.from) z = m(i, z);
    out[k] = to_gaussian ? z : normal_cdf(z);
  });
}

int launch_to_cube(MatrixView<float> y, const double* x, bool from_gaussian, void* stream) {
  const size_t columns = y.columns, d = columns - 1;
  return each(y.rows * columns, stream, [=] __device__(size_t k) {
    const size_t row = k / columns, j = k % columns;
    y.row(row)[j] = j == d ? 1.0f : rows::cube_state<float>(x[row * d + j], from_gaussian);
  });
}

int launch_from_cube(double* out, MatrixView<const float> y, bool to_gaussian, const DeviceMaps& maps,
                     void* stream) {
  const size_t d = y.columns - 1;
  const DeviceMaps m = maps;
  return each(y.rows * d, stream, [=] __device__(size_t k) {
    const size_t j = k % d;
    out[k] = rows::cube_value(static_cast<double>(y.row(k / d)[j]), to_gaussian, m.from != nullptr,
                              [&](double z) { return m(j, z); });
  });
}

int launch_to_uniform(MatrixView<float> y, void* stream) {
  const size_t columns = y.columns;
  return each(y.rows * columns, stream, [=] __device__(size_t k) {
    float& value = y.row(k / columns)[k % columns];
    value = rows::cube_state<float>(static_cast<double>(value), true);
  });
}

}  // namespace sklar::cuda
