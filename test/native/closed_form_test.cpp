// The operations of the backend and the integrators of the reverse process against copulas whose fields are
// known in closed form (docs/mathematics.md, H and I). Numbers in the names of the cases are those of its
// test table.
#include "closed_form.hpp"

#include <array>
#include <functional>

#include "check.hpp"
#include "classical/gaussian.hpp"
#include "core/linear/symmetric.hpp"
#include "given_batch.hpp"
#include "integrate/steps/clock.hpp"
#include "model/cdc.hpp"
#include "model/field_rows.hpp"
#include "nn/network.hpp"
#include "support.hpp"

using namespace support;

namespace {

// ---- the integrators on a closed form

// What the integrator is told of the slope at its first node.
enum class AtReference { exact, borrowed };

enum class CdcSolver { ab2, heun, exponential_em, published_mean, published_noisy };

Solver to_solver(CdcSolver solver) {
  return solver == CdcSolver::ab2    ? Solver::ab2
         : solver == CdcSolver::heun ? Solver::heun
                                     : Solver::exponential_em;
}

bool is_published(CdcSolver solver) {
  return solver == CdcSolver::published_mean || solver == CdcSolver::published_noisy;
}

// What the published sampler asks of a model.
template <class T>
PublishedSampler<T> published_of(const Copula& copula, const OuLevels& levels) {
  PublishedSampler<T> sampler;
  sampler.evaluate = [&copula, &levels](MatrixView<const T> y, std::size_t level, MatrixView<T> g) {
    OuField<T> field(copula);
    const Vector time(y.rows, OuProcess::angle(levels.time[level]));
    field.evaluate(y, time.data(), Form::gradient, g);
  };
  return sampler;
}

SolverOptions on_levels(const OuLevels& levels, CdcSolver solver, std::size_t steps, std::uint64_t seed,
                        std::uint64_t first_row) {
  SolverOptions options;
  options.solver = to_solver(solver);
  options.clock = Clock::w;
  for (std::size_t level : node_levels(levels, steps))
    options.nodes.push_back(OuProcess::angle(levels.time[level]));
  options.seed = seed;
  options.first_row = first_row;
  return options;
}

template <class T>
Vector integrate(const Copula& copula, const OuLevels& levels, CdcSolver solver, std::size_t steps,
                 const Vector& start, AtReference reference = AtReference::exact, std::uint64_t seed = 1,
                 SolverStatistics* statistics = nullptr, std::uint64_t first_row = 0) {
  const auto backend = make_cpu_backend<T>(2);
  const Matrix<T> y = on_backend(*backend, start, copula.dim(), true);
  if (is_published(solver)) {
    sample_as_published<T>(*backend, published_of<T>(copula, levels), levels, node_levels(levels, steps),
                           solver == CdcSolver::published_noisy, seed, first_row, y, {});
  } else {
    OuField<T> field(copula, reference == AtReference::borrowed ? levels.w[levels.last() - 1] : 0);
    const auto done = sklar::integrate<T>(*backend, field, on_levels(levels, solver, steps, seed, first_row),
                                          y, nullptr, {});
    if (statistics) *statistics = done;
  }
  return on_host<T>(*backend, left(y, copula.dim()));
}

// The same map for N(0, lambda) in one dimension (everything commutes with the correlation matrix): the end
// state is gain * start + noise of this variance, worked out from the formulas of A.8.
struct Moments {
  double gain, noise;
};

enum class Scheme { ab2, heun, exponential_em, one_step_em, published_mean, published_noisy };

Moments recursion(Scheme scheme, const OuLevels& levels, std::size_t steps, AtReference reference,
                  double lambda) {
  const auto nodes = node_levels(levels, steps);
  auto w = [&](std::size_t i) { return levels.w[nodes[i]]; };
  auto t = [&](std::size_t i) { return levels.time[nodes[i]]; };
  auto excess = [&](double at) { return (lambda - 1) * at / (1 + at * (lambda - 1)); };  // G = excess z
  auto rate = [&](std::size_t i) {                                                       // dz/dw = rate z
    const double at = i == 0 && reference == AtReference::borrowed ? levels.w[levels.last() - 1] : w(i);
    return (lambda - 1) / (2 * (1 + at * (lambda - 1)));
  };
  // state (z, field of the step before) = (gain, field_gain) start + noise with this covariance
  double gain = 1, field_gain = 0, vzz = 0, vzf = 0, vff = 0, previous = 0;
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
    const double step = w(i + 1) - w(i), h = t(i) - t(i + 1), decay = std::exp(-h);
    double zz = 1, zf = 0, fz = 0, added = 0;  // z <- zz z + zf f, f <- fz z
    if (scheme == Scheme::ab2) {
      const double ratio = i ? step / (2 * previous) : 0;
      fz = rate(i);
      zz = 1 + step * (1 + ratio) * fz;
      zf = -step * ratio;
      previous = step;
    } else if (scheme == Scheme::heun) {
      zz = 1 + step / 2 * (rate(i) + rate(i + 1) * (1 + step * rate(i)));
    } else if ((scheme == Scheme::exponential_em || scheme == Scheme::one_step_em) && w(i) == 0) {
      zz = 1 + step * rate(0);  // pure noise is left along the ODE
    } else if (scheme == Scheme::exponential_em || scheme == Scheme::one_step_em) {
      const double extrapolated =
          scheme == Scheme::exponential_em && previous > 0 ? 2 * (h - 1 + decay) / previous : 0;
      fz = 2 * w(i) * rate(i);
      zz = decay + (2 * (1 - decay) + extrapolated) * fz;
      zf = -extrapolated;
      added = 1 - decay * decay;
      previous = h;
    } else {
      const bool at_reference = nodes[i] == levels.last();
      zz = decay + (at_reference ? 0 : 2 * std::sinh(h) * excess(w(i)));
      if (scheme == Scheme::published_noisy && i + 2 < nodes.size()) added = 1 - decay * decay;
    }
    const double old_gain = gain, old_zz = vzz;
    gain = zz * gain + zf * field_gain;
    field_gain = fz * old_gain;
    vzz = zz * zz * vzz + 2 * zz * zf * vzf + zf * zf * vff + added;
    vzf = fz * (zz * old_zz + zf * vzf);
    vff = fz * fz * old_zz;
  }
  return {gain, vzz};
}

// The end covariance from a standard normal start, and the gain as a matrix.
struct LinearMap {
  Square gain, covariance;
};

LinearMap linear_map(Scheme scheme, const OuLevels& levels, std::size_t steps, AtReference reference,
                     const Square& correlation) {
  const closed_form::Eigen e = closed_form::eigen(correlation);
  Vector gain, variance;
  for (double lambda : e.values) {
    const Moments m = recursion(scheme, levels, steps, reference, lambda);
    gain.push_back(m.gain);
    variance.push_back(m.gain * m.gain + m.noise);
  }
  return {closed_form::compose(e.vectors, gain), closed_form::compose(e.vectors, variance)};
}

