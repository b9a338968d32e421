// Sampling given some coordinates against exact conditional laws (docs/mathematics.md, F; I, row 22).
#include "monte_carlo/conditional.hpp"

#include "conditional_laws.hpp"
#include "monte_carlo/cdc_path.hpp"

using namespace laws;
using sklar::Condition;
using sklar::ConditionalSample;
using sklar::SmcOptions;

namespace {

const sklar::CancelFlag never;

SmcOptions options(std::size_t islands, std::size_t particles, std::size_t moves, std::uint64_t seed) {
  SmcOptions o;
  o.islands = islands;
  o.particles = particles;
  o.moves = moves;
  o.final_moves = 5;
  o.least_share = 0.5;
  o.target_acceptance = 0.65;
  o.seed = seed;
  return o;
}

}  // namespace

TEST_CASE("a condition is a rotation: y = rotation v, z = M v, z_A = a") {
  const std::size_t d = 6;
  const Square r = factor_correlation(d, 2, 5), l = lower_root(r);
  for (const bool guided : {false, true}) {
    const Condition c(guided ? l.data : Vector{}, d, {4, 1}, {0.7, -1.2});
    const Square rotation(d, c.rotation), unit = multiply(rotation, transposed(rotation));
    for (std::size_t i = 0; i < d * d; ++i) CHECK_NEAR(unit.data[i], identity(d).data[i], 1e-12);
    Vector v = normals(1, d, 8), z(d);
    std::copy(c.whitened.begin(), c.whitened.end(), v.begin());
    c.to_gaussian(v.data(), 1, z.data());
    CHECK_EQUAL(z[4], 0.7);
    CHECK_EQUAL(z[1], -1.2);
    const Vector y = apply(rotation, v.data()), back = guided ? apply(l, y.data()) : y;
    for (std::size_t i = 0; i < d; ++i) CHECK_NEAR(z[i], back[i], 1e-12);
    const GaussianConditional exact(guided ? r : identity(d), {4, 1}, {0.7, -1.2});
    CHECK_NEAR(c.log_reference, exact.log_density_ratio, 1e-12);
  }
  CHECK_THROWS(Condition({}, 3, {1, 1}, {0, 0}), sklar::Error, error.code() == "VALUE");
  CHECK_THROWS(Condition({}, 3, {0, 1, 2}, {0, 0, 0}), sklar::Error, error.code() == "SHAPE");
  CHECK_THROWS(Condition({}, 3, {1}, {NAN}), sklar::Error, error.code() == "VALUE");
}

TEST_CASE("Gaussian copula in 10 and 200 columns: conditional mean, covariance and marginal density") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  struct Setting {
    std::size_t d, given, particles, runs;
  };
  for (const auto [d, given, particles, runs] : {Setting{10, 4, 300, 12}, Setting{200, 30, 96, 8}}) {
    if (d > 10 && sanitized) continue;
    const Square r = factor_correlation(d, 5, 17);
    paths::Gaussian path(*backend, r, paths::grid(d == 10 ? 10 : 6));
    std::vector<std::size_t> columns;
    Vector values;
    draw_condition(d, given, 3, columns, values);
    const GaussianConditional exact(r, columns, values);
    const Square precision = inverse(exact.covariance);
    const Condition condition({}, d, columns, values);
    const std::size_t free = d - given, pairs = 60;
    std::vector<Spread> mean(free), product(pairs);
    Spread distance, marginal;
    for (std::size_t run = 0; run < runs; ++run) {
      const ConditionalSample s = sklar::conditional_smc<double>(
          *backend, path, condition, options(2, particles, 3, 100 + run), 2 * particles, never, {});
      for (std::size_t i = 0; i < given; ++i) CHECK_EQUAL(s.z[columns[i]], values[i]);
      marginal.values.push_back(std::exp(s.log_marginal - exact.log_density_ratio));
      const auto centred = [&](const double* z, std::size_t i) { return z[exact.rest[i]] - exact.mean[i]; };
      for (std::size_t i = 0; i < free; ++i)
        mean[i].values.push_back(mean_over(s.z, d, [&](const double* z) { return centred(z, i); }));
      for (std::size_t p = 0; p < pairs; ++p)
        product[p].values.push_back(mean_over(
            s.z, d, [&](const double* z) { return centred(z, p % free) * centred(z, p * 7 % free); }));
      distance.values.push_back(mean_over(s.z, d, [&](const double* z) {
        Vector x(free);
        for (std::size_t i = 0; i < free; ++i) x[i] = centred(z, i);
        const Vector pulled = apply(precision, x.data());
        double sum = 0;
        for (std::size_t i = 0; i < free; ++i) sum += x[i] * pulled[i];
        return sum / static_cast<double>(free);
      }));
    }
    // squares of scores of few runs have the mean of Student's t, (runs - 1) / (runs - 3)
    double squares = 0;
    for (const Spread& s : mean) squares += s.score(0) * s.score(0) / static_cast<double>(free);
    CHECK(squares < 2.5);
    squares = 0;
    for (std::size_t p = 0; p < pairs; ++p) {
      const double score = product[p].score(exact.covariance(p % free, p * 7 % free));
      squares += score * score / static_cast<double>(pairs);
    }
    CHECK(squares < 2.5);
    CHECK_NEAR(distance.mean(), 1.0, 4 * distance.error() + 1e-12);
    CHECK(distance.error() < 0.05);
    CHECK_NEAR(marginal.mean(), 1.0, 3 * marginal.error());
    CHECK(marginal.error() < (d == 10 ? 0.05 : 0.3));
  }
}

