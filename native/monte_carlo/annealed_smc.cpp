#include "monte_carlo/annealed_smc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/random/philox.h"

namespace sklar {
namespace {

constexpr double smallest_step = 1e-3;   // b of a move
constexpr double smallest_share = 1e-3;  // of the way between two levels

// Rows at one bridge between two levels, with what is known of the density there.
template <class T>
class Walkers {
 public:
  Walkers(Backend<T>& backend, LevelPath<T>& path, MatrixView<T> y, std::uint64_t seed,
          double target_acceptance, const CancelFlag& cancel)
      : above(y.rows),
        below(y.rows),
        backend_(backend),
        path_(path),
        y_(y),
        trial_(matrix_with_ones(backend, y.rows, path.dim())),
        gradient_(backend.matrix(y.rows, path.dim())),
        trial_gradient_(backend.matrix(y.rows, path.dim())),
        seed_(seed),
        target_(target_acceptance),
        cancel_(cancel),
        trial_above_(y.rows),
        trial_below_(y.rows) {
    for (auto* host : {&host_y_, &host_trial_, &host_gradient_, &host_trial_gradient_})
      host->resize(y.rows * path.dim());
    backend_.download_matrix(host_y_.data(), without_ones(y_));
  }

  // F at both ends of the way from level + 1 to level.
  void enter(std::size_t level) {
    level_ = level;
    path_.evaluate(y_, level, 0, above.data(), below.data(), {});
    for (std::size_t i = 0; i < y_.rows; ++i)
      if (!std::isfinite(above[i]) || !std::isfinite(below[i]))
        throw Error("DIVERGED",
                    "the density left the finite numbers at noise level " + std::to_string(level));
  }

  // The gradient of the bridge, before the first sweep on it.
  void prepare(double share) {
    path_.evaluate(y_, level_, share, above.data(), below.data(), gradient_);
    backend_.download_matrix(host_gradient_.data(), gradient_);
  }

  // Moves that leave exp((1 - share) F_above + share F_below) N(0, I) alone; returns their mean acceptance.
  double move(double share, std::size_t moves, ChainMixing* mixing = nullptr) {
    if (moves == 0) return 0;
    prepare(share);
    double sum = 0;
    for (std::size_t i = 0; i < moves; ++i) {
      sum += sweep(share);
      if (mixing) mixing->add(host_y_.data());
    }
    return sum / static_cast<double>(moves);
  }

  // Row i becomes what row from[i] was.
  void take(const std::vector<std::uint32_t>& from) {
    const std::size_t d = path_.dim();
    for (std::size_t i = 0; i < from.size(); ++i) {
      std::copy_n(&host_y_[from[i] * d], d, &host_trial_[i * d]);
      trial_above_[i] = above[from[i]];
      trial_below_[i] = below[from[i]];
    }
    host_y_.swap(host_trial_);
    above.swap(trial_above_);
    below.swap(trial_below_);
    backend_.upload_matrix(without_ones(y_), host_y_.data());
  }

  // One move of every row; returns the share of accepted ones.
  double sweep(double share) {
    cancel_.check();
    const std::size_t d = path_.dim(), rows = y_.rows;
    const double b = step, rho = std::sqrt(1 - b * b);
    backend_.copy(trial_.data(), y_.data, rows * y_.stride * sizeof(T));
    Combine<T> proposal;
    proposal.to = without_ones(trial_.view());
    proposal.add(proposal.to, rho).add(gradient_, 1 - rho);
    proposal.noise = b;
    proposal.seed = seed_;
    proposal.step = sweep_;
    proposal.tag = kTagSmcMove;
    backend_.combine(proposal);
    path_.evaluate(trial_, level_, share, trial_above_.data(), trial_below_.data(), trial_gradient_);
    backend_.download_matrix(host_trial_.data(), without_ones(trial_.view()));
    backend_.download_matrix(host_trial_gradient_.data(), trial_gradient_);
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      double norms = 0, ways = 0;
      for (std::size_t j = i * d; j < (i + 1) * d; ++j) {
        const double y = static_cast<double>(host_y_[j]), z = static_cast<double>(host_trial_[j]);
        const double there = z - (rho * y + (1 - rho) * static_cast<double>(host_gradient_[j]));
        const double back = y - (rho * z + (1 - rho) * static_cast<double>(host_trial_gradient_[j]));
        norms += y * y - z * z;
        ways += there * there - back * back;
      }
      const double log_ratio = (1 - share) * (trial_above_[i] - above[i]) +
                               share * (trial_below_[i] - below[i]) + 0.5 * norms + ways / (2 * b * b);
      // false for a NaN: such a move is rejected
      if (!(std::log(uniform_draw(seed_, i, sweep_, kTagSmcAccept)) < log_ratio)) continue;
      ++accepted;
      std::copy_n(&host_trial_[i * d], d, &host_y_[i * d]);
      std::copy_n(&host_trial_gradient_[i * d], d, &host_gradient_[i * d]);
      above[i] = trial_above_[i];
      below[i] = trial_below_[i];
    }
    backend_.upload_matrix(without_ones(y_), host_y_.data());
    backend_.upload_matrix(gradient_, host_gradient_.data());
    ++sweep_;
    const double acceptance = static_cast<double>(accepted) / static_cast<double>(rows);
    step = std::clamp(step * std::exp(2 * (acceptance - target_)), smallest_step, 1.0);
    return acceptance;
  }