// Nodes and weights of the Gauss-Legendre rule on (0, 1).
struct Quadrature {
  Vector node, weight;
  explicit Quadrature(int n) {
    for (int i = 0; i < n; ++i) {
      double x = std::cos(3.14159265358979323846 * (i + 0.75) / (n + 0.5)), derivative = 0;
      for (int newton = 0; newton < 50; ++newton) {
        double p = 1, before = 0;
        for (int k = 0; k < n; ++k) before = std::exchange(p, ((2 * k + 1) * x * p - k * before) / (k + 1));
        derivative = n * (x * p - before) / (x * x - 1);
        x -= p / derivative;
      }
      node.push_back((1 - x) / 2);
      weight.push_back(1 / ((1 - x * x) * derivative * derivative));
    }
  }
};

}  // namespace

// ---- the closed forms themselves

namespace {

// Gradient, Laplacian and the equation of motion by central differences.
void check_field(const Copula& copula, std::uint64_t seed, double tolerance) {
  const std::size_t d = copula.dim(), rows = 100;
  const Vector points = closed_form::normals(rows, d, seed);
  double worst[3] = {};
  for (double t : {0.05, 0.2, 0.5, 1.0, 2.0}) {
    const double h = 1e-6, k = 1e-4;
    const auto now = copula.at(std::exp(-2 * t));
    const auto before = copula.at(std::exp(-2 * (t - h))), after = copula.at(std::exp(-2 * (t + h)));
    for (std::size_t i = 0; i < rows; ++i) {
      Vector z(points.begin() + static_cast<std::ptrdiff_t>(i * d),
               points.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
      Vector g(d), up(d), down(d);
      now->gradient(z.data(), g.data());
      double laplacian = 0, drift = 0, square = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const double at = z[j];
        z[j] = at + k;
        const double f_up = now->value(z.data());
        now->gradient(z.data(), up.data());
        z[j] = at - k;
        const double f_down = now->value(z.data());
        now->gradient(z.data(), down.data());
        z[j] = at;
        worst[0] = std::max(worst[0], std::abs((f_up - f_down) / (2 * k) - g[j]));
        laplacian += (up[j] - down[j]) / (2 * k);
        drift += z[j] * g[j];
        square += g[j] * g[j];
      }
      worst[1] = std::max(worst[1], std::abs(laplacian - now->laplacian(z.data())));
      const double change = (after->value(z.data()) - before->value(z.data())) / (2 * h);
      worst[2] = std::max(worst[2], std::abs(change - (now->laplacian(z.data()) - drift + square)));
    }
  }
  std::printf("      gradient %.1e, Laplacian %.1e, Fokker-Planck residual %.1e\n", worst[0], worst[1],
              worst[2]);
  CHECK(worst[0] < 1e-5);
  CHECK(worst[1] < 1e-4);
  CHECK(worst[2] < tolerance);
}

}  // namespace

TEST_CASE("4: the closed forms obey the log Fokker-Planck equation") {
  check_field(gaussian3, 1, 1e-6);
  check_field(mixture3, 2, 1e-6);
  check_field(cross, 3, 1e-6);
  check_field(fgm3, 4, 1e-6);
  check_field(mixture3.whitened(closed_form::lower_root(guide3)), 5, 1e-6);
}

TEST_CASE("a mixture of one is the Gaussian copula") {
  const Mixture one({1}, {gaussian3.correlation()});
  const Vector z = closed_form::normals(100, 3, 1);
  for (double w : {0.0, 0.3, 1.0}) {
    const auto a = gaussian3.at(w), b = one.at(w);
    for (std::size_t i = 0; i < 100; ++i) {
      Vector ga(3), gb(3);
      a->gradient(&z[3 * i], ga.data());
      b->gradient(&z[3 * i], gb.data());
      CHECK_NEAR(a->value(&z[3 * i]), b->value(&z[3 * i]), 1e-12);
      CHECK_NEAR(a->laplacian(&z[3 * i]), b->laplacian(&z[3 * i]), 1e-12);
      CHECK(largest_difference(ga, gb) < 1e-13);
    }
  }
}

// ---- 1

namespace {

template <class T>
double check_marginals(const Copula& copula, std::uint64_t seed) {
  const auto backend = make_cpu_backend<T>(2);
  Vector times = published_levels().time;
  times.push_back(INFINITY);
  const OuLevels levels(times);
  const LevelTable<T> table(*backend, levels);
  const std::size_t d = copula.dim(), count = levels.count(), rows = 4000 * count;
  const Matrix<T> x0 = on_backend<T>(*backend, copula.sample(rows, seed), d);
  Matrix<T> noise = backend->matrix(rows, d), x = backend->matrix(rows, d + 1);
  Buffer<std::int32_t> level = backend->template buffer<std::int32_t>(rows);
  double least = 1;
  TrainState state{};
  state.step = 5;
  BatchDraw<T> draw;
  draw.state = &state;
  draw.seed = seed;
  draw.data = x0;
  draw.levels = table.view();
  draw.active = rows;
  draw.noise = noise;
  draw.x = x;
  draw.level = level.data();
  backend->draw_batch(draw);
  Vector u(rows * d);
  backend->colour(u.data(), x, false, nullptr, nullptr);
  std::vector<std::int32_t> at(rows);
  backend->download(at.data(), level.data(), rows * sizeof(std::int32_t));
  const Vector z = on_host<T>(*backend, left(x, d));
  for (std::size_t k = 0; k < count; ++k) {
    Square product(d), expected = closed_form::combine(levels.w[k], copula.correlation(), 1 - levels.w[k],
                                                       closed_form::identity(d));
    std::vector<Vector> marginal(d);
    std::vector<Mean> cross_moment(d * d);
    for (std::size_t i = 0; i < rows; ++i) {
      if (static_cast<std::size_t>(at[i]) != k) continue;
      for (std::size_t j = 0; j < d; ++j) {
        marginal[j].push_back(u[i * d + j]);
        for (std::size_t m = 0; m < d; ++m)
          cross_moment[j * d + m].add(z[i * d + j] * z[i * d + m] - expected(j, m));
      }
    }
    CHECK(marginal[0].size() > rows / count / 2);
    for (const Vector& m : marginal) least = std::min(least, uniformity(m));
    for (const Mean& m : cross_moment) CHECK(m.score() < 4.5);
  }
  CHECK(least > 1e-4);
  return least;
}

}  // namespace

TEST_CASE("1: marginals stay uniform at all times") {
  const double least[] = {check_marginals<double>(cross, 1), check_marginals<float>(cross, 2),
                          check_marginals<double>(mixture3, 3), check_marginals<float>(mixture3, 4),
                          check_marginals<double>(fgm3, 5)};
  for (double p : least) std::printf("      least of the p values %.3g\n", p);
  // what would not be uniform is seen
  Vector u;
  for (std::size_t i = 0; i < 4000; ++i)
    u.push_back(normal_cdf(0.8 * closed_form::normals(1, 1, 1000 + i)[0]));
  CHECK(uniformity(u) < 1e-4);
}

