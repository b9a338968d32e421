// A classifier's step in one operation beside the same step pass by pass, in float64 on the CPU and on the
// device.
#include <cstdlib>
#include <string>
#include <thread>

#include "json.hpp"
#include "train/cdc_objective.hpp"
#include "train/trainer.hpp"
#include "training_support.hpp"

using namespace device_support;

namespace {

const std::vector<double> times = {0, 0.1, 0.3, 0.6, 1.1, INFINITY};
constexpr std::size_t data_rows = 77;  // fewer than a batch: an epoch ends within one

struct Case {
  std::size_t dim, hidden, depth, batch;
  Activation activation = Activation::silu;
  bool published_levels = false;
};

template <class T>
Matrix<T> data_of(Backend<T>& backend, std::size_t dim) {
  const auto z = normals(data_rows * dim, 21);
  std::vector<T> rows(z.begin(), z.end());
  for (std::size_t i = 0; i < data_rows; ++i)
    rows[i * dim + 1] = T(0.8) * rows[i * dim] + T(0.6) * rows[i * dim + 1];
  Matrix<T> m = backend.matrix(data_rows, dim);
  backend.upload_matrix(m, rows.data());
  return m;
}

// A network with its objective, and parameters that are larger than fresh ones, so that a mistake shows.
template <class T>
struct Problem {
  std::unique_ptr<SecondOrderNetwork<T>> network;
  std::unique_ptr<CdcObjective<T>> objective;
  std::vector<T> parameters;

  Problem(Backend<T>& backend, const Case& c) {
    network = make_residual_mlp<T>(backend, {c.dim, c.hidden, c.depth, times.size(), c.activation});
    objective = std::make_unique<CdcObjective<T>>(backend, *network, OuLevels(times), c.batch);
    if (c.published_levels)
      objective->use_published_levels(0.2);
    else
      objective->use_stratified_levels(0.2);
    for (const float p : initial_parameters<float>(network->slices(), 4, false))
      parameters.push_back(static_cast<T>(1.5f * p));
  }
};

template <class T>
Derivative derivative(Backend<T>& backend, const Case& c, bool whole) {
  Problem<T> p(backend, c);
  const Matrix<T> data = data_of(backend, c.dim);
  return derivative_of<T>(backend, *p.network, *p.objective, p.parameters, data, whole);
}

// Relative errors, in the norm of everything and of the worst tensor.
struct Errors {
  double all = 0, worst = 0, loss = 0;
};
Errors errors(const Case& c, const Derivative& got, const Derivative& expected) {
  CHECK_EQUAL(got.gradient.size(), expected.gradient.size());
  const auto slices = residual_mlp_slices({c.dim, c.hidden, c.depth, times.size(), c.activation});
  double error = 0, size = 0, worst = 0;
  for (const auto& s : slices) {
    double e = 0, n = 0;
    for (std::size_t i = s.offset; i < s.offset + Network<float>::slice_size(s); ++i) {
      e += (got.gradient[i] - expected.gradient[i]) * (got.gradient[i] - expected.gradient[i]);
      n += expected.gradient[i] * expected.gradient[i];
    }
    error += e;
    size += n;
    if (!(std::sqrt(e / n) <= worst)) worst = std::sqrt(e / n);
  }
  return {std::sqrt(error / size), worst, std::abs(got.loss / expected.loss - 1)};
}

// whole: in one operation, else layer by layer.
void check_case(const Case& c, Precision precision, bool whole = true) {
  const auto gpu = cuda_backend(precision);
  if (!gpu) return;
  const auto cpu = make_cpu_backend<double>(1);
  const Derivative got = derivative(*gpu, c, whole), exact = derivative(*cpu, c, false);
  CHECK(got.done);
  CHECK_EQUAL(got.saturated, 0u);
  CHECK_EQUAL(gpu->saturated(), 0u);
  const Problem<float> p(*gpu, c);
  if (whole) CHECK_EQUAL(loss_alone(*gpu, *p.objective, p.parameters, data_of(*gpu, c.dim)), got.loss);
  const Errors e = errors(c, got, exact);
  std::printf("      %zux%zu, d %zu, batch %zu: gradient %.1e, worst %.1e, loss %.1e\n", c.hidden, c.depth,
              c.dim, c.batch, e.all, e.worst, e.loss);
  const bool mixed = precision == Precision::mixed;
  CHECK(e.all < (mixed ? 2e-3 : 2e-2));
  CHECK(e.worst < (mixed ? 3e-3 : 8e-2));
  CHECK(e.loss < (mixed ? 1e-4 : 1e-3));  // of few rows
}

const std::vector<Case> shapes = {{2, 16, 1, 1},   {5, 16, 3, 63}, {10, 16, 2, 130},
                                  {2, 32, 3, 100}, {5, 32, 1, 63}, {10, 64, 1, 100},
                                  {5, 64, 2, 130}, {2, 64, 3, 33}, {5, 128, 1, 20}};

// Every second shape; with another activation or precision the others, or the same with other levels.
void check_shapes(Activation activation, Precision precision) {
  const bool silu = activation == Activation::silu, mixed = precision == Precision::mixed;
  for (std::size_t i = silu == mixed ? 0 : 1; i < shapes.size(); i += 2) {
    Case c = shapes[i];
    c.activation = activation;
    c.published_levels = (i / 2 % 2 == 0) == mixed;
    check_case(c, precision);
  }
}

}  // namespace

