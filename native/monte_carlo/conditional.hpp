#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fields/noise_levels.hpp"
#include "monte_carlo/annealed_smc.hpp"
#include "process/process.h"

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
  Convergence mixing;         // of the moves at the data
};

// F.3: annealed SMC on z_B.
template <class T>
ConditionalSample conditional_smc(Backend<T>& backend, LevelPath<T>& path, const Condition& condition,
                                  const SmcOptions& options, std::size_t rows, const CancelFlag& cancel,
                                  const Fraction& progress);

// pCN-MALA moves of the rows on the exact conditional density afterwards (F.4).
struct Polish {
  std::size_t moves = 0;
  double target_acceptance = 0;
};

// From a level to the one below by the reverse SDE: z* = decay z + push G + deviation xi, which becomes z* +
// correction (G(z*) - decay G), G(z*) that of the level below.
struct ReverseStep {
  double decay, deviation, push, correction;
};

// Noise levels as the reverse SDE of a process sees them: a state is alpha times data and sigma times a
// standard normal, folded at the faces where it lives on the cube.
class ReverseLevels {
 public:
  bool folded = false;
  std::vector<double> alpha, sigma;

  ReverseLevels(const OuLevels& levels);  // NOLINT(google-explicit-constructor): the same levels
  // times of the process, 0 (data) first. Throws Error("VALUE") for one that has no noise that is known.
  static ReverseLevels of(Process process, const std::vector<double>& times);
  std::size_t last() const { return alpha.size() - 1; }
  // Of the level, the last one having the larger noise. exact: see TwistedOptions.
  ReverseStep step(std::size_t level, bool exact) const;

 private:
  ReverseLevels() = default;
  std::vector<double> time_;  // in which the process runs
};

// F.2: the reverse SDE, drawn to z_A = a by the gradient of a twist, q_t = N(a; estimate of z_A at time 0,
// sigma_t^2), and weighted for it. The last step sets z_A = a and counts the density of that.
struct TwistedOptions {
  std::size_t particles = 0, islands = 0;  // as in SmcOptions
  double least_share = 0;                  // of effective particles: below it, resample
  // The law of a step that the weights stand for: the exact one by Bayes, exp(F_s - F_t) times the step of
  // the forward process, so that the target is the density exp(F_0) itself; or, as published, the normal law
  // of the reverse SDE, whose steps must be small for that.
  bool exact_steps = true;
  Polish polish;
  std::uint64_t seed = 0;
};
// log_marginal is that of the density with exact_steps, else that of the reverse SDE, which is normalised. On
// the cube values of the condition (which has no guide) and rows are on the copula scale.
template <class T>
ConditionalSample conditional_twisted(Backend<T>& backend, LevelPath<T>& path, const ReverseLevels& levels,
                                      const Condition& condition, const TwistedOptions& options,
                                      std::size_t rows, const CancelFlag& cancel, const Fraction& progress);

// F.1: the reverse SDE with z_A overwritten by a noised a at every level; biased, for comparison.
struct ReplacementOptions {
  std::size_t loops = 1;  // of every step with forward steps between them (RePaint); 1: plain replacement
  Polish polish;
  std::uint64_t seed = 0;
};
template <class T>
ConditionalSample conditional_replacement(Backend<T>& backend, LevelPath<T>& path, const OuLevels& levels,
                                          const Condition& condition, const ReplacementOptions& options,
                                          std::size_t rows, const CancelFlag& cancel,
                                          const Fraction& progress);

// result.z from rows of v (dense), after moves of the free coordinates; says how these fared.
template <class T>
void finish_conditional(Backend<T>& backend, LevelPath<T>& path, const Condition& condition,
                        const Polish& polish, std::uint64_t seed, std::vector<double> v,
                        ConditionalSample& result, const CancelFlag& cancel);

// Independent rows of z given z_A = a under N(0, Sigma), dense: no density on top of the guide.
std::vector<double> gaussian_conditional(std::size_t threads, const Condition& condition, std::size_t rows,
                                         std::uint64_t seed, const CancelFlag& cancel);

}  // namespace sklar
