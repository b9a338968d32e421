// A velocity head's step in one operation beside the same step pass by pass in float64 on the CPU.
#include "fields/velocity_field.hpp"
#include "train/trainer.hpp"
#include "train/velocity_objective.hpp"
#include "training_support.hpp"

using namespace device_support;

namespace {

constexpr std::size_t data_rows = 77;

struct Case {
  Process process;
  std::size_t dim, hidden, depth, batch, members = 1;
  Activation activation = Activation::silu;
  bool published = false;
};

template <class T>
Matrix<T> data_of(Backend<T>& backend, const Case& c) {
  std::vector<T> rows;
  for (const float z : normals(data_rows * c.dim, 21))
    rows.push_back(static_cast<T>(on_cube(c.process) ? 0.5f + 0.45f * std::tanh(z) : z));
  Matrix<T> m = backend.matrix(data_rows, c.dim);
  backend.upload_matrix(m, rows.data());
  return m;
}

template <class T>
struct Problem {
  std::unique_ptr<MeanNetwork<T>> network;
  std::unique_ptr<VelocityObjective<T>> objective;
  std::vector<T> parameters;

  Problem(Backend<T>& backend, const Case& c) {
    VelocityDefinition d;
    d.process = c.process;
    d.published = c.published;
    d.dim = c.dim;
    d.frequencies = 2;
    d.hidden = c.hidden;
    d.depth = c.depth;
    d.members = c.members;
    d.activation = c.activation;
    network = make_velocity_network<T>(backend, d);
    const TimeLaw law = on_cube(c.process) ? TimeLaw{TimeLaw::Kind::logarithmic, 0.01, 0.9}
                                           : TimeLaw{TimeLaw::Kind::log_sine, 0.01, 1};
    objective = std::make_unique<VelocityObjective<T>>(backend, *network, d.head(), law, c.batch);
    for (const float p : initial_parameters<float>(d.slices(), 4, false, c.members))
      parameters.push_back(static_cast<T>(1.5f * p));
  }
};

template <class T>
Derivative derivative(Backend<T>& backend, const Case& c, bool whole) {
  Problem<T> p(backend, c);
  const Matrix<T> data = data_of(backend, c);
  return derivative_of<T>(backend, *p.network, *p.objective, p.parameters, data, whole);
}

void check_case(const Case& c, Precision precision) {
  const auto gpu = cuda_backend(precision);
  if (!gpu) return;
  const auto cpu = make_cpu_backend<double>(1);
  const Derivative got = derivative(*gpu, c, true), exact = derivative(*cpu, c, false);
  CHECK(got.done);
  CHECK_EQUAL(got.gradient.size(), exact.gradient.size());
  CHECK_EQUAL(got.cross_entropy, 0.0);
  CHECK_EQUAL(got.saturated, 0u);
  const Problem<float> p(*gpu, c);
  const double value = loss_alone(*gpu, *p.objective, p.parameters, data_of(*gpu, c));
  // where there are members the loss is that of their mean, which one operation does not know
  CHECK(c.members > 1 ? std::isnan(value) : value == got.loss);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < got.gradient.size(); ++i) {
    error += (got.gradient[i] - exact.gradient[i]) * (got.gradient[i] - exact.gradient[i]);
    size += exact.gradient[i] * exact.gradient[i];
  }
  const double all = std::sqrt(error / size), loss = std::abs(got.loss / exact.loss - 1);
  std::printf("      %zux%zu, d %zu, batch %zu: gradient %.1e, loss %.1e\n", c.hidden, c.depth, c.dim,
              c.batch, all, loss);
  CHECK(all < (precision == Precision::mixed ? 2e-3 : 2e-2));
  CHECK(loss < (precision == Precision::mixed ? 1e-5 : 1e-3));
}

constexpr auto circle = Process::ou, cube = Process::reflection;

}  // namespace

