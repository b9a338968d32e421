// The normaliser by annealed sequential Monte Carlo, Monte Carlo and Bennett's ratio against closed forms
// (docs/mathematics.md, I, row 21).
#include "check.hpp"
#include "model/normaliser.hpp"
#include "paths.hpp"

using namespace closed_form;
using sklar::SmcOptions;

namespace {

const sklar::CancelFlag never;

SmcOptions options(std::size_t islands, std::size_t particles, std::size_t moves, std::uint64_t seed) {
  SmcOptions o;
  o.islands = islands;
  o.particles = particles;
  o.moves = moves;
  o.least_share = 0.5;
  o.target_acceptance = 0.65;
  o.seed = seed;
  return o;
}

}  // namespace

TEST_CASE("logZ of a perturbed Gaussian copula: SMC, Bennett and Monte Carlo agree with quadrature") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const std::vector<double> direction = {1.1, -0.7, 0.4};
  for (const double rho : {0.3, 0.8}) {
    const Square r = equicorrelation(3, rho);
    const Vector rd = apply(r, direction.data());
    double variance = 0;
    for (std::size_t i = 0; i < 3; ++i) variance += direction[i] * rd[i];
    const double exact = paths::exact_log_z(0.8, variance);
    CHECK(std::abs(exact) > 0.1);
    paths::ClosedForm path(Gaussian(r), paths::grid(6), 0.8, direction);
    const sklar::Normaliser n =
        sklar::estimate_normaliser<double>(*backend, path, options(16, 250, 3, 7), never, {});
    std::printf("rho %.1f exact %.4f smc %.4f +- %.4f (ess %.0f) bar %.4f +- %.4f mc %.4f +- %.4f (ess %.0f)\n", rho, exact,
                n.smc.log_z, n.smc.standard_error, n.smc.effective, n.bennett.log_z,
                n.bennett.standard_error, n.monte_carlo.log_z, n.monte_carlo.standard_error,
                n.monte_carlo.effective);
    CHECK_NEAR(n.smc.log_z, exact, 3 * n.smc.standard_error);
    CHECK(n.smc.standard_error < 0.04);
    CHECK_NEAR(n.bennett.log_z, exact, 3 * n.bennett.standard_error);
    CHECK(n.bennett.effective > 0 && n.bennett.effective < 1);
    // the second moment of exp(F) is finite only where the largest eigenvalue of R is below 2
    if (rho == 0.3) CHECK_NEAR(n.monte_carlo.log_z, exact, 3 * n.monte_carlo.standard_error);
    for (const auto& stage : n.stages) {
      CHECK(stage.effective >= 0.5 - 1e-6);
      CHECK(stage.acceptance > 0.3);
    }
  }
}