TEST_CASE("gradients in mixed precision, silu") { check_shapes(Activation::silu, Precision::mixed); }
TEST_CASE("gradients in mixed precision, published") {
  check_shapes(Activation::published, Precision::mixed);
}
TEST_CASE("gradients in fp16, silu") { check_shapes(Activation::silu, Precision::fp16); }
TEST_CASE("gradients in fp16, published") { check_shapes(Activation::published, Precision::fp16); }

// Widths that fill no tile; inputs that are merged with the first block and such as are too many for that, or
// too many for a thin product; batches of whole tiles and others.
const std::vector<Case> wide_shapes = {{2, 40, 1, 70}, {10, 40, 2, 33}, {3, 136, 1, 40}, {40, 64, 1, 64}};

TEST_CASE("gradients layer by layer") {
  for (std::size_t i = 0; i < 2 * wide_shapes.size(); ++i) {
    Case c = wide_shapes[i / 2];
    c.activation = i % 2 ? Activation::published : Activation::silu;
    c.published_levels = i / 2 % 2;
    check_case(c, i % 3 ? Precision::mixed : Precision::fp16, false);
  }
}

TEST_CASE("layer by layer the same bits for any schedule and any rows beside") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  const Case c{3, 72, 1, 70};
  const Derivative first = derivative(*gpu, c, false);
#if defined(SKLAR_EMULATED_CUDA)
  emulator::set_seed(77);
  CHECK(derivative(*gpu, c, false) == first);
#endif
  // large tiles and small ones
  const Problem<float> p(*gpu, c);
  const std::size_t many = 300, few = 70;
  const Matrix<float> x = gpu->matrix(many, 4), y = gpu->matrix(many, times.size()),
                      part = gpu->matrix(few, times.size());
  gpu->normals(x, 3, 0, 0, kTagSampleStart);
  const auto parameters = gpu->buffer<float>(p.parameters.size());
  gpu->upload(parameters.data(), p.parameters.data(), p.parameters.size() * sizeof(float));
  p.network->set_parameters(parameters.data());
  p.network->forward(x, y, Pass::value);
  std::vector<float> all(many * times.size()), some(few * times.size());
  gpu->download_matrix(all.data(), y);
  const std::size_t from = 123;
  p.network->forward({x.view().row(from), few, 4, x.stride()}, part, Pass::value);
  gpu->download_matrix(some.data(), part);
  CHECK(std::equal(some.begin(), some.end(), all.begin() + from * times.size()));
}

TEST_CASE("in one operation and pass by pass as close to float64 as to each other") {
  const auto cpu = make_cpu_backend<double>(1);
  for (const Precision precision : {Precision::mixed, Precision::fp16}) {
    const auto gpu = cuda_backend(precision);
    if (!gpu) return;
    for (const Activation activation : {Activation::silu, Activation::published}) {
      const Case c{5, 32, 2, 35, activation, activation == Activation::silu};
      const Derivative whole = derivative(*gpu, c, true), single = derivative(*gpu, c, false),
                       exact = derivative(*cpu, c, false);
      // Both round adjoints, tangents and slopes to 16 bits, though not the same sums of them: about a
      // roundoff in the gradient of each row, and twice that in the squares that the loss is a mean of,
      // independently from row to row and from column to column. The classifier's part of the loss is the
      // forward pass alone.
      const double roundoff = 0x1p-11, share = 1 / std::sqrt(static_cast<double>(c.batch * c.dim));
      const double forward = precision == Precision::mixed ? 1e-6 : roundoff * share;
      for (const auto& [a, b] : {std::pair{&whole, &single}, {&whole, &exact}, {&single, &exact}}) {
        const Errors e = errors(c, *a, *b);
        const double classifier = std::abs(a->cross_entropy / b->cross_entropy - 1);
        std::printf("      gradient %.1e, loss %.1e, classifier %.1e\n", e.all, e.loss, classifier);
        CHECK(e.all < 2 * roundoff);
        CHECK(e.loss < 2 * roundoff * share);
        CHECK(classifier < forward);
      }
    }
  }
}

