// Twisted sequential Monte Carlo against exact conditional laws (docs/mathematics.md, F.2; I, row 22).
#include <array>

#include "closed_form/closed_form.hpp"
#include "conditional_laws.hpp"
#include "core/fold.h"
#include "monte_carlo/conditional.hpp"
#include "monte_carlo/field_path.hpp"

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

// The law given values of a mixture of N(0, R_m): exact moments, and what independent runs of its field find.
struct GivenMixture {
  Vector weights;
  std::vector<Square> correlations;
  std::vector<std::size_t> columns;
  Vector values;

  double density = 0;   // c_A(a)
  Vector mean, square;  // of the free columns
  std::vector<std::size_t> rest;

  GivenMixture(const Vector& w, std::vector<Square> r, std::size_t given)
      : weights(w), correlations(std::move(r)) {
    draw_condition(correlations[0].dim, given, 3, columns, values);
    for (const bool normalise : {false, true})
      for (std::size_t m = 0; m < weights.size(); ++m) {
        const GaussianConditional one(correlations[m], columns, values);
        const double share = weights[m] * std::exp(one.log_density_ratio);
        rest = one.rest;
        mean.resize(rest.size());
        square.resize(rest.size());
        if (!normalise) density += share;
        for (std::size_t i = 0; normalise && i < rest.size(); ++i) {
          mean[i] += share / density * one.mean[i];
          square[i] += share / density * (one.mean[i] * one.mean[i] + one.covariance(i, i));
        }
      }
  }

  struct Found {
    std::vector<Spread> mean, square;  // of the free columns
    Spread density;                    // over the exact one
    double effective = 0;              // the least share
  };
  Found run(bool guided, std::size_t steps, std::size_t runs, std::size_t particles) const {
    const std::size_t d = correlations[0].dim;
    const auto backend = sklar::make_cpu_backend<double>(1);
    const Mixture mixture(weights, correlations);
    const Square l = guided ? lower_root(mixture.correlation()) : identity(d), x = inverse_of_lower(l);
    std::vector<Vector> whitened;
    for (const Square& r : correlations) whitened.push_back(multiply(multiply(x, r), transposed(x)).data);
    const auto field = sklar::make_closed_form_field<double>(
        *backend, sklar::make_mixture(weights, whitened, d), sklar::Process::ou);
    // uniform in the angle
    Vector times = {0};
    for (std::size_t k = 1; k <= steps; ++k)
      times.push_back(sklar::reference_angle * static_cast<double>(k) / static_cast<double>(steps));
    const auto levels = sklar::ReverseLevels::of(sklar::Process::ou, times);
    sklar::FieldPath<double> path(*backend, *field, times, never);
    const Condition condition(guided ? l.data : Vector{}, d, columns, values);
    Found found{std::vector<Spread>(rest.size()), std::vector<Spread>(rest.size()), {}, 1};
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
      const ConditionalSample s = sklar::conditional_twisted<double>(
          *backend, path, levels, condition, options(2, particles, false, seed), 2 * particles, never, {});
      found.density.values.push_back(std::exp(s.log_marginal) / density);
      found.effective = std::min(found.effective, s.effective / static_cast<double>(2 * particles));
      for (std::size_t i = 0; i < columns.size(); ++i) CHECK_EQUAL(s.z[columns[i]], values[i]);
      for (std::size_t i = 0; i < rest.size(); ++i) {
        found.mean[i].values.push_back(mean_over(s.z, d, [&](const double* z) { return z[rest[i]]; }));
        found.square[i].values.push_back(
            mean_over(s.z, d, [&](const double* z) { return z[rest[i]] * z[rest[i]]; }));
      }
    }
    return found;
  }
};

// Root mean square of the scores of many moments, which is near 1 (of few runs: Student's)
double rms_score(const std::vector<Spread>& spreads, const Vector& exact) {
  double sum = 0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    sum += spreads[i].score(exact[i]) * spreads[i].score(exact[i]);
  return std::sqrt(sum / static_cast<double>(exact.size()));
}

// A mixture of products of reflected normal kernels about centres on the cube: closed under the reflection
// process, at time t of bandwidth sqrt(b^2 + t^2) (docs/mathematics.md, B.4). Dependence of any strength, and
// its conditional laws are mixtures of the same kernels.
struct KernelMixture {
  std::size_t dim;
  Vector centres;  // count x dim
  double bandwidth;

  std::size_t count() const { return centres.size() / dim; }
  // log k, and its first two derivatives in u
  static std::array<double, 3> kernel(double u, double centre, double deviation) {
    double sum = 0, first = 0, second = 0;
    for (int m = -3; m <= 3; ++m)
      for (const double image : {2 * m + centre, 2 * m - centre}) {
        const double r = (image - u) / deviation, w = std::exp(-0.5 * r * r);
        sum += w;
        first += w * r / deviation;
        second += w * (r * r - 1) / (deviation * deviation);
      }
    first /= sum;
    return {std::log(sum / deviation) - sklar::half_log_two_pi, first, second / sum - first * first};
  }
};