TEST_CASE("gradients of velocity heads") {
  for (const Precision precision : {Precision::mixed, Precision::fp16}) {
    check_case({circle, 2, 16, 2, 33}, precision);
    check_case({cube, 5, 32, 1, 40, 1, Activation::published}, precision);
    check_case({circle, 5, 64, 2, 20, 1, Activation::published}, precision);
    check_case({cube, 3, 64, 1, 17}, precision);
    check_case({circle, 3, 128, 1, 10}, precision);
  }
}

TEST_CASE("members of an ensemble") {
  check_case({circle, 3, 32, 2, 36, 2}, Precision::mixed);
  check_case({cube, 3, 16, 1, 63, 3}, Precision::mixed);
}

TEST_CASE("which steps a device takes whole") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  CHECK(!derivative(*gpu, {circle, 3, 24, 1, 10}, true).done);
  // another network
  CHECK(!derivative(*gpu, {cube, 3, 32, 4, 10, 1, Activation::silu, true}, true).done);
  // a process whose paths are not drawn there
  CHECK(!derivative(*gpu, {Process::jacobi, 3, 32, 1, 10}, true).done);
}

TEST_CASE("training goes the way of the CPU") {
  for (const Process process : {circle, cube})
    compare(
        "training", 1e-3,
        [&](Bench& b) {
          const Case c{process, 3, 32, 1, 24, process == circle ? 2u : 1u};
          Problem<float> p(b.backend, c);
          const Matrix<float> data = data_of(b.backend, c);
          TrainOptions options;
          options.seed = 5;
          options.steps = 6;
          options.report_every = 2;
          options.adam = {{3e-3, 0.1, 2, 6}, 0.9, 0.999, epsilon_above_rounding, 1.0, 0.1, 0.9};
          Trainer<float> trainer(b.backend, *p.network, *p.objective, nullptr, options, p.parameters);
          trainer.set_data(data, {});
          trainer.run({}, {});
          for (const auto& report : trainer.history())
            for (double v : {report.squared_error, report.loss, report.gradient_norm}) b.kept.push_back(v);
          for (const auto snapshot = trainer.snapshot(); const float v : snapshot.parameters)
            b.kept.push_back(static_cast<double>(v));
        },
        Precision::mixed);
}

TEST_CASE("training on recurring values goes the way of the CPU") {
  for (const Process process : {circle, cube})
    for (const std::size_t hidden : {24, 64})  // pass by pass; in one operation
      compare(
          "training with ties", 1e-3,
          [&](Bench& b) {
            Problem<float> p(b.backend, {process, 3, hidden, 1, 24});
            const Ties ties =
                process == cube ? Ties{three_columns, {}, true} : Ties{three_columns, factor_of_three};
            keep_training(b, *p.network, *p.objective, ties, p.parameters);
          },
          Precision::mixed);
}

TEST_CASE("models that are trained together") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  const Case c{circle, 3, 16, 1, 20, 2};
  const Problem<float> p(*gpu, c);
  check_together(*gpu, *p.network, *p.objective, data_of(*gpu, c));
  const Ties ties{three_columns, factor_of_three};
  check_together(*gpu, *p.network, *p.objective, data_of(*gpu, c), &ties);
}

#if defined(SKLAR_EMULATED_CUDA)
TEST_CASE("barriers that are left out are noticed") {
  const auto gpu = cuda_backend(Precision::mixed);
  const Case c{cube, 5, 64, 1, 20};
  const auto without = [&](int barrier, std::uint32_t seed) {
    emulator::set_seed(seed);
    emulator::skip_barrier(barrier);
    const Derivative result = derivative(*gpu, c, true);
    emulator::skip_barrier(-1);
    return result;
  };
  const Derivative expected = without(-1, 1);
  // features; forward; its end; output; loss; adjoint; its end. Without the one before them, of the draw,
  // there would be reads beyond the data
  for (int barrier = 1; barrier < 9; ++barrier) {
    bool noticed = false;
    for (std::uint32_t seed = 1; seed <= 6 && !noticed; ++seed) {
      CHECK(without(-1, seed) == expected);
      noticed = !(without(barrier, seed) == expected);
    }
    if (!noticed) check::fail(__FILE__, __LINE__, "barrier " + std::to_string(barrier) + " was not missed");
  }
}
#endif