// ---- 2

namespace {

// Largest score of mean((noise - predicted_noise) f(y)) over levels, coordinates and f, in the coordinates y
// = L^-1 z of a guide L L^T; with `white` the noise is standard normal there.
template <class T>
double denoiser_score(const Copula& copula, const Square* guide, std::uint64_t seed, bool white) {
  const auto backend = make_cpu_backend<T>(2);
  const OuLevels levels = recommended_levels();
  const LevelTable<T> table(*backend, levels);
  const std::size_t d = copula.dim(), count = levels.count(), rows = 6000 * count;
  const Square root = guide ? closed_form::lower_root(*guide) : closed_form::identity(d);
  const Square back = closed_form::inverse_of_lower(root);
  const Matrix<T> x0 = on_backend<T>(*backend, apply_to_rows(back, copula.sample(rows, seed)), d);
  Vector noise_rows = closed_form::normals(rows, d, seed + 1000);
  if (!white) noise_rows = apply_to_rows(root, noise_rows);
  const Matrix<T> noise = on_backend<T>(*backend, noise_rows, d);
  Matrix<T> x = backend->matrix(rows, d + 1), gradient = backend->matrix(rows, d);
  std::vector<std::int32_t> level(rows);
  for (std::size_t i = 0; i < rows; ++i) level[i] = static_cast<std::int32_t>(i % count);
  given_batch::noise_rows<T>(x, x0, noise, level.data(), levels);
  const auto* mixture = dynamic_cast<const Mixture*>(&copula);
  const auto* gaussian = dynamic_cast<const Gaussian*>(&copula);
  std::vector<std::unique_ptr<closed_form::Field>> field;
  for (double w : levels.w) {
    if (!guide) {
      field.push_back(copula.at(w));
    } else if (mixture) {
      field.push_back(mixture->whitened(root).at(w));
    } else {
      const Square r = closed_form::multiply(closed_form::multiply(back, gaussian->correlation()),
                                             closed_form::transposed(back));
      field.push_back(Gaussian(r).at(w));
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    const Vector y(x.view().row(i), x.view().row(i) + d);
    Vector g(d);
    field[static_cast<std::size_t>(level[i])]->gradient(y.data(), g.data());
    std::copy(g.begin(), g.end(), gradient.view().row(i));
  }
  const Matrix<T> logits = backend->matrix(rows, count);
  Matrix<T> logit_adjoint = backend->matrix(rows, count), gradient_adjoint = backend->matrix(rows, d + 1);
  Matrix<T> predicted_noise = backend->matrix(rows, d);
  Vector row_losses(2 * rows);
  TrainState state{};
  ClassifierLoss<T> loss;
  loss.logits = logits;
  loss.gradient = gradient;
  loss.x = x;
  loss.noise = noise;
  loss.level = level.data();
  loss.levels = table.view();
  loss.active = rows;
  loss.active_error_weight = 1.0 / static_cast<double>(rows);
  loss.logit_adjoint = logit_adjoint;
  loss.gradient_adjoint = gradient_adjoint;
  loss.predicted_noise = predicted_noise;
  loss.row_losses = row_losses.data();
  loss.state = &state;
  backend->classifier_loss(loss);

  const Vector predicted = on_host<T>(*backend, predicted_noise), z = on_host<T>(*backend, left(x, d));
  const std::function<double(const double*)> functions[] = {
      [](const double*) { return 1.0; },
      [](const double* v) { return v[0]; },
      [](const double* v) { return v[1]; },
      [](const double* v) { return v[0] * v[0]; },
      [](const double* v) { return std::tanh(v[0] * v[1]); },
      [](const double* v) { return std::sin(2 * v[0] - v[1]); },
      [](const double* v) { return v[0] * v[1] * v[1]; },
  };
  double worst = 0, squares = 0;
  // pure noise is told back exactly
  for (std::size_t i = count - 1; i < rows; i += count)
    for (std::size_t j = 0; j < d; ++j)
      CHECK_NEAR(predicted[i * d + j], noise_rows[i * d + j], sizeof(T) == 8 ? 1e-14 : 2e-6);
  for (std::size_t k = 0; k + 1 < count; ++k)
    for (const auto& f : functions)
      for (std::size_t j = 0; j < d; ++j) {
        Mean mean;
        for (std::size_t i = k; i < rows; i += count)
          mean.add((noise_rows[i * d + j] - predicted[i * d + j]) * f(&z[i * d]));
        worst = std::max(worst, mean.score());
      }
  for (std::size_t i = 0; i < rows * d; ++i)
    squares += (noise_rows[i] - predicted[i]) * (noise_rows[i] - predicted[i]);
  CHECK_NEAR(state.squared_error, squares / static_cast<double>(rows * d), 1e-5 * state.squared_error);
  return worst;
}

void check_denoiser(const Copula& copula, const Square* guide, std::uint64_t seed) {
  const double in_double = denoiser_score<double>(copula, guide, seed, true);
  const double in_float = denoiser_score<float>(copula, guide, seed + 1, true);
  std::printf("      largest score %.2f, in single precision %.2f\n", in_double, in_float);
  CHECK(in_double < 4.5);
  CHECK(in_float < 4.5);
}

}  // namespace

TEST_CASE("2: E[noise | z] = sigma (z - G)") {
  check_denoiser(gaussian3, nullptr, 10);
  check_denoiser(cross, nullptr, 20);
  check_denoiser(mixture3, nullptr, 30);
  check_denoiser(fgm3, nullptr, 40);
}

TEST_CASE("2: E[noise | y] = sigma (y - G) in the coordinates of a guide") {
  check_denoiser(gaussian3, &guide3, 50);
  check_denoiser(mixture3, &guide3, 60);
  const double without = denoiser_score<double>(mixture3, &guide3, 60, false);
  std::printf("      with other noise %.1f\n", without);
  CHECK(without > 10);
}

// The loss is quadratic in G: central differences are exact.
TEST_CASE("2: the adjoint of G equals central differences") {
  const auto backend = make_cpu_backend<double>(1);
  const OuLevels levels = published_levels();
  const LevelTable<double> table(*backend, levels);
  const std::size_t d = 3, count = levels.count(), rows = 12, active = 9;
  const Matrix<double> x = on_backend<double>(*backend, closed_form::normals(rows, d, 1), d, true);
  const Matrix<double> noise = on_backend<double>(*backend, closed_form::normals(rows, d, 2), d);
  const Matrix<double> gradient = on_backend<double>(*backend, closed_form::normals(rows, d, 3), d);
  const Matrix<double> logits = on_backend<double>(*backend, closed_form::normals(rows, count, 4), count);
  Matrix<double> logit_adjoint = backend->matrix(rows, count), adjoint = backend->matrix(rows, d + 1);
  std::vector<std::int32_t> level(rows);
  for (std::size_t i = 0; i < rows; ++i)
    level[i] = static_cast<std::int32_t>(i < active ? 1 + i % 8 : i % 2 * 9);
  Vector row_losses(2 * rows);
  TrainState state{};
  const Matrix<double> predicted_noise = backend->matrix(rows, noise.columns());
  ClassifierLoss<double> loss;
  loss.predicted_noise = predicted_noise;
  loss.logits = logits;
  loss.gradient = gradient;
  loss.x = x;
  loss.noise = noise;
  loss.level = level.data();
  loss.levels = table.view();
  loss.active = active;
  loss.cross_entropy_weight = 0.2;
  loss.active_row_weight = 0.08;
  loss.passive_row_weight = 0.05;
  loss.active_error_weight = 0.11;
  loss.passive_error_weight = 0.07;
  loss.logit_adjoint = logit_adjoint;
  loss.gradient_adjoint = adjoint;
  loss.row_losses = row_losses.data();
  loss.state = &state;
  auto value = [&] {
    backend->classifier_loss(loss);
    return 0.2 * state.cross_entropy + state.squared_error;
  };
  value();
  const Vector field = on_host<double>(*backend, adjoint.first(active));
  const Vector logit = on_host<double>(*backend, logit_adjoint);
  auto difference = [&](double& at, double h) {
    const double before = at;
    at = before + h;
    const double up = value();
    at = before - h;
    const double down = value();
    at = before;
    return (up - down) / (2 * h);
  };
  for (std::size_t i = 0; i < active; ++i) {
    for (std::size_t j = 0; j < d; ++j)
      CHECK_NEAR(field[i * (d + 1) + j], difference(gradient.view().row(i)[j], 0.5), 1e-13);
    CHECK_EQUAL(field[i * (d + 1) + d], 0.0);  // the column of ones does not move
  }
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < count; ++j)
      CHECK_NEAR(logit[i * count + j], difference(logits.view().row(i)[j], 1e-4), 1e-9);
}