class KernelField final : public sklar::Field<double> {
 public:
  explicit KernelField(const KernelMixture& law) : law_(law) {}
  sklar::Process process() const override { return sklar::Process::reflection; }
  std::size_t dim() const override { return law_.dim; }
  std::size_t batch_rows() const override { return 1000; }
  // v = -t grad log c
  void evaluate(sklar::MatrixView<const double> y, const double* time, sklar::Form,
                sklar::MatrixView<double> out) override {
    for (std::size_t i = 0; i < y.rows; ++i) {
      set(y.row(i), time[i]);
      for (std::size_t j = 0; j < dim(); ++j) out.row(i)[j] = -time[i] * mean_[j];
    }
  }
  void divergence(sklar::MatrixView<const double>, const double*, sklar::Form, const sklar::TraceEstimator&,
                  sklar::MatrixView<double>, double*) override {
    CHECK(false);
  }
  void pull_back(sklar::MatrixView<const double> y, const double* time, sklar::Form,
                 sklar::MatrixView<const double> r, sklar::MatrixView<double> product) override {
    for (std::size_t i = 0; i < y.rows; ++i) {
      set(y.row(i), time[i]);
      const double* x = r.row(i);
      std::fill_n(product.row(i), dim(), 0.0);
      for (std::size_t m = 0; m < law_.count(); ++m) {
        double along = 0;
        for (std::size_t j = 0; j < dim(); ++j) along += (first_[m * dim() + j] - mean_[j]) * x[j];
        for (std::size_t j = 0; j < dim(); ++j)
          product.row(i)[j] -= time[i] * share_[m] *
                               (second_[m * dim() + j] * x[j] + along * (first_[m * dim() + j] - mean_[j]));
      }
    }
  }

 private:
  void set(const double* u, double time) {
    const std::size_t d = dim(), count = law_.count();
    share_.assign(count, 0.0);
    first_.resize(count * d);
    second_.resize(count * d);
    for (std::size_t m = 0; m < count; ++m)
      for (std::size_t j = 0; j < d; ++j) {
        const auto k = KernelMixture::kernel(u[j], law_.centres[m * d + j], std::hypot(law_.bandwidth, time));
        share_[m] += k[0];
        first_[m * d + j] = k[1];
        second_[m * d + j] = k[2];
      }
    const double top = *std::max_element(share_.begin(), share_.end());
    double sum = 0;
    for (double& s : share_) sum += s = std::exp(s - top);
    mean_.assign(d, 0.0);
    for (std::size_t m = 0; m < count; ++m) {
      share_[m] /= sum;
      for (std::size_t j = 0; j < d; ++j) mean_[j] += share_[m] * first_[m * d + j];
    }
  }
  const KernelMixture& law_;
  Vector share_, first_, second_, mean_;
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
    // steps of the second order leave no bias to see
    CHECK(found.mean.error() < 0.03 && found.marginal.error() < 0.03);
    CHECK_NEAR(found.mean.mean(), 0.6, 4 * found.mean.error());
    CHECK_NEAR(found.square.mean(), 1.0, 4 * found.square.error());
    CHECK_NEAR(found.marginal.mean(), 1.0, 4 * found.marginal.error());
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
      CHECK_NEAR(found.mean.mean(), 0.0, 4 * found.mean.error());
      CHECK_NEAR(found.square.mean(), exact.covariance(i, i), 4 * found.square.error());
      const double ratio = std::exp(exact.log_density_ratio);
      CHECK_NEAR(found.marginal.mean() / ratio, 1.0, 4 * found.marginal.error() / ratio);
      CHECK(found.mean.error() < 0.1 && found.marginal.error() / ratio < 0.2);
    }
  }
}

TEST_CASE("a field alone: Gaussian and mixture copulas in 10 and 200 columns, plain and guided") {
  struct Setting {
    std::size_t d, given, steps, runs, particles;
  };
  for (const auto& [d, given, steps, runs, particles] :
       {Setting{10, 4, 32, 16, 150}, Setting{200, 30, 32, 10, 96}}) {
    const Square first = factor_correlation(d, 5, 17), second = factor_correlation(d, 5, 18);
    for (const bool mixed : {false, true})
      for (const bool guided : {false, true}) {
        // flows are guided, and of one normal law exact
        if (d > 10 && (sanitized || !(mixed && guided))) continue;
        const GivenMixture law(mixed ? Vector{0.6, 0.4} : Vector{1},
                               mixed ? std::vector<Square>{first, second} : std::vector<Square>{first},
                               given);
        const auto found = law.run(guided, steps, runs, particles);
        if (guided && !mixed) {
          // the field vanishes, and the twist is exact: every particle has the density of the condition
          for (double x : found.density.values) CHECK_NEAR(x, 1.0, 1e-9);
          CHECK_NEAR(found.effective, 1.0, 1e-9);
        } else {
          CHECK(std::abs(found.density.score(1)) < 3);
          CHECK(found.density.error() < (d == 10 ? 0.03 : 0.2));
          CHECK(found.effective > (d == 10 ? 0.4 : 0.1));
        }
        if (d == 10)
          for (std::size_t i = 0; i < law.rest.size(); ++i) {
            CHECK(std::abs(found.mean[i].score(law.mean[i])) < 4);
            CHECK(std::abs(found.square[i].score(law.square[i])) < 4);
          }
        CHECK(rms_score(found.mean, law.mean) < 1.8);
        CHECK(rms_score(found.square, law.square) < 1.8);
      }
  }
}

