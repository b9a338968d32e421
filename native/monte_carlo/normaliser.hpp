#pragma once

#include "monte_carlo/annealed_smc.hpp"

namespace sklar {

// Three estimates of log Z, Z the integral of exp(F_0) N(0, I) (docs/mathematics.md, D.4).
struct NormaliserEstimate {
  double log_z = 0, standard_error = 0;
  // Effective sample size: of the weights exp(F_0) over the reference (Monte Carlo), of the particles at the
  // data (SMC). Bennett: share of the reference rows and particles that the two laws have in common, 0 to 1.
  double effective = 0;
};

struct Normaliser {
  NormaliserEstimate smc, monte_carlo, bennett;
  std::vector<SmcStage> stages;
};

// Monte Carlo and Bennett use as many rows of the reference as there are particles.
template <class T>
Normaliser estimate_normaliser(Backend<T>& backend, LevelPath<T>& path, const SmcOptions& options,
                               const CancelFlag& cancel, const Fraction& progress);

// Z from F at rows of the reference alone; the standard error is the one that the rows themselves show, which
// says nothing where the variance of exp(F) is infinite: look at the effective sample size.
NormaliserEstimate monte_carlo_normaliser(const std::vector<double>& at_reference);

// The ratio of Bennett (1976): C with sum over the reference of logistic(F - C) = sum over the target of w
// logistic(C - F). Both are split into `islands` equal parts, whose spread is the standard error; `weights`
// of the target sum to one.
NormaliserEstimate bennett_normaliser(const std::vector<double>& at_reference,
                                      const std::vector<double>& at_target,
                                      const std::vector<double>& weights, std::size_t islands);

}  // namespace sklar