// ---- 3

namespace {

template <class T>
void check_posterior(double tolerance) {
  const auto backend = make_cpu_backend<T>(2);
  const std::size_t d = 3, rows = 40000;
  for (const OuLevels& levels : {published_levels(), recommended_levels()}) {
    const LevelTable<T> table(*backend, levels);
    const std::size_t count = levels.count(), last = levels.last();
    const Matrix<T> data = on_backend<T>(*backend, gaussian3.sample(rows, 7), d);
    Matrix<T> noise = backend->matrix(rows, d), x = backend->matrix(rows, d + 1);
    Matrix<T> logits = backend->matrix(rows, count), adjoint = backend->matrix(rows, count);
    Matrix<T> gradient_adjoint = backend->matrix(rows, d + 1);
    std::vector<std::int32_t> level(rows);
    Vector row_losses(2 * rows);
    TrainState state{};
    BatchDraw<T> draw;
    draw.state = &state;
    draw.seed = 11;
    draw.data = data;
    draw.levels = table.view();
    draw.active = rows;
    draw.noise = noise;
    draw.x = x;
    draw.level = level.data();
    backend->draw_batch(draw);
    // exact logits: log p_k up to what all classes share
    std::vector<std::unique_ptr<closed_form::Field>> at;
    Vector offset;
    std::vector<Square> precision;
    for (double w : levels.w) {
      at.push_back(gaussian3.at(w));
      const Square r = gaussian3.covariance_at(w);
      precision.push_back(closed_form::inverse(r));
      offset.push_back(-0.5 * closed_form::log_determinant(r));
    }
    const Vector z = on_host<T>(*backend, left(x, d));
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t k = 0; k < count; ++k) {
        const Vector pulled = closed_form::apply(precision[k], &z[i * d]);
        double logit = offset[k];
        for (std::size_t j = 0; j < d; ++j) logit -= 0.5 * z[i * d + j] * pulled[j];
        if (i < 10) CHECK_NEAR(logit, gaussian3.log_kernel(levels.w[k], &z[i * d]), 1e-12);
        logits.view().row(i)[k] = static_cast<T>(logit);
      }
    const Matrix<T> predicted_noise = backend->matrix(rows, noise.columns());
    ClassifierLoss<T> loss;
    loss.predicted_noise = predicted_noise;
    loss.logits = logits;
    loss.gradient = noise;  // any: only the cross entropy is looked at
    loss.x = x;
    loss.noise = noise;
    loss.level = level.data();
    loss.levels = table.view();
    loss.active = rows;
    loss.cross_entropy_weight = 1;
    loss.active_row_weight = 1;
    loss.logit_adjoint = adjoint;
    loss.gradient_adjoint = gradient_adjoint;
    loss.row_losses = row_losses.data();
    loss.state = &state;
    backend->classifier_loss(loss);

    const Vector c = on_host<T>(*backend, adjoint);
    double worst = 0, worst_ratio = 0, worst_share = 0, entropy = 0;
    Vector ratio(rows);
    std::vector<std::array<Mean, 4>> stationary(count);
    for (std::size_t i = 0; i < rows; ++i) {
      const double* row = &z[i * d];
      const auto k = static_cast<std::size_t>(level[i]);
      // the adjoint is posterior - one-hot; the class's own posterior would lose its digits
      std::size_t r = k == last ? 0 : last;
      for (std::size_t s = 0; s < count; ++s) {
        if (s == k || c[i * count + s] < 1e-30 || c[i * count + r] < 1e-30) continue;
        const double log_ratio = std::log(c[i * count + s]) - std::log(c[i * count + r]);
        worst = std::max(worst, std::abs(log_ratio - (at[s]->value(row) - at[r]->value(row))));
      }
      double sum = 0;
      for (std::size_t s = 0; s < count; ++s) {
        sum += std::exp(at[s]->value(row) - at[k]->value(row));
        const double a = c[i * count + s];
        stationary[s][0].add(a);
        stationary[s][1].add(a * row[0] * row[1]);
        stationary[s][2].add(a * row[2] * row[2]);
        stationary[s][3].add(a * std::cos(row[0] + row[2]));
      }
      entropy += std::log(sum);
      for (std::size_t s = 0; s < count; ++s) {
        const double posterior = std::exp(at[s]->value(row) - at[k]->value(row)) / sum;
        worst_share = std::max(worst_share, std::abs(c[i * count + s] - (posterior - (s == k ? 1 : 0))));
      }
    }
    CHECK(worst < tolerance);
    CHECK(worst_share < tolerance);
    CHECK_NEAR(state.cross_entropy / entropy, 1, tolerance);
    double score = 0;
    for (const auto& s : stationary)
      for (const Mean& m : s) score = std::max(score, m.score());
    CHECK(score < 4.5);
    for (std::size_t k : {std::size_t{0}, std::size_t{4}}) {
      backend->log_ratio(ratio.data(), logits, k);
      for (std::size_t i = 0; i < rows; ++i)
        worst_ratio = std::max(worst_ratio,
                               std::abs(ratio[i] - (at[k]->value(&z[i * d]) - at[last]->value(&z[i * d]))));
    }
    CHECK(worst_ratio < tolerance);
    if (levels.w[last] == 0) CHECK_EQUAL(at[last]->value(&z[0]), 0.0);  // then the ratio is log c itself
    std::printf("      posterior differences off by %.1e, log ratios %.1e; stationarity score %.2f\n", worst,
                worst_ratio, score);
  }
}

}  // namespace