TEST_CASE("derivatives of activations that leave no room beside the weights stay in memory") {
  check_case({3, 64, 5, 20}, Precision::mixed);
}

TEST_CASE("which steps a device takes whole") {
  const auto takes = [](Precision precision, const Case& c) {
    const auto gpu = cuda_backend(precision);
    return gpu && derivative(*gpu, c, true).done;
  };
  const auto cpu = make_cpu_backend<float>(1);
  CHECK(!derivative(*cpu, {3, 16, 1, 10}, true).done);
  if (!cuda_backend()) return;
  CHECK(takes(Precision::mixed, {3, 16, 1, 10}));
  for (const Precision precision : {Precision::fp32, Precision::bf16})
    CHECK(!takes(precision, {3, 16, 1, 10}));
  CHECK(!takes(Precision::fp16, {3, 24, 1, 10}));
  CHECK(!takes(Precision::fp16, {3, 64, 20, 10}));    // too deep for shared memory
  CHECK(!takes(Precision::fp16, {2000, 64, 1, 10}));  // too many inputs
  setenv("SKLAR_CUDA_FUSED", "0", 1);
  CHECK(!takes(Precision::mixed, {3, 16, 1, 10}));
  unsetenv("SKLAR_CUDA_FUSED");
}

TEST_CASE("the same bits for any schedule") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  const Case c{5, 32, 2, 50, Activation::silu};
  const Derivative first = derivative(*gpu, c, true);
  for (std::uint32_t i = 0; i < 3; ++i) {
#if defined(SKLAR_EMULATED_CUDA)
    emulator::set_seed(i);
#endif
    CHECK(derivative(*gpu, c, true) == first);
  }
}

TEST_CASE("two sizes of one width at the same time") {
  const auto in_a_thread = [](const Case& c, std::string& error) {
    return std::thread([&error, c] {
      try {
        const auto gpu = cuda_backend(Precision::mixed);
        if (!gpu) return;
        const Derivative first = derivative(*gpu, c, true);
        for (int i = 0; i < 30; ++i)
          if (!(derivative(*gpu, c, true) == first)) error = "other bits";
      } catch (const std::exception& e) {
        error = e.what();
      }
    });
  };
  std::string errors[2];
  std::thread small = in_a_thread({3, 16, 1, 17}, errors[0]), large = in_a_thread({3, 16, 4, 17}, errors[1]);
  small.join();
  large.join();
  for (const auto& error : errors) CHECK_EQUAL(error, std::string());
}

TEST_CASE("training goes the way of the CPU") {
  for (const Activation activation : {Activation::silu, Activation::published})
    compare(
        "training", 2e-3,
        [&](Bench& b) {
          const Case c{3, 32, 2, 40, activation, activation == Activation::published};
          Problem<float> p(b.backend, c);
          const Matrix<float> data = data_of(b.backend, c.dim);
          TrainOptions options;
          options.seed = 5;
          options.steps = 8;
          options.report_every = 2;
          options.validate_every = 4;
          options.adam = {{3e-3, 0.1, 2, 8}, 0.9, 0.999, epsilon_above_rounding, 1.0, 0.1, 0.9};
          Trainer<float> trainer(b.backend, *p.network, *p.objective, p.objective.get(), options,
                                 p.parameters);
          trainer.set_data(data, data.first(30));
          const TrainResult result = trainer.run({}, {});
          b.kept.push_back(result.best_validation);
          for (const auto& report : trainer.history())
            for (double v : {report.cross_entropy, report.squared_error, report.loss,
                             100 * report.learning_rate, report.gradient_norm, report.validation_loss})
              b.kept.push_back(v);
          for (const auto snapshot = trainer.snapshot(); const float v : snapshot.parameters)
            b.kept.push_back(static_cast<double>(v));
        },
        Precision::mixed);
}

TEST_CASE("training on recurring values goes the way of the CPU") {
  for (const std::size_t hidden : {24, 64})  // pass by pass; in one operation
    compare(
        "training with ties", 2e-3,
        [&](Bench& b) {
          Problem<float> p(b.backend, {3, hidden, 1, 40});
          keep_training(b, *p.network, *p.objective, {three_columns, {}}, p.parameters);
        },
        Precision::mixed);
}

