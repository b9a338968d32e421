#include "model/published_sampler.hpp"

#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/clock.hpp"
#include "integrate/steps/last_good.hpp"

namespace sklar {

std::vector<std::size_t> node_levels(const OuLevels& levels, std::size_t steps) {
  const std::size_t last = levels.last();
  if (steps < 1 || steps > last)
    throw Error("VALUE", "expected 1 to " + std::to_string(last) + " steps (the model has " +
                             std::to_string(levels.count()) + " noise levels), got " + std::to_string(steps));
  std::vector<std::size_t> nodes;
  for (std::size_t i = 0; i <= steps; ++i) nodes.push_back(last - (i * last + steps / 2) / steps);
  return nodes;
}

template <class T>
PublishedStatistics sample_as_published(Backend<T>& backend, const PublishedSampler<T>& sampler,
                                        const OuLevels& levels, const std::vector<std::size_t>& nodes,
                                        bool noisy, std::uint64_t seed, std::uint64_t first_row,
                                        MatrixView<T> y, const CancelFlag& cancel) {
  const MatrixView<T> z{y.data, y.rows, y.columns - 1, y.stride};
  const Matrix<T> g = backend.matrix(z.rows, z.columns);
  LastGood<T> good(backend, z, first_row);
  const std::size_t last_step = nodes.size() - 2;
  PublishedStatistics statistics;
  for (std::size_t i = 0; i <= last_step; ++i) {
    cancel.check();
    const double h = levels.time[nodes[i]] - levels.time[nodes[i + 1]];
    if (!std::isfinite(h))
      throw Error(
          "VALUE",
          "the published sampler needs a finite reference time; this model's reference is pure noise");
    Combine<T> mean;
    mean.to = z;
    mean.add(z, std::exp(-h));
    // the classifier's field is identically zero at the last level
    if (nodes[i] != levels.last()) {
      ++statistics.evaluations;
      sampler.evaluate(y, nodes[i], g);
      mean.add(g, 2 * std::sinh(h));
    }
    backend.combine(mean);
    if (sampler.clamp) statistics.clamped += sampler.clamp(y, 6);
    good.keep(i);
    if (!noisy || i == last_step) continue;
    Combine<T> noise;
    noise.to = z;
    noise.add(z, 1);
    noise.noise = std::sqrt(-std::expm1(-2 * h));
    noise.seed = seed;
    noise.first_row = first_row;
    noise.step = i;
    noise.tag = kTagSampleNoise;
    backend.combine(noise);
  }
  good.check([&](std::size_t k) { return OuProcess::angle(levels.time[nodes[k]]); });
  return statistics;
}

template PublishedStatistics sample_as_published(Backend<float>&, const PublishedSampler<float>&,
                                                 const OuLevels&, const std::vector<std::size_t>&, bool,
                                                 std::uint64_t, std::uint64_t, MatrixView<float>,
                                                 const CancelFlag&);
template PublishedStatistics sample_as_published(Backend<double>&, const PublishedSampler<double>&,
                                                 const OuLevels&, const std::vector<std::size_t>&, bool,
                                                 std::uint64_t, std::uint64_t, MatrixView<double>,
                                                 const CancelFlag&);

}  // namespace sklar
