#include "train/cdc_objective.hpp"

#include <cmath>

#include "check.hpp"
#include "core/random/philox.h"
#include "given_batch.hpp"
#include "train/trainer.hpp"

using namespace sklar;

namespace {

struct Problem {
  std::size_t dim, hidden, depth, batch;
  Activation activation;
};

std::vector<double> some_normals(std::size_t count, std::uint64_t seed) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<double>(philox_normals(philox(philox_counter(i, 0, 0, 9), philox_key(seed))).x);
  return values;
}

// r . G is the cotangent's product with the tangent pass in the direction r.
void check_tangent(Backend<double>& backend, SecondOrderNetwork<double>& network,
                   const ClassifierLoss<double>& loss, const std::vector<std::int32_t>& level) {
  const std::size_t d = loss.noise.columns, last = loss.levels.count - 1;
  const Matrix<double> tangent = backend.matrix(loss.active, loss.levels.count);
  network.tangent(loss.gradient_adjoint.first(loss.active), tangent);
  for (std::size_t i = 0; i < loss.active; ++i) {
    double direct = 0;
    for (std::size_t j = 0; j < d; ++j) direct += loss.gradient.row(i)[j] * loss.gradient_adjoint.row(i)[j];
    const double* t = tangent.view().row(i);
    CHECK_NEAR(t[level[i]] - t[last], direct, 1e-12);
  }
}

// Central differences of the loss in every direction of a random few parameters, in double precision.
void check_gradient(const Problem& p) {
  const OuLevels levels({0, 0.1, 0.3, 0.6, 1.1, INFINITY});
  auto backend = make_cpu_backend<double>(2);
  auto network =
      make_residual_mlp<double>(*backend, {p.dim, p.hidden, p.depth, levels.count(), p.activation});
  auto parameters = initial_parameters<double>(network->slices(), 3, false);
  const auto x0 = some_normals(p.batch * p.dim, 1), noise = some_normals(p.batch * p.dim, 2);
  CdcObjective<double> objective(*backend, *network, levels, p.batch);
  objective.use_stratified_levels(0.2);
  const ClassifierLoss<double> loss = objective.classifier_loss(nullptr);
  std::vector<std::int32_t> level(p.batch);
  for (std::size_t i = 0; i < p.batch; ++i)
    level[i] = static_cast<std::int32_t>(i < loss.active ? 1 + i % 4 : i % 2 ? 0 : 5);
  given_batch::put(*backend, objective, levels, x0, noise, level);
  auto loss_at = [&](const std::vector<double>& at, std::vector<double>* gradient) {
    const auto got = given_batch::derivative<double>(*backend, *network, objective, at);
    if (gradient) {
      *gradient = got.gradient;
      check_tangent(*backend, *network, loss, level);
    }
    return objective.loss(got.state);
  };
  std::vector<double> gradient;
  loss_at(parameters, &gradient);
  double scale = 0;
  for (double g : gradient) scale = std::max(scale, std::abs(g));
  CHECK(scale > 1e-4);
  for (const auto& slice : network->slices()) {
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t at = slice.offset + (j * 7919) % Network<double>::slice_size(slice);
      const double h = 1e-5;
      auto moved = parameters;
      moved[at] += h;
      const double up = loss_at(moved, nullptr);
      moved[at] -= 2 * h;
      const double down = loss_at(moved, nullptr);
      CHECK_NEAR(gradient[at], (up - down) / (2 * h), 2e-8 * std::max(1.0, scale));
    }
  }
}

}  // namespace

TEST_CASE("gradient equals central differences, merged, silu") {
  check_gradient({3, 40, 2, 30, Activation::silu});
}
TEST_CASE("gradient equals central differences, merged, published") {
  check_gradient({2, 17, 3, 25, Activation::published});
}
TEST_CASE("gradient equals central differences, not merged, silu") {
  check_gradient({5, 12, 2, 30, Activation::silu});
}
TEST_CASE("gradient equals central differences, not merged, published") {
  check_gradient({4, 9, 1, 14, Activation::published});
}

TEST_CASE("a training step does not depend on the number of threads") {
  const OuLevels levels({0, 0.1, 0.3, 0.6, 1.1, INFINITY});
  std::vector<float> result[3];
  for (std::size_t threads = 1; threads <= 3; ++threads) {
    auto backend = make_cpu_backend<float>(threads);
    auto network = make_residual_mlp<float>(*backend, {5, 70, 2, levels.count(), Activation::silu});
    TrainOptions options;
    options.seed = 5;
    options.adam = {{1e-3, 0.1, 2, 10}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.99};
    CdcObjective<float> objective(*backend, *network, levels, 301);
    objective.use_stratified_levels(0.2);
    Trainer<float> trainer(*backend, *network, objective, nullptr, options,
                           initial_parameters<float>(network->slices(), 3, false));
    const auto normals = some_normals(1000 * 5, 1);
    auto data = backend->matrix(1000, 5);
    backend->upload_matrix(data, std::vector<float>(normals.begin(), normals.end()).data());
    trainer.set_data(data, {});
    for (int i = 0; i < 5; ++i) trainer.step();
    result[threads - 1] = trainer.snapshot().parameters;
  }
  CHECK(result[0] == result[1]);
  CHECK(result[0] == result[2]);
}

TEST_CASE("a resumed run has the parameters and counts of a whole one") {
  const OuLevels levels({0, 0.1, 0.3, 0.6, 1.1, INFINITY});
  auto backend = make_cpu_backend<float>(1);
  auto network = make_residual_mlp<float>(*backend, {2, 8, 1, levels.count(), Activation::silu});
  CdcObjective<float> objective(*backend, *network, levels, 20);
  objective.use_stratified_levels(0.2);
  const auto normals = some_normals(50 * 2, 1);
  auto data = backend->matrix(50, 2);
  backend->upload_matrix(data, std::vector<float>(normals.begin(), normals.end()).data());
  TrainOptions options;
  options.steps = 6;
  options.adam = {{1e-3, 0.1, 2, 6}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.99};
  options.checkpoint_seconds = 1e-9;
  TrainSnapshot<float> middle;
  const auto run = [&](const TrainSnapshot<float>* from, TrainResult& result) {
    Trainer<float> trainer(*backend, *network, objective, nullptr, options,
                           initial_parameters<float>(network->slices(), 3, false));
    trainer.set_data(data, {});
    if (from) trainer.resume(*from);
    Trainer<float>::Watch watch;
    watch.snapshot = [&](TrainSnapshot<float> s) {
      if (!from && s.progress.result.steps == 3) middle = std::move(s);
    };
    result = trainer.run({}, watch);
    return trainer.best_parameters();
  };
  TrainResult whole, resumed;
  const auto expected = run(nullptr, whole);
  middle.progress.result.saturated = 7;  // as if a device had counted so many
  CHECK(run(&middle, resumed) == expected);
  CHECK_EQUAL(resumed.steps, 6u);
  CHECK_EQUAL(resumed.saturated, whole.saturated + 7);
}
