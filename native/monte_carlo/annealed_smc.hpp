#pragma once

#include <cstdint>
#include <vector>

#include "core/threads/cancel.hpp"
#include "monte_carlo/chain_mixing.hpp"
#include "monte_carlo/level_path.hpp"
#include "monte_carlo/particle_weights.hpp"

// Annealed sequential Monte Carlo along the noise levels (docs/mathematics.md, D.4 and F.3): particles start
// exactly at the reference N(0, I), are weighted from level to level, resampled when their weights grow
// uneven, and moved by pCN-MALA steps that leave the current density alone. The product of the mean weights
// is an unbiased estimate of the integral Z of exp(F_0) N(0, I).
namespace sklar {

struct SmcOptions {
  std::size_t particles = 0;    // of one population
  std::size_t islands = 0;      // independent populations; their spread is the standard error
  std::size_t moves = 0;        // after every reweighting
  std::size_t final_moves = 0;  // at the data, after all weights have been made equal
  double least_share =
      0;  // of effective particles: below it, resample, and bridge the levels in smaller steps
  double target_acceptance = 0;  // of the moves; their size is adapted towards it
  std::uint64_t seed = 0;
};

// One reweighting and the moves after it.
struct SmcStage {
  std::size_t level = 0;  // towards this one from the level above
  double effective = 0;   // share of effective particles after the reweighting, mean of the populations
  double acceptance = 0;  // of the moves after it
};

template <class T>
struct SmcResult {
  double log_z = 0;           // log of the mean over populations of their Z
  double standard_error = 0;  // of log_z; infinite with one population
  std::vector<SmcStage> stages;

  Matrix<T> particles;               // islands x particles rows and a column of ones, at the data
  std::vector<double> log_density;   // F_0 of each
  std::vector<double> weights;       // of each, over all populations; they sum to one
  std::vector<std::uint32_t> roots;  // the particle at the reference that each descends from
  double effective = 0;              // sample size of the weights
  std::size_t ancestors = 0;         // different roots
  Convergence mixing;                // of the final moves
};

template <class T>
SmcResult<T> annealed_smc(Backend<T>& backend, LevelPath<T>& path, const SmcOptions& options,
                          const CancelFlag& cancel, const Fraction& progress);

// pCN-MALA moves at level 0 from given rows (with a column of ones), in place; `moves` at least 1.
struct DataMoves {
  double acceptance;  // mean over the second half of the moves, whose size was adapted before
  Convergence mixing;
};
template <class T>
DataMoves move_at_data(Backend<T>& backend, LevelPath<T>& path, MatrixView<T> rows, std::size_t moves,
                       double target_acceptance, std::uint64_t seed, const CancelFlag& cancel,
                       const Fraction& progress);

}  // namespace sklar