  // Where they are, dense.
  const T* rows() const { return host_y_.data(); }

  double step = 1;  // b
  std::vector<double> above, below;

 private:
  Backend<T>& backend_;
  LevelPath<T>& path_;
  MatrixView<T> y_;
  Matrix<T> trial_, gradient_, trial_gradient_;
  std::vector<T> host_y_, host_trial_, host_gradient_, host_trial_gradient_;
  std::uint64_t seed_, sweep_ = 0;
  double target_;
  const CancelFlag& cancel_;
  std::size_t level_ = 0;
  std::vector<double> trial_above_, trial_below_;
};

// The longest way that keeps the share of effective particles.
double longest_way(const ParticleWeights& weights, const std::vector<double>& above,
                   const std::vector<double>& below, double left, double least_share) {
  double low = 0, high = left;
  for (int i = 0; i < 24; ++i) {
    const double middle = 0.5 * (low + high);
    (weights.effective(above, below, middle) >= least_share ? low : high) = middle;
  }
  return std::min(std::max(low, smallest_share), left);
}

}  // namespace

template <class T>
SmcResult<T> annealed_smc(Backend<T>& backend, LevelPath<T>& path, const SmcOptions& options,
                          const CancelFlag& cancel, const Fraction& progress) {
  const std::size_t rows = options.particles * options.islands;
  if (rows == 0) throw Error("VALUE", "expected at least one particle");
  SmcResult<T> result;
  result.particles = matrix_with_ones(backend, rows, path.dim());
  backend.normals(without_ones(result.particles.view()), options.seed, 0, 0, kTagSampleStart);
  Walkers<T> walkers(backend, path, result.particles, options.seed, options.target_acceptance, cancel);
  ParticleWeights weights(options.islands, options.particles, options.seed);
  result.roots.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) result.roots[i] = static_cast<std::uint32_t>(i);
  const auto resample = [&] {
    const std::vector<std::uint32_t> from = weights.resample();
    walkers.take(from);
    std::vector<std::uint32_t> roots(rows);
    for (std::size_t i = 0; i < rows; ++i) roots[i] = result.roots[from[i]];
    result.roots.swap(roots);
  };

  const double last = static_cast<double>(path.last());
  for (std::size_t level = path.last(); level-- > 0;) {
    walkers.enter(level);
    for (double share = 0; share < 1;) {
      double way = 1 - share;
      const bool whole = weights.effective(walkers.above, walkers.below, way) >= options.least_share;
      if (!whole) {
        if (!weights.even()) resample();
        way = longest_way(weights, walkers.above, walkers.below, way, options.least_share);
      }
      SmcStage stage;
      stage.level = level;
      stage.effective = weights.effective(walkers.above, walkers.below, way);
      weights.add(walkers.above, walkers.below, way);
      share = way == 1 - share ? 1 : share + way;
      if (!whole) resample();
      stage.acceptance = walkers.move(share, options.moves);
      result.stages.push_back(stage);
      if (progress) progress((last - static_cast<double>(level) - 1 + share) / last);
    }
  }
  if (options.final_moves) {
    if (!weights.even()) resample();
    ChainMixing mixing(rows, path.dim(), options.final_moves);
    result.stages.back().acceptance = walkers.move(1, options.final_moves, &mixing);
    result.mixing = mixing.worst();
  }
  const LogMean z = pooled_log_mean(weights.log_z());
  result.log_z = z.value;
  result.standard_error = z.standard_error;
  result.log_density = std::move(walkers.below);
  result.weights = weights.normalised();
  result.effective = effective_size(result.weights);
  result.ancestors = count_different(result.roots);
  return result;
}

template <class T>
DataMoves move_at_data(Backend<T>& backend, LevelPath<T>& path, MatrixView<T> rows, std::size_t moves,
                       double target_acceptance, std::uint64_t seed, const CancelFlag& cancel,
                       const Fraction& progress) {
  Walkers<T> walkers(backend, path, rows, seed, target_acceptance, cancel);
  ChainMixing mixing(rows.rows, path.dim(), moves);
  walkers.step = 0.5;
  walkers.enter(0);
  double sum = 0;
  walkers.prepare(1);
  for (std::size_t i = 0; i < moves; ++i) {
    const double acceptance = walkers.sweep(1);
    mixing.add(walkers.rows());
    if (i >= moves / 2) sum += acceptance;
    if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(moves));
  }
  return {sum / static_cast<double>(moves - moves / 2), mixing.worst()};
}

template SmcResult<float> annealed_smc(Backend<float>&, LevelPath<float>&, const SmcOptions&,
                                       const CancelFlag&, const Fraction&);
template SmcResult<double> annealed_smc(Backend<double>&, LevelPath<double>&, const SmcOptions&,
                                        const CancelFlag&, const Fraction&);
template DataMoves move_at_data(Backend<float>&, LevelPath<float>&, MatrixView<float>, std::size_t, double,
                                std::uint64_t, const CancelFlag&, const Fraction&);
template DataMoves move_at_data(Backend<double>&, LevelPath<double>&, MatrixView<double>, std::size_t, double,
                                std::uint64_t, const CancelFlag&, const Fraction&);

}  // namespace sklar
