#pragma once

#include <functional>
#include <vector>

#include "backend/backend.hpp"
#include "core/threads/cancel.hpp"
#include "fields/noise_levels.hpp"

namespace sklar {

// The published sampler of a CDC, for comparison (docs/mathematics.md, A.8): the mean of the ancestral step,
// clipped to
// +-6 on the Gaussian scale, noise (if any) in every step but the last. Its mean-only mode contracts towards
// a point.
template <class T>
struct PublishedSampler {
  // g = G_level(y); y carries a column of ones
  std::function<void(MatrixView<const T> y, std::size_t level, MatrixView<T> g)> evaluate;
  // the largest |z| of the Gaussian scale is set to `bound`; returns how often it acted
  std::function<std::uint64_t(MatrixView<T> y, double bound)> clamp;
};

struct PublishedStatistics {
  std::uint64_t evaluations = 0;  // of the field, for each row
  std::uint64_t clamped = 0;      // coordinates
};

// Node levels from the reference (levels.last()) down to 0 for `steps` steps; steps <= levels.last().
std::vector<std::size_t> node_levels(const OuLevels& levels, std::size_t steps);

// y (rows x (dim + 1)) holds standard normal rows and receives the sample. Throws Error("VALUE") for a
// reference of pure noise, Diverged as `integrate` does.
template <class T>
PublishedStatistics sample_as_published(Backend<T>& backend, const PublishedSampler<T>& sampler,
                                        const OuLevels& levels, const std::vector<std::size_t>& nodes,
                                        bool noisy, std::uint64_t seed, std::uint64_t first_row,
                                        MatrixView<T> y, const CancelFlag& cancel);

}  // namespace sklar