TEST_CASE("a guided Gaussian model is sampled exactly: equal weights and the marginal density of the guide") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const std::size_t d = 200, rows = 600;
  const Square r = factor_correlation(d, 5, 17);
  paths::ClosedForm path(Gaussian(identity(d)), {1, 0.5, 0});
  std::vector<std::size_t> columns;
  Vector values;
  draw_condition(d, 40, 4, columns, values);
  const GaussianConditional exact(r, columns, values);
  const ConditionalSample s =
      sklar::conditional_smc<double>(*backend, path, Condition(lower_root(r).data, d, columns, values),
                                     options(1, rows, 0, 5), rows, never, {});
  CHECK_NEAR(s.log_marginal, exact.log_density_ratio, 1e-9);
  CHECK_NEAR(s.effective, static_cast<double>(rows), 1e-6);
  double squares = 0;
  for (std::size_t i = 0; i < exact.rest.size(); ++i) {
    const double mean = mean_over(s.z, d, [&](const double* z) { return z[exact.rest[i]]; });
    const double score =
        (mean - exact.mean[i]) / std::sqrt(exact.covariance(i, i) / static_cast<double>(rows));
    CHECK(std::abs(score) < 4.5);
    squares += score * score;
  }
  CHECK_NEAR(squares / static_cast<double>(exact.rest.size()), 1.0, 0.5);
}

TEST_CASE("the Gaussian copula itself: independent rows of the conditional law") {
  const std::size_t d = 8, rows = 20000;
  const Square r = factor_correlation(d, 3, 21);
  std::vector<std::size_t> columns;
  Vector values;
  draw_condition(d, 3, 6, columns, values);
  const GaussianConditional exact(r, columns, values);
  const Condition condition(lower_root(r).data, d, columns, values);
  CHECK_NEAR(condition.log_reference, exact.log_density_ratio, 1e-12);
  const Vector z = sklar::gaussian_conditional(1, condition, rows, 7, never);
  CHECK(z == sklar::gaussian_conditional(3, condition, rows, 7, never));
  for (std::size_t i = 0; i < exact.rest.size(); ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const double vi = exact.covariance(i, i), vj = exact.covariance(j, j), c = exact.covariance(i, j);
      const auto centred = [&](const double* row, std::size_t k) {
        return row[exact.rest[k]] - exact.mean[k];
      };
      if (j == 0)
        CHECK_NEAR(mean_over(z, d, [&](const double* row) { return centred(row, i); }), 0.0,
                   4.5 * std::sqrt(vi / static_cast<double>(rows)));
      CHECK_NEAR(mean_over(z, d, [&](const double* row) { return centred(row, i) * centred(row, j); }), c,
                 4.5 * std::sqrt((vi * vj + c * c) / static_cast<double>(rows)));
    }
  for (std::size_t i = 0; i < columns.size(); ++i) CHECK_EQUAL(z[d * (rows - 1) + columns[i]], values[i]);
}