TEST_CASE("3: differences of class posteriors are log density ratios") {
  check_posterior<double>(1e-10);
  check_posterior<float>(2e-4);
}

TEST_CASE("3: bias of a reference at a finite time") {
  struct Row {
    std::size_t dim, rows;
    double bias, digits;
  };
  // quoted in A.4
  for (const Row& r :
       {Row{2, 200000, 0.002, 0.0005}, Row{10, 50000, 0.089, 0.0005}, Row{100, 5000, 8.15, 0.005}}) {
    const double w = std::exp(-6.0);
    const Square correlation = closed_form::equicorrelation(r.dim, 0.9);
    double bias = 0, total = 0;
    for (std::size_t j = 0; j < r.dim; ++j) {
      const double lambda = j ? 0.1 : 1 + 0.9 * static_cast<double>(r.dim - 1), at = 1 + w * (lambda - 1);
      bias -= 0.5 * (std::log(at) + lambda / at - 1);
      total -= 0.5 * std::log(lambda);
    }
    CHECK_NEAR(std::abs(bias), r.bias, r.digits);
    if (r.dim == 100) CHECK_NEAR(total, 111.7, 0.05);
    // log c_T at data and log c, by the code of the Gaussian copula
    const Vector root = closed_form::lower_root(correlation).data;
    const Vector at_end = cholesky(Gaussian(correlation).covariance_at(w).data, r.dim);
    Vector z(r.rows * r.dim), density(r.rows);
    gaussian_sample(2, root, r.dim, r.rows, 3, 0, true, z.data(), {});
    gaussian_log_pdf(2, at_end, z.data(), true, r.rows, r.dim, density.data(), {});
    Mean measured, whole;
    for (double x : density) measured.add(x - bias);
    gaussian_log_pdf(2, root, z.data(), true, r.rows, r.dim, density.data(), {});
    for (double x : density) whole.add(x - total);
    CHECK(measured.score() < 3);
    CHECK(whole.score() < 3);
    std::printf("      d = %zu: bias %.4f of %.2f nats, measured %.4f +- %.4f\n", r.dim, bias, total,
                bias + measured.value(), measured.error());
  }
}

// ---- 5 and 6

namespace {

void check_orders(const Copula& copula, const Vector& start, const Vector& end,
                  const std::vector<std::size_t>& counts, double expected) {
  for (CdcSolver solver : {CdcSolver::ab2, CdcSolver::heun})
    for (AtReference reference : {AtReference::exact, AtReference::borrowed}) {
      Vector steps, errors;
      for (std::size_t count : counts) {
        const OuLevels levels = uniform_levels(count, 0);
        SolverStatistics statistics;
        errors.push_back(rms_difference(
            integrate<double>(copula, levels, solver, count - 1, start, reference, 1, &statistics), end));
        steps.push_back(static_cast<double>(count - 1));
        const std::size_t evaluations = (solver == CdcSolver::heun ? 2 : 1) * (count - 1);
        CHECK_EQUAL(statistics.most_evaluations, evaluations);
      }
      const double slope = order(steps, errors);
      std::printf("      %s%s: order %.3f, error %.1e at %g steps\n",
                  solver == CdcSolver::ab2 ? "ab2" : "heun",
                  reference == AtReference::exact ? "" : " borrowing", slope, errors.back(), steps.back());
      CHECK_NEAR(slope, expected, 0.15);
    }
}

}  // namespace

TEST_CASE("5: AB2 and Heun are of order 2 on the Gaussian copula") {
  const Vector start = closed_form::normals(32, 3, 5);
  const closed_form::Eigen e = closed_form::eigen(gaussian3.correlation());
  Vector root;
  for (double lambda : e.values) root.push_back(std::sqrt(lambda));
  const Vector end = apply_to_rows(closed_form::compose(e.vectors, root), start);
  CHECK(largest_difference(reference_map(gaussian3, start, 512), end) < 1e-8);
  check_orders(gaussian3, start, end, {129, 257, 513, 1025}, 2);
}

TEST_CASE("5: AB2 and Heun are of order 2 on the mixture") {
  const Vector start = closed_form::normals(32, 2, 6), end = reference_map(cross, start, 1024);
  CHECK(largest_difference(reference_map(cross, start, 512), end) < 1e-7);
  check_orders(cross, start, end, {65, 129, 257, 513}, 2);
}

TEST_CASE("6: third-order interactions lower the order in the clock w to 3/2") {
  const Vector start = closed_form::normals(32, 3, 7), end = reference_map(fgm3, start, 1024);
  CHECK(largest_difference(reference_map(fgm3, start, 512), end) < 1e-8);
  check_orders(fgm3, start, end, {129, 257, 513, 1025}, 1.5);
}

// ---- 7

namespace {

const struct {
  CdcSolver solver;
  Scheme scheme;
  const char* name;
} solvers[] = {{CdcSolver::ab2, Scheme::ab2, "ab2"},
               {CdcSolver::heun, Scheme::heun, "heun"},
               {CdcSolver::exponential_em, Scheme::exponential_em, "exponential-em"},
               {CdcSolver::published_mean, Scheme::published_mean, "published"},
               {CdcSolver::published_noisy, Scheme::published_noisy, "published-noisy"}};

}  // namespace

TEST_CASE("7: every solver's covariance on the Gaussian copula is that of its recursion") {
  const std::size_t rows = 50000;
  const Vector start = closed_form::normals(rows, 3, 8);
  const Vector few(start.begin(), start.begin() + 300);
  for (const auto& s : solvers)
    for (bool pure_noise : {false, true})
      for (AtReference reference : {AtReference::exact, AtReference::borrowed})
        for (std::size_t steps : {9, 4}) {
          if (is_published(s.solver) && (pure_noise || reference == AtReference::borrowed)) continue;
          const OuLevels levels = pure_noise ? recommended_levels() : published_levels();
          const LinearMap map = linear_map(s.scheme, levels, steps, reference, gaussian3.correlation());
          if (s.solver != CdcSolver::exponential_em && s.solver != CdcSolver::published_noisy) {
            // without noise the map itself can be compared
            const Vector expected = apply_to_rows(map.gain, few);
            CHECK(largest_difference(integrate<double>(gaussian3, levels, s.solver, steps, few, reference),
                                     expected) < 1e-12);
            CHECK(largest_difference(integrate<float>(gaussian3, levels, s.solver, steps, few, reference),
                                     expected) < 1e-5);
            continue;
          }
          const Vector end = integrate<double>(gaussian3, levels, s.solver, steps, start, reference);
          check_covariance(covariance_of(end, 3), map.covariance, static_cast<double>(rows), 4);
          // the noise alone, and that it does not depend on the start
          const Vector nothing(few.size(), 0.0);
          const Vector a = integrate<double>(gaussian3, levels, s.solver, steps, few, reference);
          const Vector b = integrate<double>(gaussian3, levels, s.solver, steps, nothing, reference);
          Vector gain(a.size());
          for (std::size_t i = 0; i < a.size(); ++i) gain[i] = a[i] - b[i];
          CHECK(largest_difference(gain, apply_to_rows(map.gain, few)) < 1e-12);
          const Vector c = integrate<float>(gaussian3, levels, s.solver, steps, few, reference);
          CHECK(largest_difference(a, c) < 1e-5);
        }
}

