// The normaliser by annealed sequential Monte Carlo, Monte Carlo and Bennett's ratio against closed forms
// (docs/mathematics.md, I, row 21).
#include "check.hpp"
#include "monte_carlo/normaliser.hpp"
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

TEST_CASE("the standard error of logZ is honest, and Z is unbiased") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const Square r = equicorrelation(4, 0.7);
  const std::vector<double> direction = {1, -0.5, 0.5, 0.3};
  const Vector rd = apply(r, direction.data());
  double variance = 0;
  for (std::size_t i = 0; i < 4; ++i) variance += direction[i] * rd[i];
  const double exact = paths::exact_log_z(0.7, variance);
  paths::ClosedForm path(Gaussian(r), paths::grid(5), 0.7, direction);
  constexpr int runs = 20;
  double squares[2] = {0, 0}, mean = 0, error = 0;
  for (std::uint64_t seed = 0; seed < runs; ++seed) {
    const sklar::Normaliser n =
        sklar::estimate_normaliser<double>(*backend, path, options(16, 60, 2, 1000 + seed), never, {});
    int at = 0;
    for (const auto& estimate : {n.smc, n.bennett}) {
      const double score = (estimate.log_z - exact) / estimate.standard_error;
      squares[at++] += score * score / runs;
    }
    mean += std::exp(n.smc.log_z - exact) / runs;
    error += n.smc.standard_error / runs;
  }
  CHECK(squares[0] > 0.4 && squares[0] < 2);
  CHECK(squares[1] > 0.4 && squares[1] < 2);
  CHECK_NEAR(mean, 1.0, 4 * error / std::sqrt(runs));
}

TEST_CASE("few levels are bridged so that the weights stay even; strong dependence") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  paths::ClosedForm path(Gaussian(equicorrelation(5, 0.97)), {1, 0.5, 0});
  const sklar::SmcResult<double> s =
      sklar::annealed_smc<double>(*backend, path, options(8, 200, 4, 5), never, {});
  CHECK(s.stages.size() > 3);
  for (std::size_t i = 0; i < s.stages.size(); ++i) {
    CHECK(s.stages[i].effective >= 0.5 - 1e-6);
    CHECK(i + 1 == s.stages.size() || s.stages[i].level >= s.stages[i + 1].level);
  }
  CHECK_EQUAL(s.stages.back().level, std::size_t{0});
  CHECK_NEAR(s.log_z, 0.0, 3.5 * s.standard_error);
  CHECK(s.standard_error < 0.2);
  double sum = 0;
  for (double w : s.weights) sum += w;
  CHECK_NEAR(sum, 1.0, 1e-12);
}

TEST_CASE("the same bits for any number of threads") {
  const Square r = equicorrelation(6, 0.6);
  std::vector<std::unique_ptr<sklar::Backend<double>>> backends;  // outlive the particles
  std::vector<sklar::SmcResult<double>> results;
  for (const std::size_t threads : {1, 3}) {
    backends.push_back(sklar::make_cpu_backend<double>(threads));
    paths::Gaussian path(*backends.back(), r, paths::grid(4));
    results.push_back(sklar::annealed_smc<double>(*backends.back(), path, options(4, 300, 2, 9), never, {}));
  }
  CHECK_EQUAL(results[0].log_z, results[1].log_z);
  CHECK_EQUAL(results[0].standard_error, results[1].standard_error);
  CHECK(results[0].log_density == results[1].log_density);
  CHECK(results[0].roots == results[1].roots);
}

TEST_CASE("a density that is not finite, and a cancelled job, end with their errors") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  paths::ClosedForm broken(Gaussian(equicorrelation(2, 0.5)), paths::grid(3), NAN, {1, 1});
  CHECK_THROWS(sklar::annealed_smc<double>(*backend, broken, options(2, 20, 1, 1), never, {}), sklar::Error,
               error.code() == "DIVERGED");
  paths::ClosedForm path(Gaussian(equicorrelation(2, 0.5)), paths::grid(3));
  sklar::CancelFlag cancel;
  cancel.cancel();
  CHECK_THROWS(sklar::annealed_smc<double>(*backend, path, options(2, 20, 1, 1), cancel, {}), sklar::Error,
               error.code() == "ABORTED");
}

TEST_CASE("weighted draws keep the weights and mix the populations") {
  const std::vector<double> weights = {0, 0.5, 0.25, 0, 0.25, 0};
  const std::vector<std::uint32_t> drawn = sklar::draw_weighted(weights, 400, 3);
  std::vector<int> count(6, 0);
  bool sorted = true;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    ++count[drawn[i]];
    if (i && drawn[i] < drawn[i - 1]) sorted = false;
  }
  CHECK(!sorted);
  CHECK(count == std::vector<int>({0, 200, 100, 0, 100, 0}));
}

TEST_CASE("Monte Carlo and Bennett's ratio of known weights") {
  // F takes two values at the reference with equal probability: Z = (e^0 + e^1) / 2
  const std::vector<double> f = {0, 1, 0, 1};
  const double exact = std::log(0.5 * (1 + std::exp(1)));
  const sklar::NormaliserEstimate mc = sklar::monte_carlo_normaliser(f);
  CHECK_NEAR(mc.log_z, exact, 1e-14);
  const double w = std::exp(1);
  CHECK_NEAR(mc.effective, (2 + 2 * w) * (2 + 2 * w) / (2 + 2 * w * w), 1e-12);
  // the same values weighted as the target weighs them
  const sklar::NormaliserEstimate bar = sklar::bennett_normaliser(
      f, f, {0.5 / (1 + w), 0.5 * w / (1 + w), 0.5 / (1 + w), 0.5 * w / (1 + w)}, 2);
  CHECK_NEAR(bar.log_z, exact, 1e-10);
  CHECK_NEAR(bar.standard_error, 0.0, 1e-10);
}