TEST_CASE("mixture, plain and guided: conditional moments and marginal density") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  Square first = equicorrelation(3, 0.8), second = equicorrelation(3, 0.3);
  for (const std::size_t i : {0, 1}) second(i, 2) = second(2, i) = -0.6;
  const Vector weights = {0.7, 0.3};
  const Mixture mixture(weights, {first, second});
  const Square l = lower_root(mixture.correlation());
  for (const std::vector<std::size_t>& columns : {std::vector<std::size_t>{0}, {2, 0}})
    for (const bool guided : {false, true}) {
      const Vector a(columns.size(), 1.3);
      // exact: a mixture of the conditionals with weights pi_m N(a; 0, R_m,AA)
      const GaussianConditional given[2] = {{first, columns, a}, {second, columns, a}};
      double total = 0, mean = 0, square = 0;
      for (std::size_t m = 0; m < 2; ++m) {
        const double share = weights[m] * std::exp(given[m].log_density_ratio);
        total += share;
        mean += share * given[m].mean[0];
        square += share * (given[m].covariance(0, 0) + given[m].mean[0] * given[m].mean[0]);
      }
      mean /= total;
      square /= total;
      const Mixture whitened = mixture.whitened(guided ? l : identity(3));
      paths::ClosedForm path(whitened, paths::grid(8));
      const Condition condition(guided ? l.data : Vector{}, 3, columns, a);
      Spread means, squares, marginal;
      for (std::uint64_t run = 0; run < 12; ++run) {
        const ConditionalSample s = sklar::conditional_smc<double>(*backend, path, condition,
                                                                   options(4, 150, 3, run), 600, never, {});
        const std::size_t c = given[0].rest[0];
        means.values.push_back(mean_over(s.z, 3, [&](const double* z) { return z[c]; }));
        squares.values.push_back(mean_over(s.z, 3, [&](const double* z) { return z[c] * z[c]; }));
        marginal.values.push_back(std::exp(s.log_marginal));
        CHECK(s.ancestors > 20 && s.ancestors <= 600);
        CHECK(s.effective > 100 && s.effective <= 600);
        CHECK(s.acceptance > 0.4);
      }
      CHECK_NEAR(means.mean(), mean, 4 * means.error());
      CHECK_NEAR(squares.mean(), square, 4 * squares.error());
      CHECK_NEAR(marginal.mean(), total, 4 * marginal.error());
      CHECK(marginal.error() < 0.02);
    }
}

TEST_CASE("replacement is biased, loops lessen it, pCN-MALA and annealed SMC remove it") {
  const auto backend = sklar::make_cpu_backend<double>(1);
  const Mixture mixture({5.0 / 6, 1.0 / 6}, {equicorrelation(2, 0.9), equicorrelation(2, -0.9)});
  const Condition condition({}, 2, {0}, {1.0});
  const double exact = 0.6;  // .9 (5/6 - 1/6), whatever the levels
  const auto error = [&](std::size_t steps, std::size_t loops, std::size_t polish) {
    const auto w = paths::grid(steps + 1);
    paths::ClosedForm path(mixture, w);
    sklar::ReplacementOptions o;
    o.loops = loops;
    o.polish = {polish, 0.65};
    o.seed = 3;
    const ConditionalSample s = sklar::conditional_replacement<double>(
        *backend, path, sklar::OuLevels(paths::times(w)), condition, o, 800, never, {});
    CHECK(std::isnan(s.log_marginal));
    if (polish) {
      CHECK(s.acceptance > 0.4 && s.acceptance < 0.9);
      CHECK(s.mixing.r_hat > 1 && s.mixing.r_hat < 1.4);
      CHECK(s.mixing.effective > 2 * 800 && s.mixing.effective < 150 * 800 / 5);
    }
    if (!polish) CHECK(std::isnan(s.mixing.r_hat));
    return mean_over(s.z, 2, [](const double* z) { return z[1]; }) - exact;
  };
  const double plain = error(50, 1, 0);
  CHECK(plain > -0.36 && plain < -0.22);
  const double more_steps = error(400, 1, 0);
  CHECK(more_steps > -0.36 && more_steps < -0.18);
  CHECK(std::abs(error(50, 20, 0)) < 0.08);
  CHECK_NEAR(error(50, 1, 150), 0.0, 0.08);

  paths::ClosedForm path(mixture, paths::grid(11));
  const ConditionalSample s =
      sklar::conditional_smc<double>(*backend, path, condition, options(8, 500, 3, 1), 4000, never, {});
  CHECK_NEAR(mean_over(s.z, 2, [](const double* z) { return z[1]; }), exact, 0.05);
  CHECK_NEAR(s.log_marginal, 0.0, 4 * s.standard_error);
  CHECK(s.standard_error < 0.03);
}

