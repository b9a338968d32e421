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

std::vector<double> cdc_times(const CdcCase& c) { return {0, 0.1, 0.3, 0.6, 1.1, c.known ? INFINITY : 2.5}; }
ResidualMlpShape cdc_shape(const CdcCase& c) {
  return {c.dim, c.hidden, c.depth, cdc_times(c).size(), c.activation};
}
// larger than a fresh network's, so that a mistake shows
std::vector<float> cdc_parameters(const CdcCase& c) {
  auto parameters = initial_parameters<float>(residual_mlp_slices(cdc_shape(c)), 4, false);
  for (float& p : parameters) p *= 2;
  return parameters;
}

template <class T>
std::shared_ptr<Field<T>> cdc_field(Backend<T>& backend, const CdcCase& c) {
  CdcDefinition d;
  d.times = cdc_times(c);
  d.network = cdc_shape(c);
  if (c.known)
    for (std::size_t i = 0; i < c.dim; ++i)
      for (std::size_t j = 0; j < c.dim; ++j)
        d.correlation.push_back(i == j ? 1 : 0.5 / static_cast<double>(1 + i + j));
  const auto parameters = cdc_parameters(c);
  return make_cdc_field<T>(backend, d, std::vector<T>(parameters.begin(), parameters.end()));
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

template <class T>
std::vector<double> samples(Backend<T>& backend, Field<T>& field, const SolverOptions& o,
                            SolverStatistics* statistics = nullptr) {
  std::vector<double> out(rows * field.dim(), NAN);
  const auto of_run =
      sample_field(backend, field, o, {nullptr, nullptr, false, true}, nullptr, rows, out.data(), {}, {});
  if (statistics) *statistics = of_run;
  return out;
}

void keep_samples(Bench& b, Field<float>& field, const SolverOptions& o) {
  SolverStatistics statistics;
  const auto out = samples(b.backend, field, o, &statistics);
  b.kept.insert(b.kept.end(), out.begin(), out.end());
  b.kept.push_back(static_cast<double>(statistics.evaluations) / 1e3);
}

constexpr double half_roundoff = 0x1p-11;

// Of the only block of a CDC: for each state the distance of the unit that is closest to its kink, in what
// the rounding of weights and of the block's input to fp16 moves it by: of each term of its sum up to a unit
// roundoff, independently.
std::vector<double> kink_distances(const CdcCase& c, const std::vector<double>& states) {
  const auto slices = residual_mlp_slices(cdc_shape(c));
  const auto p = cdc_parameters(c);
  const auto at = [&](std::size_t slice, std::size_t i) {
    return static_cast<double>(p[slices[slice].offset + i]);
  };
  std::vector<double> distances(states.size() / c.dim, INFINITY), h(c.hidden);
  for (std::size_t row = 0; row < distances.size(); ++row) {
    for (std::size_t k = 0; k < c.hidden; ++k) {
      h[k] = at(1, k);
      for (std::size_t j = 0; j < c.dim; ++j) h[k] += at(0, k * c.dim + j) * states[row * c.dim + j];
    }
    for (std::size_t unit = 0; unit < c.hidden; ++unit) {
      double sum = at(3, unit), squares = 0;
      for (std::size_t k = 0; k < c.hidden; ++k) {
        const double term = at(2, unit * c.hidden + k) * h[k];
        sum += term;
        squares += term * term;
      }
      distances[row] = std::min(distances[row], std::abs(sum) / (half_roundoff * std::sqrt(squares)));
    }
  }
  return distances;
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
  for (const std::size_t hidden : {16, 32, 64})
    for (const Activation activation : {Activation::silu, Activation::published})
      for (const bool known : {true, false}) {
        const CdcCase c{3, hidden, hidden == 16 ? 3u : 1u, activation, known};
        // as long as the states are the same no unit of a ReLU is on for one and off for the other
        SolverOptions o = options_of("ab2", Process::ou, known);
        o.nodes.resize(known ? 3 : 2);
        compare(
            "mixed", 1e-3, [&](Bench& b) { keep_samples(b, *cdc_field(b.backend, c), o); }, Precision::mixed);
      }
}

// Step by step the input of the first block and its weights are not rounded: thin products are float32.
TEST_CASE("fp16 in one kernel and step by step are a few roundings away from float64") {
  const auto gpu = cuda_backend(Precision::fp16);
  if (!gpu) return;
  const auto cpu = make_cpu_backend<double>(1);
  for (const std::size_t hidden : {32, 64, 128})
    for (const Activation activation : {Activation::silu, Activation::published})
      for (const bool known : {true, false}) {
        const CdcCase c{3, hidden, 1, activation, known};
        // a step by the network, after one by the known slope of the reference
        SolverOptions o = options_of("ab2", Process::ou, known);
        o.nodes.resize(known ? 3 : 2);
        const auto exact = samples(*cpu, *cdc_field(*cpu, c), o),
                   fused = samples(*gpu, *cdc_field(*gpu, c), o);
        o.brownian = Brownian::tree;  // which is not drawn from, but keeps to single steps
        const auto single = samples(*gpu, *cdc_field(*gpu, c), o);

        std::vector<double> before(exact.size());
        if (known) {
          o.nodes.resize(2);
          before = samples(*cpu, *cdc_field(*cpu, c), o);
        } else {
          const auto start = cpu->matrix(rows, c.dim);
          cpu->normals(start, o.seed, 0, 0, kTagSampleStart);
          cpu->download_matrix(before.data(), start);
        }
        double furthest = 0;
        for (std::size_t i = 0; i < exact.size(); ++i)
          furthest = std::max(furthest, std::abs(exact[i] - before[i]));
        // where rounding may turn a unit on or off, the field jumps
        const auto distances = kink_distances(c, before);
        const auto decided = [&](std::size_t row) {
          return activation == Activation::silu || distances[row] > 4;
        };
        double of_fused = 0, of_single = 0;
        std::size_t compared = 0;
        for (std::size_t i = 0; i < exact.size(); ++i) {
          of_single = std::max(of_single, std::abs(single[i] - exact[i]));
          if (!decided(i / c.dim)) continue;
          ++compared;
          of_fused = std::max(of_fused, std::abs(fused[i] - exact[i]));
        }
        std::printf(
            "      %zu wide: in roundoffs of the longest move %.2f in one kernel, %.2f step by step\n",
            hidden, of_fused / half_roundoff / furthest, of_single / half_roundoff / furthest);
        CHECK(compared > exact.size() * 2 / 3);
        // rounded on the way back: two slopes, what each is multiplied into, two matrices; each a roundoff at
        // most
        CHECK(of_fused < 6 * half_roundoff * furthest);
        CHECK(of_single < 6 * half_roundoff * furthest);
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
