// Whole trajectories in one kernel beside the same ones step by step on the CPU.
#include <cmath>
#include <memory>
#include <string>
#include <thread>

#include "device_support.hpp"
#include "fields/velocity_field.hpp"
#include "integrate/steps/clock.hpp"
#include "model/cdc.hpp"
#include "model/field_rows.hpp"
#include "train/trainer.hpp"

using namespace device_support;

namespace {

constexpr std::size_t rows = 37;

struct CdcCase {
  std::size_t dim, hidden, depth;
  Activation activation = Activation::silu;
  bool known = true;
};

std::shared_ptr<Field<float>> cdc_field(Backend<float>& backend, const CdcCase& c) {
  CdcDefinition d;
  d.times = {0, 0.1, 0.3, 0.6, 1.1, c.known ? INFINITY : 2.5};
  d.network = {c.dim, c.hidden, c.depth, d.times.size(), c.activation};
  if (c.known)
    for (std::size_t i = 0; i < c.dim; ++i)
      for (std::size_t j = 0; j < c.dim; ++j)
        d.correlation.push_back(i == j ? 1 : 0.5 / static_cast<double>(1 + i + j));
  // larger than a fresh network's, so that a mistake shows
  auto parameters = initial_parameters<float>(residual_mlp_slices(d.network), 4, false);
  for (float& p : parameters) p *= 2;
  return make_cdc_field<float>(backend, d, parameters);
}

std::unique_ptr<Field<float>> velocity_field(Backend<float>& backend, Process process,
                                             Activation activation) {
  VelocityDefinition d;
  d.process = process;
  d.dim = 5;
  d.frequencies = 2;
  d.hidden = 32;
  d.depth = 2;
  d.activation = activation;
  return std::make_unique<VelocityField<float>>(backend, d, initial_parameters<float>(d.slices(), 4, false));
}

SolverOptions options_of(const char* name, Process process, bool from_noise = true) {
  SolverOptions o;
  o.solver = parse_solver(name);
  const bool circle = process == Process::ou;
  o.clock = circle ? Clock::theta : Clock::time;
  const double first = !circle ? 0.9 : from_noise ? reference_angle : OuProcess::angle(2.5);
  constexpr std::size_t steps = 5;
  for (std::size_t i = 0; i <= steps; ++i)
    o.nodes.push_back(first * static_cast<double>(steps - i) / static_cast<double>(steps));
  o.seed = 9;
  return o;
}

void keep_samples(Bench& b, Field<float>& field, const SolverOptions& o) {
  std::vector<double> out(rows * field.dim(), NAN);
  const auto statistics =
      sample_field(b.backend, field, o, {nullptr, nullptr, false, true}, nullptr, rows, out.data(), {}, {});
  b.kept.insert(b.kept.end(), out.begin(), out.end());
  b.kept.push_back(static_cast<double>(statistics.evaluations) / 1e3);
}

// Two steps z <- factor z + 0.1 f from `start`; what is left of the rows and the steps they failed at, or
// nothing where the backend has no operation for it.
struct Carried {
  std::vector<float> z;
  std::vector<std::int32_t> failed;
  bool operator==(const Carried&) const = default;
};
Carried carried(Backend<float>& backend, Field<float>& field, float factor, const std::vector<float>& start) {
  LinearStep steps[2];
  for (std::int32_t i = 0; i < 2; ++i) {
    steps[i].time = 0.5;
    steps[i].form = field.process() == Process::ou ? Form::slope_theta : Form::velocity;
    steps[i].state = static_cast<double>(factor);
    steps[i].now = 0.1;
    steps[i].mark = i + 1;
  }
  const auto z = backend.matrix(rows, field.dim());
  backend.upload_matrix(z, start.data());
  const auto failed = backend.template buffer<std::int32_t>(rows);
  TrajectoryProgram<float> program;
  if (!field.describe(program.field)) return {};
  program.steps = steps;
  program.z = z;
  program.reflected = field.process() == Process::reflection;
  program.failed = failed.data();
  if (!backend.run_trajectory(program)) return {};
  Carried result{std::vector<float>(start.size()), std::vector<std::int32_t>(rows)};
  backend.download_matrix(result.z.data(), z);
  backend.download(result.failed.data(), failed.data(), rows * sizeof(std::int32_t));
  return result;
}
bool carries(Backend<float>& backend, Field<float>& field) {
  return !carried(backend, field, 1, std::vector<float>(rows * field.dim(), 0.25f)).z.empty();
}
// Five columns, to be multiplied by 4: row 17 overflows in the first step, row 20 in the second.
std::vector<float> overflowing() {
  std::vector<float> start(rows * 5, 0.25f);
  start[17 * 5 + 4] = 3e38f;
  start[20 * 5 + 4] = 4e37f;
  return start;
}

}  // namespace