TEST_CASE("a field on the cube: mixtures of reflected kernels in 4, 10 and 200 columns") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  struct Setting {
    std::size_t d, given, centres, steps, runs, particles;
    double bandwidth;
  };
  for (const auto& [d, given, centres, steps, runs, particles, bandwidth] :
       {Setting{4, 2, 6, 48, 12, 200, 0.1}, Setting{10, 4, 6, 48, 12, 100, 0.15},
        Setting{200, 20, 2, 32, 6, 64, 0.3}}) {
    if (d > 10 && sanitized) continue;
    KernelMixture law{d, Vector(centres * d), bandwidth};
    // in pairs about the middle: margins then are uniform but for waves that are gone where the levels begin
    for (std::size_t k = 0; k < law.centres.size(); ++k) {
      const double u = uniform(5, k / d / 2, static_cast<std::uint32_t>(k % d));
      law.centres[k] = k / d % 2 ? 1 - u : u;
    }
    std::vector<std::size_t> columns;
    Vector values, share(centres, 0.0);
    for (std::size_t j = 0; j < given; ++j) {
      columns.push_back(d - 1 - 2 * j % d);
      // near the first centre, yet not at it
      values.push_back(sklar::fold(law.centres[columns[j]] + (j % 2 ? 0.8 : -0.5) * bandwidth));
    }
    double density = 0, mean = 0, square = 0;
    for (std::size_t m = 0; m < centres; ++m) {
      for (std::size_t j = 0; j < given; ++j)
        share[m] += KernelMixture::kernel(values[j], law.centres[m * d + columns[j]], bandwidth)[0];
      density += share[m] = std::exp(share[m]) / static_cast<double>(centres);
    }
    // of the mean of the free columns but one, and of that one, which is column 0
    for (std::size_t m = 0; m < centres; ++m)
      for (int k = 0; k < 2000; ++k) {
        const double u = (k + 0.5) / 2000,
                     w = share[m] / density *
                         std::exp(KernelMixture::kernel(u, law.centres[m * d], bandwidth)[0]) / 2000;
        mean += w * u;
        square += w * u * u;
      }
    Vector times;
    for (std::size_t k = 0; k <= steps; ++k)
      times.push_back(std::pow(static_cast<double>(k) / static_cast<double>(steps), 2));
    KernelField field(law);
    sklar::FieldPath<double> path(*backend, field, times, never);
    const Condition condition({}, d, columns, values);
    Spread means, squares, densities;
    double effective = 1;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
      const ConditionalSample s = sklar::conditional_twisted<double>(
          *backend, path, sklar::ReverseLevels::of(sklar::Process::reflection, times), condition,
          options(2, particles, false, seed), 2 * particles, never, {});
      for (std::size_t j = 0; j < given; ++j) CHECK_EQUAL(s.z[columns[j]], values[j]);
      for (double u : s.z) CHECK(u >= 0 && u <= 1);
      means.values.push_back(mean_over(s.z, d, [](const double* u) { return u[0]; }));
      squares.values.push_back(mean_over(s.z, d, [](const double* u) { return u[0] * u[0]; }));
      densities.values.push_back(std::exp(s.log_marginal) / density);
      effective = std::min(effective, s.effective / static_cast<double>(2 * particles));
    }
    CHECK(effective > 0.2);
    CHECK_NEAR(densities.mean(), 1.0, 3 * densities.error());
    CHECK_NEAR(means.mean(), mean, 4 * means.error());
    CHECK_NEAR(squares.mean(), square, 4 * squares.error());
  }
}

TEST_CASE("a field has no density at its levels") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const auto field = sklar::make_closed_form_field<double>(
      *backend, sklar::make_mixture({1}, {equicorrelation(3, 0.5).data}, 3), sklar::Process::ou);
  const Vector times = {0, 0.5, 1, sklar::reference_angle};
  sklar::FieldPath<double> path(*backend, *field, times, never);
  const Condition condition({}, 3, {1}, {0.5});
  CHECK_THROWS(
      sklar::conditional_twisted<double>(*backend, path, sklar::ReverseLevels::of(sklar::Process::ou, times),
                                         condition, options(2, 10, true, 1), 10, never, {}),
      sklar::Error, error.code() == "VALUE");
  CHECK_THROWS(sklar::ReverseLevels::of(sklar::Process::jacobi, times), sklar::Error,
               error.code() == "VALUE");
  CHECK_THROWS(sklar::ReverseLevels::of(sklar::Process::reflection, times), sklar::Error,
               error.code() == "VALUE");
  CHECK_THROWS(sklar::ReverseLevels::of(sklar::Process::reflection, {0, 0.2, 0.1}), sklar::Error,
               error.code() == "VALUE");
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