TEST_CASE("7: what independent coordinates become") {
  const Gaussian independent(closed_form::identity(3));
  const std::size_t rows = 50000;
  const Vector start = closed_form::normals(rows, 3, 9);
  const Square before = covariance_of(start, 3), one = closed_form::identity(3);
  for (const OuLevels& levels : {published_levels(), recommended_levels()})
    for (const auto& s : solvers) {
      if (is_published(s.solver) && levels.w.back() == 0) continue;
      const Vector end = integrate<double>(independent, levels, s.solver, 9, start);
      const Square after = covariance_of(end, 3);
      double variance = 1;
      const double h_last = levels.time[1];
      switch (s.solver) {
        case CdcSolver::ab2:
        case CdcSolver::heun:
          CHECK(end == start);
          break;
        case CdcSolver::exponential_em:
          break;
        case CdcSolver::published_mean:
          variance = std::exp(-6.0);  // e^-2T
          for (std::size_t i = 0; i < end.size(); ++i) CHECK_NEAR(end[i], std::exp(-3.0) * start[i], 1e-14);
          continue;
        case CdcSolver::published_noisy:
          variance = std::exp(-2 * h_last);
          CHECK_NEAR(variance, 0.889, 0.0005);
          break;
      }
      const Moments m = recursion(s.scheme, levels, 9, AtReference::exact, 1);
      CHECK_NEAR(m.gain * m.gain + m.noise, variance, 1e-14);
      if (s.solver != CdcSolver::ab2 && s.solver != CdcSolver::heun)
        check_covariance(after, closed_form::combine(variance, one, 0, one), static_cast<double>(rows), 4);
      std::printf("      %s%s: variance %.4f %.4f %.4f (start %.4f %.4f %.4f)\n", s.name,
                  levels.w.back() == 0 ? ", from pure noise" : "", after(0, 0), after(1, 1), after(2, 2),
                  before(0, 0), before(1, 1), before(2, 2));
    }
}

TEST_CASE("7: the published sampler clips, counts and wants a finite reference") {
  const Gaussian independent(closed_form::identity(2));
  const OuLevels levels = published_levels();
  const auto backend = make_cpu_backend<double>(1);
  PublishedSampler<double> sampler = published_of<double>(independent, levels);
  sampler.clamp = [&](MatrixView<double> y, double bound) {
    CHECK_EQUAL(bound, 6.0);
    std::uint64_t acted = 0;
    for (std::size_t i = 0; i < y.rows; ++i)
      for (std::size_t j = 0; j < 2; ++j) {
        double& value = y.row(i)[j];
        acted += std::abs(value) > bound;
        value = std::clamp(value, -bound, bound);
      }
    return acted;
  };
  // after the first step, of length t_9 - t_8, the largest is clipped; then it shrinks
  const double shrink = std::exp(levels.time[8] - levels.time[9]);
  const Matrix<double> y =
      on_backend<double>(*backend, {100, -100, 1, -30, 6.1 / shrink, 5.9 / shrink}, 2, true);
  const auto done =
      sample_as_published<double>(*backend, sampler, levels, node_levels(levels, 9), false, 1, 0, y, {});
  CHECK_EQUAL(done.clamped, 3u);
  CHECK_EQUAL(done.evaluations, 8u);
  const double left_over = std::exp(-levels.time[8]);
  const Vector end = on_host<double>(*backend, left(y, 2));
  const Vector expected = {6 * left_over,        -6 * left_over, std::exp(-3.0),
                           -30 * std::exp(-3.0), 6 * left_over,  5.9 * left_over};
  CHECK(largest_difference(end, expected) < 1e-12);
  CHECK_THROWS(integrate<double>(independent, recommended_levels(), CdcSolver::published_mean, 9, {1, 2}),
               Error, error.code() == "VALUE");
  CHECK_THROWS(integrate<double>(independent, recommended_levels(), CdcSolver::ab2, 10, {1, 2}), Error,
               error.code() == "VALUE");
}