namespace {

// A network with random parameters: its density has no closed form, but two columns allow quadrature.
template <class T>
void network_against_quadrature(bool guided) {
  const auto backend = sklar::make_cpu_backend<T>(1);
  sklar::CdcDefinition definition;
  definition.network = {2, 24, 2, 10, sklar::Activation::silu};
  definition.times = paths::times(paths::grid(10));
  if (guided) definition.cholesky = lower_root(equicorrelation(2, 0.6)).data;
  const auto last = sklar::residual_mlp_slices(definition.network).back();
  const Vector draws = normals(1, last.offset + sklar::Network<T>::slice_size(last), 4);
  std::vector<T> parameters;
  for (double x : draws) parameters.push_back(static_cast<T>(0.25 * x));
  sklar::Cdc<T> model(*backend, definition, parameters);
  sklar::CdcPath<T> path(model, never);

  const double a = 0.7, step = 0.01, norm = step / std::sqrt(2 * 3.14159265358979324);
  Vector z;
  for (int i = -700; i <= 700; ++i) z.insert(z.end(), {a, step * i});
  Vector log_density(z.size() / 2);
  model.log_pdf(z.data(), true, log_density.size(), 0, log_density.data(), never, {});
  double total = 0, mean = 0;
  for (std::size_t i = 0; i < log_density.size(); ++i) {
    const double w = norm * std::exp(log_density[i] - 0.5 * z[2 * i + 1] * z[2 * i + 1]);
    total += w;
    mean += w * z[2 * i + 1];
  }
  mean /= total;
  Spread marginal, means;
  for (std::uint64_t run = 0; run < 8; ++run) {
    const ConditionalSample s =
        sklar::conditional_smc<T>(*backend, path, Condition(definition.cholesky, 2, {0}, {a}),
                                  options(4, 300, 2, run), 1200, never, {});
    marginal.values.push_back(std::exp(s.log_marginal));
    means.values.push_back(mean_over(s.z, 2, [](const double* row) { return row[1]; }));
  }
  CHECK_NEAR(marginal.mean(), total, 4 * marginal.error());
  CHECK(marginal.error() < 0.02 * total);
  CHECK_NEAR(means.mean(), mean, 4 * means.error());
  CHECK(means.error() < 0.04);

  // the same by a twist
  marginal.values.clear();
  means.values.clear();
  for (std::uint64_t run = 0; run < 8; ++run) {
    sklar::TwistedOptions o;
    o.islands = 2;
    o.particles = 400;
    o.least_share = 0.5;
    o.seed = run;
    const ConditionalSample s = sklar::conditional_twisted<T>(
        *backend, path, model.levels(), Condition(definition.cholesky, 2, {0}, {a}), o, 800, never, {});
    marginal.values.push_back(std::exp(s.log_marginal));
    means.values.push_back(mean_over(s.z, 2, [](const double* row) { return row[1]; }));
  }
  CHECK_NEAR(marginal.mean(), total, 4 * marginal.error());
  CHECK(marginal.error() < 0.03 * total);
  CHECK_NEAR(means.mean(), mean, 4 * means.error());
  CHECK(means.error() < 0.04);

  // bridge: F of both levels, and the gradient of their mixture, as log_pdf gives them
  const double share = 0.3, h = 1e-4;
  sklar::Matrix<T> y = sklar::matrix_with_ones(*backend, 1, 2), g = backend->matrix(1, 2);
  double above, below;
  const auto at = [&](double first, std::size_t level) {
    const double row[2] = {first, -0.4};
    Vector point = guided ? apply(Square(2, definition.cholesky), row) : Vector{row[0], row[1]};
    double value, guide;
    model.log_pdf(point.data(), true, 1, level, &value, never, {});
    model.log_pdf(point.data(), true, 1, 9, &guide, never, {});
    return value - guide;
  };
  y.view().row(0)[0] = static_cast<T>(0.8);
  y.view().row(0)[1] = static_cast<T>(-0.4);
  for (const std::size_t level : {0, 4, 8}) {
    path.evaluate(y, level, share, &above, &below, g);
    CHECK_NEAR(above, at(0.8, level + 1), 1e-5);
    CHECK_NEAR(below, at(0.8, level), 1e-5);
    if (std::is_same_v<T, float>) continue;
    const auto blend = [&](double first) {
      return (1 - share) * at(first, level + 1) + share * at(first, level);
    };
    CHECK_NEAR(g.view().row(0)[0], (blend(0.8 + h) - blend(0.8 - h)) / (2 * h), 1e-6);
    // Hessian products: differences of the gradient
    sklar::Matrix<T> r = backend->matrix(1, 3), product = backend->matrix(1, 2);
    const T direction[3] = {static_cast<T>(0.6), static_cast<T>(-1.1), 0};
    backend->upload_matrix(r, direction);
    path.pull_back(y, level, r, product);
    Vector slope(2);
    for (const double side : {h, -h}) {
      sklar::Matrix<T> moved = sklar::matrix_with_ones(*backend, 1, 2);
      for (std::size_t j = 0; j < 2; ++j)
        moved.view().row(0)[j] = y.view().row(0)[j] + static_cast<T>(side) * direction[j];
      path.evaluate(moved, level, 1, &above, &below, g);
      for (std::size_t j = 0; j < 2; ++j) slope[j] += g.view().row(0)[j] / (2 * side);
    }
    for (std::size_t j = 0; j < 2; ++j) CHECK_NEAR(product.view().row(0)[j], slope[j], 1e-6);
  }
}

}  // namespace

TEST_CASE("a network's conditional mean and marginal density against quadrature") {
  for (const bool guided : {false, true}) {
    network_against_quadrature<double>(guided);
    network_against_quadrature<float>(guided);
  }
}
