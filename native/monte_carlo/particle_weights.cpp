#include "monte_carlo/particle_weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random/philox.h"
#include "core/random/shuffle.h"

namespace sklar {
namespace {

constexpr std::uint64_t order_epoch = (std::uint64_t{1} << 48) - 1;

// Indices of `count` systematic draws from weights (any scale).
template <class Take>
void systematic(const double* weights, std::size_t size, std::size_t count, double offset, Take&& take) {
  double total = 0;
  for (std::size_t i = 0; i < size; ++i) total += weights[i];
  double sum = 0;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < size && taken < count; ++i) {
    sum += weights[i];
    // the last particle with weight takes what rounding leaves over
    while (taken < count && (static_cast<double>(taken) + offset) / static_cast<double>(count) * total < sum)
      take(taken++, i);
  }
  std::size_t heaviest = 0;
  for (std::size_t i = 0; i < size; ++i)
    if (weights[i] > 0) heaviest = i;
  while (taken < count) take(taken++, heaviest);
}

}  // namespace

ParticleWeights::ParticleWeights(std::size_t islands, std::size_t particles, std::uint64_t seed)
    : islands_(islands),
      particles_(particles),
      seed_(seed),
      log_(islands * particles, 0.0),
      log_z_(islands, 0.0) {}

double ParticleWeights::effective(const std::vector<double>& above, const std::vector<double>& below,
                                  double way) const {
  double share = 0;
  for (std::size_t m = 0; m < islands_; ++m) {
    const std::size_t begin = m * particles_, end = begin + particles_;
    double top = -std::numeric_limits<double>::infinity(), sum = 0, squares = 0;
    for (std::size_t i = begin; i < end; ++i) top = std::max(top, log_[i] + way * (below[i] - above[i]));
    for (std::size_t i = begin; i < end; ++i) {
      const double w = std::exp(log_[i] + way * (below[i] - above[i]) - top);
      sum += w;
      squares += w * w;
    }
    share += sum * sum / squares;
  }
  return share / static_cast<double>(log_.size());
}

void ParticleWeights::add(const std::vector<double>& above, const std::vector<double>& below, double way) {
  for (std::size_t i = 0; i < log_.size(); ++i) log_[i] += way * (below[i] - above[i]);
  even_ = false;
}

std::vector<double> ParticleWeights::log_z() const {
  std::vector<double> z = log_z_;
  for (std::size_t m = 0; m < islands_; ++m) z[m] += log_mean_exp(&log_[m * particles_], particles_);
  return z;
}

std::vector<std::uint32_t> ParticleWeights::resample() {
  std::vector<std::uint32_t> from(log_.size());
  std::vector<double> w(particles_);
  log_z_ = log_z();
  for (std::size_t m = 0; m < islands_; ++m) {
    const std::size_t begin = m * particles_;
    const double top = *std::max_element(&log_[begin], &log_[begin] + particles_);
    for (std::size_t i = 0; i < particles_; ++i) w[i] = std::exp(log_[begin + i] - top);
    systematic(
        w.data(), particles_, particles_, uniform_draw(seed_, m, round_, kTagSmcResample),
        [&](std::size_t to, std::size_t i) { from[begin + to] = static_cast<std::uint32_t>(begin + i); });
  }
  std::fill(log_.begin(), log_.end(), 0.0);
  even_ = true;
  ++round_;
  return from;
}

std::vector<double> ParticleWeights::normalised() const {
  std::vector<double> w(log_.size());
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t i = 0; i < w.size(); ++i) top = std::max(top, w[i] = log_[i] + log_z_[i / particles_]);
  for (double& x : w) sum += x = std::exp(x - top);
  for (double& x : w) x /= sum;
  return w;
}

double effective_size(const std::vector<double>& weights) {
  double squares = 0;
  for (double w : weights) squares += w * w;
  return 1 / squares;
}

std::size_t count_different(std::vector<std::uint32_t> list) {
  std::sort(list.begin(), list.end());
  return static_cast<std::size_t>(std::unique(list.begin(), list.end()) - list.begin());
}

double log_mean_exp(const double* x, std::size_t count) {
  const double top = *std::max_element(x, x + count);
  if (!std::isfinite(top)) return top;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(x[i] - top);
  return top + std::log(sum / static_cast<double>(count));
}

LogMean pooled_log_mean(const std::vector<double>& log_z) {
  const double mean = log_mean_exp(log_z.data(), log_z.size()), n = static_cast<double>(log_z.size());
  if (log_z.size() < 2) return {mean, std::numeric_limits<double>::infinity()};
  double squares = 0;
  for (double z : log_z) squares += (std::exp(z - mean) - 1) * (std::exp(z - mean) - 1);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

std::vector<std::uint32_t> draw_weighted(const std::vector<double>& weights, std::size_t rows,
                                         std::uint64_t seed) {
  std::vector<std::uint32_t> drawn(rows);
  const ShuffleKey key = shuffle_key(seed, order_epoch);
  systematic(
      weights.data(), weights.size(), rows, uniform_draw(seed, 0, order_epoch, kTagSmcResample),
      [&](std::size_t to, std::size_t i) { drawn[shuffled(to, rows, key)] = static_cast<std::uint32_t>(i); });
  return drawn;
}

double uniform_draw(std::uint64_t seed, std::uint64_t row, std::uint64_t step, std::uint32_t tag) {
  return static_cast<double>(philox_uniform(philox(philox_counter(row, 0, step, tag), philox_key(seed)).x));
}

}  // namespace sklar
