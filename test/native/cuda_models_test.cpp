// Whole runs on CUDA beside the CPU: training, scores, samples by every solver, normalisers, conditions.
#include "device_support.hpp"
#include "fields/velocity_field.hpp"
#include "given_batch.hpp"
#include "integrate/steps/trajectory.hpp"
#include "model/cdc.hpp"
#include "model/field_rows.hpp"
#include "monte_carlo/cdc_path.hpp"
#include "monte_carlo/conditional.hpp"
#include "monte_carlo/field_path.hpp"
#include "monte_carlo/normaliser.hpp"
#include "train/cdc_objective.hpp"
#include "train/trainer.hpp"
#include "train/velocity_objective.hpp"

using namespace device_support;

namespace {

constexpr std::size_t dim = 3, data_rows = 200;
const std::vector<double> times = {0, 0.1, 0.3, 0.6, 1.1, INFINITY};

TrainOptions some_training() {
  TrainOptions options;
  options.seed = 5;
  options.steps = 7;
  options.report_every = 7;
  options.validate_every = 3;
  options.adam = {{3e-3, 0.1, 2, 7}, 0.9, 0.999, epsilon_above_rounding, 1.0, 0.1, 0.9};
  return options;
}

Matrix<float> correlated(Bench& b, bool unit) {
  auto values = normals(data_rows * dim, 21);
  for (std::size_t i = 0; i < data_rows; ++i) {
    float* row = &values[i * dim];
    row[1] = 0.8f * row[0] + 0.6f * row[1];
    if (unit)
      for (std::size_t j = 0; j < dim; ++j) row[j] = 0.5f + 0.45f * std::tanh(row[j]);
  }
  Matrix<float> m = b.backend.matrix(data_rows, dim);
  b.backend.upload_matrix(m, values.data());
  return m;
}

void keep(Bench& b, const std::vector<float>& values) {
  for (float v : values) b.kept.push_back(static_cast<double>(v));
}
void keep(Bench& b, const std::vector<double>& values) {
  b.kept.insert(b.kept.end(), values.begin(), values.end());
}

template <class T>
std::vector<float> trained(Bench& b, Network<T>& network, Objective<T>& objective, bool unit) {
  const auto data = correlated(b, unit);
  Trainer<float> trainer(b.backend, network, objective, &objective, some_training(),
                         initial_parameters<float>(network.slices(), 3, false));
  trainer.set_data(data, data.first(60));
  const TrainResult result = trainer.run({}, {});
  b.kept.push_back(result.best_validation);
  for (const auto& report : trainer.history())
    for (double v : {report.cross_entropy, report.squared_error, report.loss, report.learning_rate,
                     report.gradient_norm})
      b.kept.push_back(v);
  return trainer.snapshot().parameters;
}

std::vector<float> trained_cdc(Bench& b, std::size_t hidden, Activation activation) {
  auto network = make_residual_mlp<float>(b.backend, {dim, hidden, 2, times.size(), activation});
  CdcObjective<float> objective(b.backend, *network, OuLevels(times), 40);
  objective.use_stratified_levels(0.2);
  return trained<float>(b, *network, objective, false);
}

CdcDefinition cdc_definition() {
  CdcDefinition d;
  d.network = {dim, 24, 2, times.size(), Activation::silu};
  d.times = times;
  d.cholesky = {1, 0, 0, 0.3, 0.954, 0, 0, 0.1, 0.995};
  d.correlation = {1, 0.4, 0, 0.4, 1, 0.1, 0, 0.1, 1};
  return d;
}

std::vector<float> some_parameters(const std::vector<ParameterSlice>& slices) {
  return initial_parameters<float>(slices, 4, false);
}

std::vector<double> some_rows(std::size_t rows) {
  std::vector<double> u(rows * dim);
  const auto z = normals(rows * dim, 31);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = 0.5 + 0.45 * std::tanh(static_cast<double>(z[i]));
  return u;
}

SolverOptions solver_options(const char* name, Process process) {
  SolverOptions o;
  o.solver = parse_solver(name);
  const bool circle = process == Process::ou;
  o.clock = circle ? Clock::theta : Clock::time;
  const std::size_t steps = 5;
  for (std::size_t i = 0; i <= steps; ++i) {
    const double share = 1 - static_cast<double>(i) / steps;
    o.nodes.push_back(circle ? 0.5 * 3.14159265358979323846 * share : 0.9 * share);
  }
  if (circle) o.nodes.front() = sklar::reference_angle;
  o.seed = 9;
  return o;
}

template <class Make>
void check_solver(const char* name, Process process, Make&& make, double tolerance, bool adaptive = false) {
  compare(name, tolerance, [&](Bench& b) {
    const auto field = make(b.backend);
    SolverOptions o = solver_options(name, process);
    o.adaptive = adaptive;
    o.rtol = o.atol = 1e-2;
    std::vector<double> out(50 * dim, NAN);
    sample_field(b.backend, *field, o, {}, nullptr, 50, out.data(), {}, {});
    keep(b, out);
  });
}

}  // namespace

