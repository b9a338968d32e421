// Twisted sequential Monte Carlo against exact conditional laws (docs/mathematics.md, F.2; I, row 22).
#include "conditional_laws.hpp"
#include "monte_carlo/conditional.hpp"

using namespace laws;
using sklar::Condition;
using sklar::ConditionalSample;
using sklar::TwistedOptions;

namespace {

const sklar::CancelFlag never;

TwistedOptions options(std::size_t islands, std::size_t particles, bool exact_steps, std::uint64_t seed) {
  TwistedOptions o;
  o.islands = islands;
  o.particles = particles;
  o.least_share = 0.5;
  o.exact_steps = exact_steps;
  o.seed = seed;
  return o;
}

// What independent runs found of a path on a uniform grid.
struct Runs {
  Spread mean, square, marginal;  // of `of` of the rows; and exp(log_marginal)
  template <class F>
  Runs(sklar::LevelPath<double>& path, const std::vector<double>& w, const Condition& condition,
       std::size_t runs, std::size_t particles, bool exact_steps, F&& of) {
    const auto backend = sklar::make_cpu_backend<double>(1);
    const sklar::OuLevels levels(paths::times(w));
    for (std::uint64_t run = 0; run < runs; ++run) {
      const ConditionalSample s = sklar::conditional_twisted<double>(*backend, path, levels, condition,
                                                                     options(2, particles, exact_steps, run),
                                                                     2 * particles, never, {});
      for (std::size_t i = 0; i < condition.fixed; ++i)
        CHECK_EQUAL(s.z[condition.order[i]], condition.values[i]);
      mean.values.push_back(mean_over(s.z, condition.dim(), of));
      square.values.push_back(
          mean_over(s.z, condition.dim(), [&](const double* z) { return of(z) * of(z); }));
      marginal.values.push_back(std::exp(s.log_marginal));
      const double count = static_cast<double>(2 * particles);
      CHECK(s.effective > 0.25 * count && s.effective <= count * (1 + 1e-9));
      CHECK(s.ancestors > particles / 2 && s.ancestors <= 2 * particles);
    }
  }
};

}  // namespace

TEST_CASE(
    "the mixture that replacement gets wrong by 0.28: exact steps at few levels, normal steps at many") {
  const Mixture mixture({5.0 / 6, 1.0 / 6}, {equicorrelation(2, 0.9), equicorrelation(2, -0.9)});
  const Condition condition({}, 2, {0}, {1.0});
  const auto free_one = [](const double* z) { return z[1]; };
  // exact: .9 (5/6 - 1/6), 1, and log c_A = 0 for one column
  for (const std::size_t steps : {5, 20}) {
    const auto w = paths::grid(steps + 1);
    paths::ClosedForm path(mixture, w);
    const Runs found(path, w, condition, 12, 400, true, free_one);
    CHECK_NEAR(found.mean.mean(), 0.6, 4 * found.mean.error());
    CHECK_NEAR(found.square.mean(), 1.0, 4 * found.square.error());
    CHECK_NEAR(found.marginal.mean(), 1.0, 4 * found.marginal.error());
    CHECK(found.mean.error() < 0.03 && found.marginal.error() < 0.04);
  }
  for (const std::size_t steps : {50, 100}) {
    const auto w = paths::grid(steps + 1);
    paths::ClosedForm path(mixture, w);
    const Runs found(path, w, condition, 6, 400, false, free_one);
    // bias (about 0.01 here) and 4 standard errors
    CHECK(found.mean.error() < 0.02);
    CHECK_NEAR(found.mean.mean(), 0.6, 0.07);
    CHECK_NEAR(found.square.mean(), 1.0, 0.08);
    CHECK_NEAR(found.marginal.mean(), 1.0, 0.06);
  }
}