TEST_CASE("models that are trained together") {
  const auto check = [](Backend<float>& backend) {
    const Case c{3, 16, 1, 20};
    const Problem<float> p(backend, c);
    check_together(backend, *p.network, *p.objective, data_of(backend, c.dim));
    const Ties ties{three_columns, factor_of_three};
    check_together(backend, *p.network, *p.objective, data_of(backend, c.dim), &ties);
  };
  check(*make_cpu_backend<float>(2));  // one after another
  if (const auto gpu = cuda_backend(Precision::mixed)) check(*gpu);
}

TEST_CASE("more models than one operation takes") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  const Problem<float> p(*gpu, {3, 16, 1, 20});
  const std::vector<TrainedModel<float>> models(most_models + 1);
  CHECK_THROWS(p.objective->draw_and_differentiate(models), Error, error.code() == "SHAPE");
}

#if defined(SKLAR_EMULATED_CUDA)
TEST_CASE("a step is three launches") {
  const auto gpu = cuda_backend(Precision::mixed);
  const Case c{3, 16, 1, 20};
  Problem<float> p(*gpu, c);
  const Matrix<float> data = data_of(*gpu, c.dim);
  TrainOptions options;
  options.adam = {{3e-3, 0.1, 2, 12}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.9};
  Trainer<float> trainer(*gpu, *p.network, *p.objective, nullptr, options, p.parameters);
  trainer.set_data(data, {});
  trainer.step();  // buffers grow
  for (int i = 0; i < 3; ++i) {
    const std::size_t before = emulator::launches();
    trainer.step();
    CHECK_EQUAL(emulator::launches() - before, 3u);
  }
}

TEST_CASE("launches of a step are those of the budget") {
  const auto gpu = cuda_backend(Precision::mixed);
  // as 512 x 6, but for the width
  const Case c{3, 40, 6, 10};
  Problem<float> p(*gpu, c);
  const Matrix<float> data = data_of(*gpu, c.dim);
  TrainOptions options;
  options.adam = {{3e-3, 0.1, 2, 12}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.9};
  Trainer<float> trainer(*gpu, *p.network, *p.objective, nullptr, options, p.parameters);
  trainer.set_data(data, {});
  trainer.step();
  const Json budget = JsonReader(SKLAR_FIXTURES "/../../kernels/budget.json").value();
  for (int i = 0; i < 2; ++i) {
    const std::size_t before = emulator::launches();
    trainer.step();
    CHECK_EQUAL(emulator::launches() - before, static_cast<std::size_t>(budget["launches"]["512x6"].number));
  }
}

TEST_CASE("fresh levels are one launch more, and are drawn in the recorded step") {
  const auto gpu = cuda_backend(Precision::mixed);
  Problem<float> p(*gpu, {3, 64, 1, 20});
  TiedData rows(*gpu, {three_columns, {}}, 50, 20, 0);
  TrainOptions options;
  options.adam = {{3e-3, 0.1, 2, 12}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.9};
  Trainer<float> trainer(*gpu, *p.network, *p.objective, nullptr, options, p.parameters);
  trainer.set_tied_rows(*rows.tied);
  trainer.set_data(rows.view(), {});
  trainer.step();  // buffers grow
  std::vector<float> before(50 * 3), after(before.size());
  for (int i = 0; i < 3; ++i) {
    gpu->download_matrix(before.data(), rows.view());
    const std::size_t launches = emulator::launches();
    trainer.step();
    CHECK_EQUAL(emulator::launches() - launches, 4u);
    gpu->download_matrix(after.data(), rows.view());
    CHECK(before != after);
  }
}

TEST_CASE("barriers that are left out are noticed") {
  const auto gpu = cuda_backend(Precision::mixed);
  const Case c{5, 64, 1, 20};
  const auto without = [&](int barrier, std::uint32_t seed) {
    emulator::set_seed(seed);
    emulator::skip_barrier(barrier);
    const Derivative result = derivative(*gpu, c, true);
    emulator::skip_barrier(-1);
    return result;
  };
  const Derivative expected = without(-1, 1);
  // mixture; forward; adjoint; its end; logits; losses; r; tangent; its end; second adjoint; its end. Without
  // the one before them, of the draw, there would be reads beyond the data
  for (int barrier = 1; barrier < 16; ++barrier) {
    bool noticed = false;
    for (std::uint32_t seed = 1; seed <= 6 && !noticed; ++seed)
      noticed = !(without(barrier, seed) == expected);
    if (!noticed) check::fail(__FILE__, __LINE__, "barrier " + std::to_string(barrier) + " was not missed");
  }
}
#endif