TEST_CASE("training a CDC") {
  for (const Activation activation : {Activation::silu, Activation::published})
    for (const std::size_t hidden : {10, 30})
      compare("CDC", 2e-4, [&](Bench& b) { keep(b, trained_cdc(b, hidden, activation)); });
}

TEST_CASE("gradients in every precision, against float64") {
  struct Bar {
    Precision precision;
    double gradient, loss;
  };
  constexpr std::size_t rows = 100;
  const auto x0 = normals(rows * dim, 1), noise = normals(rows * dim, 2);
  for (const Activation activation : {Activation::silu, Activation::published}) {
    const ResidualMlpShape shape{dim, 64, 3, times.size(), activation};
    const auto gradient = [&]<class T>(Backend<T>& backend, double& loss) {
      auto network = make_residual_mlp<T>(backend, shape);
      const OuLevels levels(times);
      CdcObjective<T> objective(backend, *network, levels, rows);
      objective.use_stratified_levels(0.2);
      const std::size_t active = objective.classifier_loss(nullptr).active;
      std::vector<std::int32_t> level(rows);
      for (std::size_t i = 0; i < rows; ++i)
        level[i] = static_cast<std::int32_t>(i < active ? 1 + i % 4 : i % 2 * 5);
      given_batch::put(backend, objective, levels, std::vector<T>(x0.begin(), x0.end()),
                       std::vector<T>(noise.begin(), noise.end()), level);
      const auto initial = some_parameters(network->slices());
      const auto got = given_batch::derivative<T>(backend, *network, objective,
                                                  std::vector<T>(initial.begin(), initial.end()));
      loss = objective.loss(got.state);
      return std::vector<double>(got.gradient.begin(), got.gradient.end());
    };
    double expected_loss = 0;
    const auto cpu = make_cpu_backend<double>(1);
    const auto expected = gradient(*cpu, expected_loss);
    for (const Bar& bar : {Bar{Precision::fp32, 5e-6, 1e-6}, Bar{Precision::mixed, 2e-3, 1e-5},
                           Bar{Precision::fp16, 2e-2, 1e-4}, Bar{Precision::bf16, 5e-2, 3e-4}}) {
      const auto gpu = cuda_backend(bar.precision);
      if (!gpu) return;
      double loss = 0, error = 0, size = 0;
      const auto got = gradient(*gpu, loss);
      for (std::size_t i = 0; i < got.size(); ++i) {
        error += (got[i] - expected[i]) * (got[i] - expected[i]);
        size += expected[i] * expected[i];
      }
      std::printf("      precision %d: gradient %.1e, loss %.1e\n", static_cast<int>(bar.precision),
                  std::sqrt(error / size), std::abs(loss / expected_loss - 1));
      CHECK(std::sqrt(error / size) < bar.gradient);
      CHECK_NEAR(loss, expected_loss, bar.loss * expected_loss);
      CHECK_EQUAL(gpu->saturated(), 0u);
    }
  }
}

TEST_CASE("log densities in mixed precision are those of float32") {
  compare(
      "mixed", 5e-6,
      [](Bench& b) {
        CdcDefinition d = cdc_definition();
        d.network.hidden = 64;
        Cdc<float> cdc(b.backend, d, some_parameters(residual_mlp_slices(d.network)));
        std::vector<double> log_pdf(130, NAN);
        cdc.log_pdf(some_rows(130).data(), false, 130, 0, log_pdf.data(), {}, {});
        keep(b, log_pdf);
      },
      Precision::mixed);
}

