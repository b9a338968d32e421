#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/annealed_smc.hpp"
#include "process/ou.hpp"

// Sampling given some coordinates, z_A = a (docs/mathematics.md, F).
namespace sklar {

// z_A = a in coordinates where the reference N(0, Sigma) of z falls apart: with A before B, Sigma = M M^T and
// (z_A, z_B) = M v, v standard normal, the condition fixes the first coordinates of v and leaves the others
// alone. The network's coordinates y = L^-1 z are a rotation of v.
struct Condition {
  std::vector<std::size_t> order;  // columns of z: those of A, then those of B
  std::size_t fixed = 0;           // how many are in A
  std::vector<double> values;      // a
  std::vector<double> factor;      // M, dim x dim
  std::vector<double> rotation;    // y = rotation v, dim x dim
  std::vector<double> whitened;    // the fixed coordinates of v
  double log_reference = 0;        // log N(a; 0, Sigma_AA) - log N(a; 0, I)

  // cholesky: L (dim x dim), or empty for the identity. columns: of A, different; 1 to dim - 1 of them.
  Condition(const std::vector<double>& cholesky, std::size_t dim, const std::vector<std::size_t>& columns,
            const std::vector<double>& values);
  std::size_t dim() const { return order.size(); }
  // Rows of v (dense, dim columns) as rows of z; the columns of A are exactly `values`.
  void to_gaussian(const double* v, std::size_t rows, double* z) const;
};

struct ConditionalSample {
  std::vector<double> z;      // rows x dim, dense
  double log_marginal = 0;    // log of the integral over z_B: log c_A(a) plus the log normaliser of the model
  double standard_error = 0;  // of log_marginal
  double effective = 0;       // sample size of the weights
  std::size_t ancestors = 0;  // different starting particles among the descendants
  double acceptance = 0;      // of the last moves
  std::uint64_t evaluations = 0;  // of the path, for each particle
  std::vector<SmcStage> stages;
};

// F.3: annealed SMC on z_B.
template <class T>
ConditionalSample conditional_smc(Backend<T>& backend, LevelPath<T>& path, const Condition& condition,
                                  const SmcOptions& options, std::size_t rows, const CancelFlag& cancel,
                                  const Fraction& progress);

// F.1: the reverse SDE with z_A overwritten by a noised a at every level; biased, for comparison.
struct ReplacementOptions {
  std::size_t loops = 1;   // of every step with forward steps between them (RePaint); 1: plain replacement
  std::size_t polish = 0;  // pCN-MALA moves on the exact conditional density afterwards (F.4)
  double target_acceptance = 0;  // of these
  std::uint64_t seed = 0;
};
template <class T>
ConditionalSample conditional_replacement(Backend<T>& backend, LevelPath<T>& path, const OuLevels& levels,
                                          const Condition& condition, const ReplacementOptions& options,
                                          std::size_t rows, const CancelFlag& cancel,
                                          const Fraction& progress);

}  // namespace sklar