TEST_CASE("fewer steps take levels that are evenly spaced") {
  const OuLevels levels = recommended_levels();
  CHECK((node_levels(levels, 9) == std::vector<std::size_t>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
  CHECK((node_levels(levels, 4) == std::vector<std::size_t>{9, 7, 4, 2, 0}));
  CHECK((node_levels(levels, 1) == std::vector<std::size_t>{9, 0}));
  for (std::size_t steps = 1; steps <= 9; ++steps) {
    const auto nodes = node_levels(levels, steps);
    for (std::size_t i = 0; i <= steps; ++i) {
      const double even = 9.0 * static_cast<double>(steps - i) / static_cast<double>(steps);
      CHECK_NEAR(nodes[i], even, 0.5);
    }
  }
  CHECK_THROWS(node_levels(levels, 0), Error, error.code() == "VALUE");
  CHECK_THROWS(node_levels(levels, 10), Error, error.code() == "VALUE");
}

TEST_CASE("noise depends on seed and row alone") {
  const OuLevels levels = recommended_levels();
  const Vector start = closed_form::normals(300, 3, 10);
  const Vector all = integrate<double>(gaussian3, levels, CdcSolver::exponential_em, 9, start);
  CHECK(all == integrate<double>(gaussian3, levels, CdcSolver::exponential_em, 9, start));
  CHECK(all !=
        integrate<double>(gaussian3, levels, CdcSolver::exponential_em, 9, start, AtReference::exact, 2));
  const Vector tail(start.begin() + 3 * 130, start.end());
  CHECK(integrate<double>(gaussian3, levels, CdcSolver::exponential_em, 9, tail, AtReference::exact, 1,
                          nullptr, 130) == Vector(all.begin() + 3 * 130, all.end()));
}

// The table at the end of A.8: ten published classes, exact fields.
TEST_CASE("7: measured divergences of the samplers") {
  struct Row {
    std::size_t dim;
    double rho, ab2, ab2_borrowed, heun, one_step_em, published;
  };
  const OuLevels levels = published_levels();
  for (const Row& r : {Row{2, 0.9, 0.0017, 0.0015, 0.0013, 0.071, 0.083},
                       Row{10, 0.7, 0.0004, 0.0040, 0.00003, 0.161, 0.144}}) {
    const Square correlation = closed_form::equicorrelation(r.dim, r.rho);
    const Gaussian copula(correlation);
    auto of_map = [&](CdcSolver solver, AtReference reference) {
      // the images of the unit vectors
      const Square gain(
          r.dim, integrate<double>(copula, levels, solver, 9, closed_form::identity(r.dim).data, reference));
      return divergence(correlation, closed_form::multiply(closed_form::transposed(gain), gain));
    };
    auto of_recursion = [&](Scheme scheme) {
      return divergence(correlation,
                        linear_map(scheme, levels, 9, AtReference::exact, correlation).covariance);
    };
    const double ab2 = of_map(CdcSolver::ab2, AtReference::exact);
    const double borrowed = of_map(CdcSolver::ab2, AtReference::borrowed);
    const double heun = of_map(CdcSolver::heun, AtReference::exact);
    const double two_step = of_recursion(Scheme::exponential_em),
                 one_step = of_recursion(Scheme::one_step_em);
    const double published = of_recursion(Scheme::published_noisy);
    std::printf(
        "      d = %zu: ab2 %.5f (borrowing %.5f), heun %.5f, exponential-em %.4f (one step %.4f), "
        "published-noisy %.4f\n",
        r.dim, ab2, borrowed, heun, two_step, one_step, published);
    CHECK_NEAR(ab2, r.ab2, 0.00005);
    CHECK_NEAR(borrowed, r.ab2_borrowed, 0.00005);
    CHECK_NEAR(heun, r.heun, r.heun < 0.001 ? 0.000005 : 0.00005);
    CHECK_NEAR(one_step, r.one_step_em, 0.0006);
    CHECK(two_step < one_step / 2);
    // there with the exact field at the reference, here with the classifier's, which is zero
    CHECK_NEAR(published, r.published, 0.05 * r.published);
  }
}

// ---- 11

TEST_CASE("11: the integral of E|G|^2 is the total correlation, Gaussian copula") {
  const Quadrature rule(64);
  for (const Gaussian& g : {gaussian3, Gaussian(closed_form::equicorrelation(5, 0.6))}) {
    const std::size_t d = g.dim();
    double integral = 0;
    for (std::size_t q = 0; q < rule.node.size(); ++q) {
      const double w = rule.node[q];
      const auto field = g.at(w);
      const Square columns = closed_form::transposed(closed_form::lower_root(g.covariance_at(w)));
      Vector image(d);
      for (std::size_t j = 0; j < d; ++j) {  // G is linear: E|G|^2 = sum of |G(column of L)|^2
        field->gradient(&columns.data[j * d], image.data());
        for (double x : image) integral += rule.weight[q] * x * x / (2 * w);
      }
    }
    CHECK_NEAR(integral, -0.5 * closed_form::log_determinant(g.correlation()), 1e-12);
  }
}

TEST_CASE("11: the integral of E|G|^2 is the total correlation, mixtures") {
  const auto backend = make_cpu_backend<double>(2);
  const Quadrature rule(12);
  // the rule's nodes as noise levels, between data and pure noise; nodes increase, times decrease
  Vector times = {0};
  for (std::size_t q = rule.node.size(); q-- > 0;) times.push_back(-0.5 * std::log(rule.node[q]));
  times.push_back(INFINITY);
  const OuLevels levels(times);
  for (const Mixture* copula : {&cross, &mixture3}) {
    const std::size_t d = copula->dim(), rows = 15000;
    const Vector data = copula->sample(rows, 21);
    const Matrix<double> x0 = on_backend<double>(*backend, data, d);
    Matrix<double> noise = backend->matrix(rows, d), x = backend->matrix(rows, d + 1);
    Vector integral(rows, 0.0), g(d);
    for (std::size_t k = 1; k < levels.last(); ++k) {
      const std::vector<std::int32_t> level(rows, static_cast<std::int32_t>(k));
      backend->normals(noise, 22, 0, k, kTagTrainNoise);
      given_batch::noise_rows<double>(x, x0, noise, level.data(), levels);
      const auto field = copula->at(levels.w[k]);
      const double weight = rule.weight[rule.node.size() - k] / (2 * levels.w[k]);
      for (std::size_t i = 0; i < rows; ++i) {
        field->gradient(x.view().row(i), g.data());
        for (double v : g) integral[i] += weight * v * v;
      }
    }
    Mean difference, total;
    const auto density = copula->at(1);
    for (std::size_t i = 0; i < rows; ++i) {
      const double log_c = density->value(&data[i * d]);
      difference.add(integral[i] - log_c);
      total.add(log_c);
    }
    std::printf("      E log c %.4f +- %.4f, integral off by %.4f +- %.4f\n", total.value(), total.error(),
                difference.value(), difference.error());
    CHECK(difference.score() < 3);
    if (copula == &cross) CHECK_NEAR(total.value(), 0.41, 0.005 + 3 * total.error());  // quoted in H.2
  }
}

// ---- 18 and 19

TEST_CASE("18: G / 2w tends to (R_N - I) z / 2") {
  const Vector points = closed_form::normals(50, 3, 31);
  for (const Copula* copula : {static_cast<const Copula*>(&mixture3), static_cast<const Copula*>(&cross),
                               static_cast<const Copula*>(&gaussian3)}) {
    const std::size_t d = copula->dim(), rows = 150 / d;
    const Square slope = closed_form::combine(0.5, copula->correlation(), -0.5, closed_form::identity(d));
    Vector ws, errors;
    for (double w = 1.0 / 64; w > 1e-5; w /= 4) {
      const auto field = copula->at(w);
      Vector rate(d), got, expected;
      for (std::size_t i = 0; i < rows; ++i) {
        field->gradient(&points[i * d], rate.data());
        for (double g : rate) got.push_back(g / (2 * w));
        const Vector limit = closed_form::apply(slope, &points[i * d]);
        expected.insert(expected.end(), limit.begin(), limit.end());
      }
      ws.push_back(1 / w);
      errors.push_back(rms_difference(got, expected));
    }
    CHECK_NEAR(order(ws, errors), 1, 0.05);
    std::printf("      order %.3f, error %.1e at w = %.1e\n", order(ws, errors), errors.back(),
                1 / ws.back());
  }
}

namespace {

// A network with random parameters: identities that hold whatever it computes.
template <class T>
struct RandomModel {
  std::unique_ptr<Backend<T>> backend = make_cpu_backend<T>(2);
  Cdc<T> model;
  explicit RandomModel(const CdcDefinition& definition)
      : model(*backend, definition, parameters(definition)) {}
  static std::vector<T> parameters(const CdcDefinition& definition) {
    const auto slices = residual_mlp_slices(definition.network);
    const std::size_t count = slices.back().offset + slices.back().rows;
    std::vector<T> values(count);
    const Vector normals = closed_form::normals(count, 1, 77);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(0.3 * normals[i]);
    return values;
  }
};

CdcDefinition definition3(const OuLevels& levels, bool guided) {
  CdcDefinition definition;
  definition.network = {3, 20, 2, levels.count(), Activation::silu};
  definition.times = levels.time;
  if (guided) definition.cholesky = closed_form::lower_root(guide3).data;
  definition.correlation = gaussian3.correlation().data;
  return definition;
}

}  // namespace

// One step of AB2 from pure noise is y + f(y) with the slope f at the reference, in whitened coordinates:
// z + (R S^-1 z - z) / 2.
TEST_CASE("18: the model's slope at the reference") {
  const OuLevels levels = recommended_levels();
  const Vector start = closed_form::normals(100, 3, 41);
  for (bool guided : {false, true}) {
    RandomModel<double> random(definition3(levels, guided));
    const Square inverse = guided ? closed_form::inverse(guide3) : closed_form::identity(3);
    const Square step = closed_form::combine(0.5, closed_form::multiply(gaussian3.correlation(), inverse),
                                             0.5, closed_form::identity(3));
    Vector end(300);
    SolverOptions options;
    options.solver = Solver::ab2;
    options.nodes = {reference_angle, 0};
    const Vector root = guided ? closed_form::lower_root(guide3).data : Vector{};
    sample_field(*random.backend, random.model.continuous_field(), options,
                 {guided ? root.data() : nullptr, nullptr, true, true}, start.data(), 100, end.data(), {},
                 {});
    CHECK(largest_difference(end, apply_to_rows(step, start)) < 1e-12);
  }
}

TEST_CASE("19: whitening gives the same log density") {
  const std::size_t rows = 1003;
  const Square root = closed_form::lower_root(guide3);
  const Mixture inner = mixture3.whitened(root);
  const Vector z = mixture3.sample(rows, 51);
  const auto direct = mixture3.at(1), through = inner.at(1);
  const double half = half_log_determinant(root.data.data(), 3);
  CHECK(largest_difference(root.data, cholesky(guide3.data, 3)) < 1e-15);
  auto check = [&]<class T>(Backend<T>& backend, bool from_gaussian, double tolerance) {
    Vector input = z;
    if (!from_gaussian)
      for (double& x : input) x = normal_cdf(x);
    const Matrix<T> y = backend.matrix(rows, 4);
    Vector quadratic(rows), back(rows * 3);
    backend.whiten(y, input.data(), from_gaussian, root.data.data(), quadratic.data());
    double worst = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      CHECK(y.view().row(i)[3] == T(1));
      const Vector row(y.view().row(i), y.view().row(i) + 3);
      const double log_density = through->value(row.data()) + quadratic[i] - half;
      worst = std::max(worst, std::abs(log_density - direct->value(&z[3 * i])));
    }
    CHECK(worst < tolerance);
    backend.colour(back.data(), y, from_gaussian, root.data.data(), nullptr);
    const double round_trip = largest_difference(back, input);
    CHECK(round_trip < (sizeof(T) == 8 ? 1e-13 : 2e-6));
    std::printf("      log density off by %.1e, back again by %.1e\n", worst, round_trip);
  };
  const auto in_double = make_cpu_backend<double>(2);
  const auto in_float = make_cpu_backend<float>(2);
  check(*in_double, true, 1e-9);
  check(*in_double, false, 1e-9);
  check(*in_float, true, 1e-4);
  check(*in_float, false, 1e-4);
  // without a guide nothing moves
  Matrix<double> y = in_double->matrix(rows, 4);
  Vector quadratic(rows), back(rows * 3);
  in_double->whiten(y, z.data(), true, nullptr, quadratic.data());
  in_double->colour(back.data(), y, true, nullptr, nullptr);
  CHECK(back == z);
  CHECK(quadratic == Vector(rows, 0.0));
}

TEST_CASE("19: a guided sampler ends in the guided coordinates") {
  // in y the process is the plain one: integrate there, colour, and the sample has the correlation of the
  // mixture
  const std::size_t rows = 30000;
  const Square root = closed_form::lower_root(guide3);
  const Mixture inner = mixture3.whitened(root);
  const OuLevels levels = uniform_levels(33, 0);
  const auto backend = make_cpu_backend<float>(2);
  OuField<float> field(inner);
  const Matrix<float> y = on_backend<float>(*backend, closed_form::normals(rows, 3, 61), 3, true);
  sklar::integrate<float>(*backend, field, on_levels(levels, CdcSolver::heun, 32, 1, 0), y, nullptr, {});
  Vector z(rows * 3), u(rows * 3);
  backend->colour(z.data(), y, true, root.data.data(), nullptr);
  backend->colour(u.data(), y, false, root.data.data(), nullptr);
  const Square expected = mixture3.correlation();
  const auto density = mixture3.at(1);
  std::vector<Mean> moment(9);
  Mean sampled, true_density;
  const Vector truth = mixture3.sample(rows, 62);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t b = 0; b < 3; ++b) moment[3 * a + b].add(z[3 * i + a] * z[3 * i + b] - expected(a, b));
    sampled.add(density->value(&z[3 * i]));
    true_density.add(density->value(&truth[3 * i]));
  }
  for (const Mean& m : moment) CHECK(m.score() < 4.5);
  CHECK_NEAR(sampled.value(), true_density.value(), 4.5 * std::hypot(sampled.error(), true_density.error()));
  for (std::size_t j = 0; j < 3; ++j) {
    Vector column;
    for (std::size_t i = 0; i < rows; ++i) column.push_back(u[3 * i + j]);
    CHECK(uniformity(column) > 1e-4);
  }
}

