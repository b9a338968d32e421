#pragma once

#include <math.h>

#include "backend/operations/operations.h"
#include "backend/rows/lanes.h"
#include "core/normal.h"
#include "core/random/philox.h"
#include "core/random/shuffle.h"

// Fresh levels within the blocks of recurring values (docs/mathematics.md, A.10), row by row, for host and
// device.
namespace sklar::rows {

// The standard normal value below which there is `share` of the probability between two bounds.
SKLAR_HD_INLINE double normal_between(double low, double high, double share) {
  const bool upper = low > 0;  // in the lower tail levels keep their digits
  const double a = upper ? -high : low, b = upper ? -low : high;
  const double from = normal_cdf(a), to = normal_cdf(b);
  double x = b;  // the end next to the mode, where there is nothing else in double
  if (to > from) {
    const double level = from + (upper ? 1 - share : share) * (to - from);
    x = fmin(fmax(normal_quantile(level), a), b);
  }
  return upper ? -x : x;
}

// Moves z of the row on; block: its own.
template <class T, class Lanes>
SKLAR_HD_INLINE void sweep_ties(const TiedDraw<T>& f, size_t row, const int32_t* block, double* z,
                                uint64_t step, uint32_t tag, const Lanes& lanes) {
  const size_t d = f.data.columns, quads = (d + 3) / 4;
  const PhiloxKey key = philox_key(f.seed);
  for (size_t sweep = 0; sweep < f.sweeps; ++sweep)
    for (size_t c = 0; c < f.columns; ++c) {
      if (block[c] < 0) continue;
      const size_t j = f.column[c];
      const double* weight = f.weights + c * d;
      double mean = 0;
      for (size_t k = lanes.first; k < d; k += lanes.count) mean += weight[k] * z[k];
      mean = lanes.sum(mean);
      lanes.wait();
      if (lanes.first == 0) {
        const PhiloxBlock random =
            philox(philox_counter(row, static_cast<uint32_t>(sweep * quads + j / 4), step, tag), key);
        const uint32_t word = j % 4 == 0   ? random.x
                              : j % 4 == 1 ? random.y
                              : j % 4 == 2 ? random.z
                                           : random.w;
        const double* edges = f.edges + 2 * static_cast<size_t>(block[c]);
        const double low = edges[0], high = edges[1], s = f.deviation[c];
        const double drawn =
            normal_between((low - mean) / s, (high - mean) / s, static_cast<double>(philox_uniform(word)));
        z[j] = fmin(fmax(mean + s * drawn, low), high);
      }
      lanes.wait();
    }
}

template <class T, class Lanes>
SKLAR_HD_INLINE void put_ties(const TiedDraw<T>& f, size_t row, const int32_t* block, const double* z,
                              const Lanes& lanes) {
  const size_t d = f.data.columns;
  T* to = f.data.row(row);
  if (f.whitening) {
    for (size_t j = lanes.first; j < d; j += lanes.count) {
      double sum = 0;
      for (size_t k = 0; k <= j; ++k) sum += f.whitening[j * d + k] * z[k];
      to[j] = static_cast<T>(sum);
    }
    return;
  }
  for (size_t c = lanes.first; c < f.columns; c += lanes.count) {
    const size_t j = f.column[c];
    if (block[c] >= 0) to[j] = static_cast<T>(f.to_levels ? normal_cdf(z[j]) : z[j]);
  }
}

// Of row `row` in step `step`, at scratch of d values; with a null state at the start itself.
template <class T, class Lanes>
SKLAR_HD_INLINE void draw_tied(const TiedDraw<T>& f, size_t row, uint64_t step, double* z,
                               const Lanes& lanes) {
  if (f.place[row] < 0) return;
  const size_t d = f.data.columns, place = static_cast<size_t>(f.place[row]);
  const int32_t* const block = f.block + place * f.columns;
  double* const start = f.start + place * d;
  if (f.state) {
    for (size_t j = lanes.first; j < d; j += lanes.count) z[j] = start[j];
    lanes.wait();
  } else {
    z = start;
  }
  sweep_ties(f, row, block, z, step, f.state ? kTagFreshLevels : kTagSettledLevels, lanes);
  put_ties(f, row, block, z, lanes);
}

}  // namespace sklar::rows
