#pragma once

// The states of a warp's 16 rows in shared memory, and all that happens to them between two evaluations of
// the network.
#include "backend/rows/trajectory.h"
#include "launch.cuh"
#include "narrow/narrow.h"

namespace sklar::cuda {

constexpr unsigned narrow_rows = 16;

struct NarrowRows {
  float *z, *kept, *good, *field, *features;
  uint32_t dim, pitch, feature_pitch;
  unsigned lane;
  size_t first;  // row of the matrix

  // body(row, column) for every element
  template <class Body>
  __device__ __forceinline__ void each_element(Body&& body) const {
#pragma unroll 1
    for (uint32_t k = lane; k < narrow_rows * dim; k += warp_lanes) body(k % narrow_rows, k / narrow_rows);
  }

  __device__ __forceinline__ void load(const MatrixView<float>& from) const {
    each_element([&](uint32_t row, uint32_t j) {
      const uint32_t at = row * pitch + j;
      z[at] = good[at] = first + row < from.rows ? from.row(first + row)[j] : 0.0f;
      kept[at] = 0;
    });
  }
  __device__ __forceinline__ void store(const MatrixView<float>& to) const {
    each_element([&](uint32_t row, uint32_t j) {
      if (first + row < to.rows) to.row(first + row)[j] = z[row * pitch + j];
    });
  }

  // What the network reads of a state of the reflection process.
  __device__ __forceinline__ void lift(const VelocityHead& head) const {
    each_element([&](uint32_t row, uint32_t j) {
      velocity_lift(head, static_cast<double>(fold(z[row * pitch + j])), features + row * feature_pitch + j,
                    dim);
    });
  }
  __device__ __forceinline__ void bound(const VelocityHead& head) const {
    each_element([&](uint32_t row, uint32_t j) {
      const uint32_t at = row * pitch + j;
      field[at] *= static_cast<float>(velocity_face(head, static_cast<double>(fold(z[at]))));
    });
  }

  // field = scale field + reference (slope z)
  __device__ __forceinline__ void add_slope(float scale, const float* slope, float reference) const {
    each_element([&](uint32_t row, uint32_t j) {
      float sum = 0;
      for (uint32_t m = 0; m < dim; ++m) sum += slope[j * dim + m] * z[row * pitch + m];
      const uint32_t at = row * pitch + j;
      field[at] = (scale != 0 ? scale * field[at] : 0.0f) + reference * sum;
    });
  }

  __device__ __forceinline__ void move(const NarrowStep& s, float scale, bool reflected, uint64_t first_row,
                                       uint64_t seed) const {
    const uint32_t blocks = (dim + 3) / 4;
#pragma unroll 1
    for (uint32_t t = lane; t < narrow_rows * blocks; t += warp_lanes) {
      const uint32_t row = t % narrow_rows, column = t / narrow_rows * 4;
      Normals4 n = {0, 0, 0, 0};
      if (s.noise != 0)
        n = philox_normals(
            philox(philox_counter(first_row + first + row, column / 4, s.draw, s.tag), philox_key(seed)));
      const float xi[4] = {n.x, n.y, n.z, n.w};
#pragma unroll
      for (uint32_t k = 0; k < 4; ++k) {
        if (column + k >= dim) continue;
        const uint32_t at = row * pitch + column + k;
        const float now = z[at];
        float f = scale != 0 ? scale * field[at] : 0.0f;
        if (reflected) f *= fold_sign(now);
        float keep = s.kept_state * now + s.kept_field * f;
        float next = s.state * now + s.now * keep + s.before * kept[at] + s.noise * xi[k];
        if (reflected && s.whole) {
          keep *= fold_sign(next);
          next = fold(next);
        }
        kept[at] = keep;
        z[at] = next;
      }
    }
  }

  // The first 16 lanes hold a row each that is not finite, or was not, at its last good state.
  __device__ __forceinline__ void keep_finite(int32_t& failed, int32_t mark) const {
    if (lane < narrow_rows) rows::keep_finite(z + lane * pitch, good + lane * pitch, dim, failed, mark);
  }
};

}  // namespace sklar::cuda
