#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace sklar {

// Of the worst coordinate of parallel chains; NaN where the chains are too short to say.
struct Convergence {
  double r_hat = std::numeric_limits<double>::quiet_NaN();      // near 1: the chains forgot where they began
  double effective = std::numeric_limits<double>::quiet_NaN();  // independent draws that all states are worth
};

// Split R-hat and effective sample size by the spread of the halves' means (Gelman et al., Bayesian Data
// Analysis, 2nd edition, 11.6; halves as in the 3rd, 11.4): every chain counts as two of n = moves / 2
// states, with W the mean of their variances and V the variance of their means, R-hat^2 = ((n - 1) / n W + V)
// / W, and each chain of n states is worth min(n, ((n - 1) / n W + V) / V) draws.
class ChainMixing {
 public:
  ChainMixing(std::size_t chains, std::size_t dim, std::size_t moves);

  // The states after one move, chains x dim, dense.
  template <class T>
  void add(const T* states);
  // After all moves.
  Convergence worst() const;

 private:
  void close_half();

  std::size_t chains_, dim_, half_, skip_, seen_ = 0;
  std::vector<double> sum_;                            // of this half, chains x dim
  std::vector<double> squares_;                        // of this half, all chains
  std::vector<double> within_, means_, mean_squares_;  // over the halves of all chains
};

}  // namespace sklar