TEST_CASE("a CDC, by every linear solver") {
  for (const char* name : {"euler", "heun", "ab2", "ddim", "dpmpp-2m", "dpmpp-2m-sde", "euler-maruyama",
                           "exponential-em", "exponential-em-one-step"})
    compare(
        name, 1e-3,
        [&](Bench& b) {
          SolverOptions o = options_of(name, Process::ou);
          if (o.solver == Solver::ddim) o.eta = 0.5;
          keep_samples(b, *cdc_field(b.backend, {5, 16, 2}), o);
        },
        Precision::mixed);
}

TEST_CASE("a CDC of every width, of both activations, at a known and an unknown reference") {
  for (const std::size_t hidden : {16, 32, 64, 128})
    for (const Activation activation : {Activation::silu, Activation::published})
      for (const bool known : {true, false}) {
        const CdcCase c{3, hidden, hidden == 16 ? 3u : 1u, activation, known};
        // as long as the states are the same no unit of a ReLU is on for one and off for the other
        SolverOptions o = options_of("ab2", Process::ou, known);
        o.nodes.resize(known ? 3 : 2);
        if (hidden < 128)
          compare(
              "mixed", 1e-3, [&](Bench& b) { keep_samples(b, *cdc_field(b.backend, c), o); },
              Precision::mixed);
        const auto gpu = cuda_backend(Precision::fp16);
        if (!gpu || hidden < 32) continue;  // step by step, thin products are float32
        Bench fused(*gpu), composed(*gpu);
        keep_samples(fused, *cdc_field(*gpu, c), o);
        o.brownian = Brownian::tree;  // which is not drawn from, but keeps to single steps
        keep_samples(composed, *cdc_field(*gpu, c), o);
        CHECK_EQUAL(fused.kept.size(), composed.kept.size());
        for (std::size_t i = 0; i < fused.kept.size(); ++i) CHECK_NEAR(fused.kept[i], composed.kept[i], 2e-3);
      }
}

TEST_CASE("velocity heads") {
  for (const Process process : {Process::ou, Process::reflection, Process::jacobi})
    for (const Activation activation : {Activation::silu, Activation::published})
      for (const char* name : {"euler", "heun", "ab2", "euler-maruyama"}) {
        if (!has_noise(process) && name == std::string("euler-maruyama")) continue;
        compare(
            name, 2e-5,
            [&](Bench& b) {
              keep_samples(b, *velocity_field(b.backend, process, activation), options_of(name, process));
            },
            Precision::mixed);
      }
}

TEST_CASE("correctors between the steps") {
  for (const bool reflected : {false, true})
    compare(
        "corrector", 1e-3,
        [&](Bench& b) {
          SolverOptions o = options_of("ab2", reflected ? Process::reflection : Process::ou);
          o.corrector_steps = 2;
          o.corrector_size = 0.02;
          keep_samples(b,
                       reflected ? *velocity_field(b.backend, Process::reflection, Activation::silu)
                                 : *cdc_field(b.backend, {3, 16, 1}),
                       o);
        },
        Precision::mixed);
}

TEST_CASE("which fields a device carries by itself") {
  const auto cpu = make_cpu_backend<float>(1);
  CHECK(!carries(*cpu, *cdc_field(*cpu, {3, 16, 1})));
  const auto single = cuda_backend(Precision::fp32), mixed = cuda_backend(Precision::mixed),
             half = cuda_backend(Precision::fp16);
  if (!single || !mixed || !half) return;
  CHECK(!carries(*single, *cdc_field(*single, {3, 16, 1})));
  for (const std::size_t hidden : {16, 32, 64}) CHECK(carries(*mixed, *cdc_field(*mixed, {3, hidden, 1})));
  CHECK(carries(*half, *cdc_field(*half, {3, 128, 1})));
  CHECK(!carries(*mixed, *cdc_field(*mixed, {3, 128, 1})));  // too wide for three products
  CHECK(!carries(*half, *cdc_field(*half, {3, 24, 1})));
  CHECK(!carries(*half, *cdc_field(*half, {3, 64, 20})));  // too deep for shared memory
  CHECK(carries(*mixed, *velocity_field(*mixed, Process::reflection, Activation::silu)));
}