TEST_CASE("19: a guided model's field is the gradient of its log density") {
  const OuLevels levels = recommended_levels();
  const std::size_t rows = 40;
  const Vector z = closed_form::normals(rows, 3, 71);
  for (bool guided : {false, true}) {
    RandomModel<double> random(definition3(levels, guided));
    for (std::size_t level : {std::size_t{0}, std::size_t{5}, levels.last()}) {
      Vector field(rows * 3), up(rows), down(rows);
      random.model.field(z.data(), rows, level, field.data(), {});
      for (std::size_t j = 0; j < 3; ++j) {
        const double h = 1e-4;
        Vector moved = z;
        for (std::size_t i = 0; i < rows; ++i) moved[3 * i + j] = z[3 * i + j] + h;
        random.model.log_pdf(moved.data(), true, rows, level, up.data(), {}, {});
        for (std::size_t i = 0; i < rows; ++i) moved[3 * i + j] = z[3 * i + j] - h;
        random.model.log_pdf(moved.data(), true, rows, level, down.data(), {}, {});
        for (std::size_t i = 0; i < rows; ++i)
          CHECK_NEAR(field[3 * i + j], (up[i] - down[i]) / (2 * h), 1e-6);
      }
      if (level == levels.last()) {  // there the model is its guide
        Vector expected(rows);
        const auto log_guide = Gaussian(guide3).at(1);
        random.model.log_pdf(z.data(), true, rows, level, up.data(), {}, {});
        for (std::size_t i = 0; i < rows; ++i) expected[i] = guided ? log_guide->value(&z[3 * i]) : 0;
        CHECK(largest_difference(up, expected) < 1e-12);
      }
    }
  }
}