TEST_CASE("mixture in three columns, plain and guided") {
  Square first = equicorrelation(3, 0.8), second = equicorrelation(3, 0.3);
  for (const std::size_t i : {0, 1}) second(i, 2) = second(2, i) = -0.6;
  const Vector weights = {0.7, 0.3};
  const Mixture mixture(weights, {first, second});
  const Square l = lower_root(mixture.correlation());
  const std::vector<std::size_t> columns = {2, 0};
  const Vector a = {1.3, 1.3};
  const GaussianConditional given[2] = {{first, columns, a}, {second, columns, a}};
  double total = 0, mean = 0;
  for (std::size_t m = 0; m < 2; ++m) {
    const double share = weights[m] * std::exp(given[m].log_density_ratio);
    total += share;
    mean += share * given[m].mean[0];
  }
  for (const bool guided : {false, true}) {
    const auto w = paths::grid(11);
    paths::ClosedForm path(mixture.whitened(guided ? l : identity(3)), w);
    const Condition condition(guided ? l.data : Vector{}, 3, columns, a);
    const Runs found(path, w, condition, 10, 300, true, [](const double* z) { return z[1]; });
    CHECK_NEAR(found.mean.mean(), mean / total, 4 * found.mean.error());
    CHECK_NEAR(found.marginal.mean(), total, 4 * found.marginal.error());
    CHECK(found.mean.error() < 0.03 && found.marginal.error() < 0.06 * total);
  }
}

TEST_CASE("Gaussian copula in 10 columns: moments and the density of the condition") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const std::size_t d = 10;
  const Square r = factor_correlation(d, 5, 17);
  std::vector<std::size_t> columns;
  Vector values;
  draw_condition(d, 4, 3, columns, values);
  const GaussianConditional exact(r, columns, values);
  const Condition condition({}, d, columns, values);
  for (const bool exact_steps : {true, false}) {
    const auto w = paths::grid(exact_steps ? 11 : 51);
    paths::Gaussian path(*backend, r, w);
    for (const std::size_t i : {0, 3}) {
      const Runs found(path, w, condition, exact_steps ? 12 : 6, 400, exact_steps,
                       [&](const double* z) { return z[exact.rest[i]] - exact.mean[i]; });
      const double slack = exact_steps ? 0 : 0.03;
      CHECK_NEAR(found.mean.mean(), 0.0, slack + 4 * found.mean.error());
      CHECK_NEAR(found.square.mean(), exact.covariance(i, i), slack + 4 * found.square.error());
      const double ratio = std::exp(exact.log_density_ratio);
      CHECK_NEAR(found.marginal.mean() / ratio, 1.0, slack + 4 * found.marginal.error() / ratio);
      CHECK(found.mean.error() < 0.1 && found.marginal.error() / ratio < 0.2);
    }
  }
}

TEST_CASE("polishing moves the rows and reports how; bad sizes are errors") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const Square r = equicorrelation(3, 0.6);
  const auto w = paths::grid(9);
  paths::Gaussian path(*backend, r, w);
  const sklar::OuLevels levels(paths::times(w));
  const Condition condition({}, 3, {1}, {0.8});
  const GaussianConditional exact(r, {1}, {0.8});
  TwistedOptions o = options(2, 300, true, 4);
  const auto draw = [&] {
    return sklar::conditional_twisted<double>(*backend, path, levels, condition, o, 600, never, {});
  };
  const ConditionalSample before = draw();
  CHECK(std::isnan(before.mixing.r_hat));
  o.polish = {60, 0.65};
  const ConditionalSample s = draw();
  CHECK(s.acceptance > 0.5 && s.acceptance < 0.8);
  CHECK(s.mixing.r_hat > 0.99 && s.mixing.r_hat < 1.1);
  CHECK(s.mixing.effective > 3000);
  CHECK_EQUAL(s.log_marginal, before.log_marginal);
  CHECK_NEAR(mean_over(s.z, 3, [](const double* z) { return z[0]; }), exact.mean[0],
             4.5 * std::sqrt(exact.covariance(0, 0) / 600));
  o.particles = 0;
  CHECK_THROWS(draw(), sklar::Error, error.code() == "VALUE");
  const sklar::OuLevels others(paths::times(paths::grid(5)));
  CHECK_THROWS(sklar::conditional_twisted<double>(*backend, path, others, condition, options(1, 10, true, 1),
                                                  10, never, {}),
               sklar::Error, error.code() == "SHAPE");
}