TEST_CASE("rows do not depend on those beside them") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  const auto field = cdc_field(*gpu, {5, 16, 2});
  SolverOptions o = options_of("exponential-em", Process::ou);
  const RowScale scale{nullptr, nullptr, false, true};
  std::vector<double> whole(rows * 5), parts(rows * 5);
  sample_field(*gpu, *field, o, scale, nullptr, rows, whole.data(), {}, {});
  sample_field(*gpu, *field, o, scale, nullptr, 20, parts.data(), {}, {});
  o.first_row = 20;
  sample_field(*gpu, *field, o, scale, nullptr, rows - 20, parts.data() + 20 * 5, {}, {});
  CHECK(whole == parts);
}

TEST_CASE("a row that leaves the finite numbers stays at its last good state") {
  const auto gpu = cuda_backend(Precision::mixed);
  if (!gpu) return;
  const auto start = overflowing();
  const Carried end = carried(*gpu, *cdc_field(*gpu, {5, 16, 1}), 4, start);
  for (std::size_t i = 0; i < rows; ++i) CHECK_EQUAL(end.failed[i], i == 17 ? 1 : i == 20 ? 2 : 0);
  for (std::size_t j = 0; j < 5; ++j) CHECK_EQUAL(end.z[17 * 5 + j], start[17 * 5 + j]);
  CHECK(std::abs(end.z[20 * 5 + 4] / 4e37f - 4) < 1e-5f);
  CHECK(end.z[0] > 3 && end.z[0] < 5);
  // the same by the integrator, which says who and where
  const auto field = cdc_field(*gpu, {5, 16, 1});
  const auto y = gpu->matrix(rows, 6);
  auto huge = start;
  huge[17 * 5 + 1] = huge[20 * 5 + 2] = INFINITY;
  gpu->upload_matrix({y.data(), rows, 5, y.stride()}, huge.data());
  CHECK_THROWS(integrate<float>(*gpu, *field, options_of("ab2", Process::ou), y, nullptr, {}), Diverged,
               (error.state.rows == std::vector<std::uint64_t>{17, 20}));
}

TEST_CASE("two sizes of one width at the same time") {
  const auto in_a_thread = [](const CdcCase& c, std::string& error) {
    return std::thread([&error, c] {
      try {
        const auto gpu = cuda_backend(Precision::mixed);
        if (!gpu) return;
        const auto field = cdc_field(*gpu, c);
        SolverOptions o = options_of("euler", Process::ou);
        const auto draw = [&] {
          std::vector<double> out(17 * c.dim);
          sample_field(*gpu, *field, o, {nullptr, nullptr, false, true}, nullptr, 17, out.data(), {}, {});
          return out;
        };
        const auto first = draw();
        for (int i = 0; i < 40; ++i)
          if (draw() != first) error = "other bits";
      } catch (const std::exception& e) {
        error = e.what();
      }
    });
  };
  std::string errors[2];
  std::thread small = in_a_thread({3, 32, 9}, errors[0]), large = in_a_thread({3, 32, 20}, errors[1]);
  small.join();
  large.join();
  for (const auto& error : errors) CHECK_EQUAL(error, std::string());
}

#if defined(SKLAR_EMULATED_CUDA)
TEST_CASE("barriers that are left out are noticed") {
  const auto gpu = cuda_backend(Precision::mixed);
  const auto without = [&](int barrier, int warp_barrier, std::uint32_t seed, auto&& body) {
    emulator::set_seed(seed);
    emulator::skip_barrier(barrier);
    emulator::skip_warp_barrier(warp_barrier);
    const auto result = body();
    emulator::skip_barrier(-1);
    emulator::skip_warp_barrier(-1);
    return result;
  };
  const auto noticed = [&](int barrier, int warp_barrier, auto&& body) {
    const auto expected = without(-1, -1, 1, body);
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
      CHECK(without(-1, -1, seed, body) == expected);
      if (!(without(barrier, warp_barrier, seed, body) == expected)) return true;
    }
    return false;
  };
  const auto field = cdc_field(*gpu, {5, 16, 1});
  const auto two_steps = [&] { return carried(*gpu, *field, 4, overflowing()); };
  CHECK(noticed(0, -1, two_steps));  // between the network's arrival and its use
  // the states' arrival; of each step the field's, the move, the check. The first check's makes no difference
  // here: a row that failed is looked after at the next one
  for (const int barrier : {0, 1, 2, 4, 5, 6}) CHECK(noticed(-1, barrier, two_steps));
  const auto from_reference = [&] {
    std::vector<double> out(rows * 5);
    SolverOptions o = options_of("euler", Process::ou);
    o.clock = Clock::w;
    sample_field(*gpu, *field, o, {nullptr, nullptr, false, true}, nullptr, rows, out.data(), {}, {});
    return out;
  };
  CHECK(noticed(-1, 1, from_reference));  // between the known slope and the move
}
#endif