TEST_CASE("a recorded step is the step, and what it relied on may move") {
  const auto gpu = cuda_backend();
  if (!gpu) return;
  std::vector<float> results[3];
  for (int way = 0; way < 3; ++way) {
    Bench b(*gpu);
    const auto data = correlated(b, false);
    auto network = make_residual_mlp<float>(*gpu, {dim, 30, 2, times.size(), Activation::silu});
    CdcObjective<float> objective(*gpu, *network, OuLevels(times), 40);
    objective.use_stratified_levels(0.2);
    Trainer<float> trainer(*gpu, *network, objective, nullptr, some_training(),
                           initial_parameters<float>(network->slices(), 3, false));
    trainer.set_data(data, {});
    for (int i = 0; i < 6; ++i) {
      if (way == 1 && i % 2) network->reserve(100 * static_cast<std::size_t>(i), Pass::training);
      trainer.step();
#if defined(SKLAR_EMULATED_CUDA)
      if (way == 2) emulator::set_seed(static_cast<std::uint32_t>(i));
#endif
    }
    results[way] = trainer.snapshot().parameters;
  }
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("training velocity heads") {
  struct Head {
    Process process;
    bool published, potential;
  };
  for (const auto& [process, published, potential] :
       {Head{Process::ou, false, false}, Head{Process::ou, false, true},
        Head{Process::reflection, false, false}, Head{Process::reflection, true, false},
        Head{Process::jacobi, false, false}}) {
    compare("velocity", 2e-4, [&, process = process, published = published, potential = potential](Bench& b) {
      const bool circle = process == Process::ou;
      VelocityDefinition d;
      d.process = process;
      d.published = published;
      d.potential = potential;
      d.dim = dim;
      d.frequencies = 2;
      d.hidden = 30;
      d.members = circle ? 2 : 1;
      d.depth = published ? 4 : 2;
      const TimeLaw law = published ? TimeLaw{TimeLaw::Kind::quartic, 0, 1.5}
                          : circle  ? TimeLaw{TimeLaw::Kind::log_sine, 0.01, 1}
                                    : TimeLaw{TimeLaw::Kind::logarithmic, 0.01, 0.9};
      auto network = make_velocity_network<float>(b.backend, d);
      VelocityObjective<float> objective(b.backend, *network, d.head(), law, 40, potential ? 0.5 : 0);
      keep(b, trained<float>(b, *network, objective, !circle));
    });
  }
}

TEST_CASE("log densities, fields and posteriors of a CDC") {
  compare("scores", 2e-5, [](Bench& b) {
    const CdcDefinition d = cdc_definition();
    Cdc<float> cdc(b.backend, d, some_parameters(residual_mlp_slices(d.network)));
    const auto u = some_rows(130);
    std::vector<double> log_pdf(130, NAN), field(130 * dim, NAN), logits(130 * times.size(), NAN);
    cdc.log_pdf(u.data(), false, 130, 0, log_pdf.data(), {}, {});
    cdc.field(u.data(), 130, 2, field.data(), {});
    cdc.logits(u.data(), 130, logits.data(), {});
    keep(b, log_pdf);
    keep(b, field);
    keep(b, logits);
    CdcDefinition finite = d;
    finite.times.back() = 3;
    Cdc<float> published(b.backend, finite, some_parameters(residual_mlp_slices(d.network)));
    for (const bool noisy : {false, true}) {
      std::vector<double> out(40 * dim, NAN);
      published.sample_as_published({noisy, times.size() - 1, 3, 0, false}, 40, out.data(), {}, {});
      keep(b, out);
    }
  });
}

TEST_CASE("samples by every solver of the OU process") {
  const CdcDefinition d = cdc_definition();
  const auto make = [&](Backend<float>& backend) {
    return make_cdc_field<float>(backend, d, some_parameters(residual_mlp_slices(d.network)));
  };
  for (const char* name : {"euler", "heun", "rk4", "ab2", "ddim", "dpmpp-2m", "dpmpp-2m-sde",
                           "euler-maruyama", "exponential-em", "exponential-em-one-step", "sra1", "shark"})
    check_solver(name, Process::ou, make, 1e-4);
  // a rounding may turn an accepted step into a rejected one
  for (const char* name : {"dopri5", "tsit5", "shark"}) check_solver(name, Process::ou, make, 2e-2, true);
}

TEST_CASE("samples and likelihoods of velocity fields") {
  for (const auto& [process, potential] :
       {std::pair(Process::ou, false), std::pair(Process::ou, true), std::pair(Process::reflection, false),
        std::pair(Process::jacobi, false)}) {
    VelocityDefinition d;
    d.process = process;
    d.potential = potential;
    d.dim = dim;
    d.frequencies = 2;
    d.hidden = 24;
    d.depth = 2;
    const auto make = [&](Backend<float>& backend) {
      return std::make_unique<VelocityField<float>>(backend, d, some_parameters(d.slices()));
    };
    if (potential)
      compare("potential", 2e-5, [&](Bench& b) {
        const auto field = make(b.backend);
        const auto u = some_rows(130);
        for (const double time : {0.0, 0.7, reference_angle}) {
          std::vector<double> f(130, NAN);
          potential_log_pdf<float>(b.backend, *field, time, {}, u.data(), 130, f.data(), {}, {});
          keep(b, f);
        }
      });
    check_solver("rk4", process, make, 1e-4);
    if (has_noise(process)) check_solver("euler-maruyama", process, make, 1e-4);
    for (const std::size_t probes : {0, 3})
      compare("likelihood", 1e-4, [&](Bench& b) {
        const auto field = make(b.backend);
        SolverOptions o = solver_options("heun", process);
        std::reverse(o.nodes.begin(), o.nodes.end());
        const auto u = some_rows(30);
        std::vector<double> end(30 * dim, NAN), log_pdf(30, NAN), error(30, NAN);
        FlowLikelihood out;
        out.trace.probes = probes;
        out.end = end.data();
        out.log_pdf = log_pdf.data();
        out.standard_error = error.data();
        flow_log_pdf(b.backend, *field, o, {}, u.data(), 30, out, {}, {});
        keep(b, end);
        keep(b, log_pdf);
        keep(b, error);
      });
  }
}

TEST_CASE("normaliser of a potential") {
  compare("SMC", 1e-2, [](Bench& b) {
    VelocityDefinition d;
    d.potential = true;
    d.dim = dim;
    d.hidden = 24;
    d.depth = 2;
    VelocityField<float> field(b.backend, d, some_parameters(d.slices()));
    const CancelFlag never;
    const std::vector<double> angles{0, 0.2, 0.5, 0.9, reference_angle};
    FieldPath<float> path(b.backend, field, angles, never);
    SmcOptions options;
    options.particles = 64;
    options.islands = 4;
    options.least_share = 0.5;
    options.target_acceptance = 0.6;
    options.moves = 2;
    options.seed = 3;
    const Normaliser n = estimate_normaliser<float>(b.backend, path, options, {}, {});
    keep(b, std::vector<double>{n.smc.log_z, n.monte_carlo.log_z, n.bennett.log_z});
  });
}

TEST_CASE("normalisers and conditions of a CDC") {
  compare("SMC", 1e-2, [](Bench& b) {
    const CdcDefinition d = cdc_definition();
    Cdc<float> cdc(b.backend, d, some_parameters(residual_mlp_slices(d.network)));
    const CancelFlag never;
    CdcPath<float> path(cdc, never);
    SmcOptions options;
    options.particles = 64;
    options.islands = 4;
    options.least_share = 0.5;
    options.target_acceptance = 0.6;
    options.moves = 2;
    options.seed = 3;
    const Normaliser n = estimate_normaliser<float>(b.backend, path, options, {}, {});
    keep(b, std::vector<double>{n.smc.log_z, n.monte_carlo.log_z, n.bennett.log_z});
    const Condition condition(d.cholesky, dim, {1}, {0.4});
    const auto smc = conditional_smc<float>(b.backend, path, condition, options, 20, {}, {});
    keep(b, std::vector<double>{smc.log_marginal});
  });
}
