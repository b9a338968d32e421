// Times the CPU backend without Node, and the FMA peak of the processor, for `npm run bench -- products` and
// `cdc-train`. Reads lines, answers each with one line of JSON:
//   peak THREADS SECONDS
//   linear|outer|pack ROWS INNER COLUMNS THREADS SECONDS [EPILOGUE]
//   step HIDDEN DEPTH BATCH silu|relu THREADS SECONDS
// linear is (ROWS x INNER)(INNER x COLUMNS) with an epilogue; outer sums over INNER; pack takes the right
// factor of linear; step is one training step of a guided CDC, d = 10, ten levels. Times are the least of
// many samples, of the clock and of the processors.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "backend/backend.hpp"
#include "core/error.hpp"
#include "core/threads/cpu.hpp"
#include "nn/network.hpp"
#include "train/cdc_objective.hpp"
#include "train/trainer.hpp"

using namespace sklar;

namespace {

double clock_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Times {
  double seconds = 1e300, processor = 1e300;
};

// The least time of one call; samples of 0.2 ms and more, for `seconds` in all.
template <class Call>
Times least(double seconds, Call&& call) {
  call();
  double begin = clock_seconds();
  call();
  const double once = std::max(clock_seconds() - begin, 1e-7);
  const int calls = std::max(1, static_cast<int>(std::ceil(2e-4 / once)));
  Times times;
  for (const double end = clock_seconds() + seconds; clock_seconds() < end;) {
    const double processor = processor_seconds();
    begin = clock_seconds();
    for (int i = 0; i < calls; ++i) call();
    times.seconds = std::min(times.seconds, (clock_seconds() - begin) / calls);
    times.processor = std::min(times.processor, (processor_seconds() - processor) / calls);
  }
  return times;
}

// ---- multiply-adds on registers alone, 24 sums: as many as hide the latency on every processor that has
// these registers

constexpr int sums = 24;
using PeakLoop = void (*)(std::size_t);
volatile float sink;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void peak_avx512(std::size_t iterations) {
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f), s[sums];
  for (auto& v : s) v = b;
  for (std::size_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 24
    for (auto& v : s) v = _mm512_fmadd_ps(v, a, b);
    asm volatile("" : "+v"(a), "+v"(b));
  }
  for (int i = 1; i < sums; ++i) s[0] = _mm512_add_ps(s[0], s[i]);
  sink = _mm512_cvtss_f32(s[0]);
}
__attribute__((target("avx2,fma"))) void peak_avx2(std::size_t iterations) {
  constexpr int few = 12;  // sixteen registers
  __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f), s[few];
  for (auto& v : s) v = b;
  for (std::size_t i = 0; i < 2 * iterations; ++i) {
#pragma GCC unroll 12
    for (auto& v : s) v = _mm256_fmadd_ps(v, a, b);
    asm volatile("" : "+x"(a), "+x"(b));
  }
  for (int i = 1; i < few; ++i) s[0] = _mm256_add_ps(s[0], s[i]);
  sink = _mm256_cvtss_f32(s[0]);
}
#endif

// operations a second of one thread, in thousand millions
double peak(double seconds) {
  PeakLoop loop = nullptr;
  double lanes = 0;
#if defined(__x86_64__)
  if (instruction_set() == InstructionSet::avx512) loop = peak_avx512, lanes = 16;
  if (instruction_set() == InstructionSet::avx2) loop = peak_avx2, lanes = 8;
#endif
  if (!loop) return 0;
  constexpr std::size_t iterations = 10000;
  return 2 * lanes * sums * iterations / least(seconds, [&] { loop(iterations); }).seconds / 1e9;
}

double peak_of(std::size_t threads, double seconds) {
  std::vector<double> rate(threads);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads; ++i) workers.emplace_back([&, i] { rate[i] = peak(seconds); });
  for (auto& worker : workers) worker.join();
  double sum = 0;
  for (double r : rate) sum += r;
  return sum;
}

// ---- products

Matrix<float> matrix(Backend<float>& backend, std::size_t rows, std::size_t columns) {
  Matrix<float> m = backend.matrix(rows, columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      m.view().row(i)[j] = static_cast<float>((i * 31 + j * 17) % 64) / 64 - 0.5f;
  return m;
}

struct Shape {
  std::size_t rows, inner, columns, threads;
};

Times linear(const Shape& shape, double seconds, Epilogue kind, bool pack) {
  const auto backend = make_cpu_backend<float>(shape.threads);
  const Matrix<float> x = matrix(*backend, shape.rows, shape.inner);
  const Matrix<float> w = matrix(*backend, shape.inner, shape.columns);
  PackedMatrix<float> packed;
  auto repack = [&] {
    backend->pack(packed, w.data(), w.stride(), shape.inner, shape.columns, Orientation::as_is);
  };
  repack();
  if (pack) return least(seconds, repack);
  std::vector<float> bias(shape.columns, 0.1f);
  std::vector<Matrix<float>> in, out;
  EpilogueOperands<float> e;
  e.kind = kind;
  e.bias = bias.data();
  for (auto& operand : e.in) operand = in.emplace_back(matrix(*backend, shape.rows, shape.columns)).view();
  for (auto& operand : e.out) operand = out.emplace_back(matrix(*backend, shape.rows, shape.columns)).view();
  return least(seconds, [&] { backend->linear(x, packed, e); });
}

Times outer(const Shape& shape, double seconds) {
  const auto backend = make_cpu_backend<float>(shape.threads);
  const Matrix<float> a = matrix(*backend, shape.inner, shape.rows);
  const Matrix<float> b = matrix(*backend, shape.inner, shape.columns);
  Matrix<float> c = backend->matrix(shape.rows, shape.columns);
  OuterProduct<float> p;
  p.segment[0] = {a, b};
  p.c = c.data();
  p.c_stride = c.stride();
  return least(seconds, [&] { backend->outer({&p, 1}); });
}

Times step(const ResidualMlpShape& shape, std::size_t batch, std::size_t threads, double seconds) {
  const auto backend = make_cpu_backend<float>(threads);
  const auto network = make_residual_mlp<float>(*backend, shape);
  std::vector<double> times(shape.outputs);
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = 0.2 * static_cast<double>(i);
  times.back() = INFINITY;
  CdcObjective<float> objective(*backend, *network, OuLevels(times), batch);
  objective.use_stratified_levels(0.2);
  TrainOptions options{};
  options.adam = AdamOptions{{1e-3, 1e-3, 0, 1}, 0.9, 0.999, 1e-8, 1.0, 0.0, 0.999};
  Trainer<float> trainer(*backend, *network, objective, nullptr, options,
                         initial_parameters<float>(network->slices(), 1, true));
  const Matrix<float> data = matrix(*backend, 20000, shape.inputs);
  trainer.set_data(data, {});
  return least(seconds, [&] { trainer.step(); });
}

void answer_step(std::istringstream& words) {
  ResidualMlpShape shape{10, 0, 0, 10, Activation::silu};
  std::size_t batch = 0, threads = 0;
  double seconds = 0;
  std::string inner;
  if (!(words >> shape.hidden >> shape.depth >> batch >> inner >> threads >> seconds))
    throw Error("VALUE", "expected step HIDDEN DEPTH BATCH silu|relu THREADS SECONDS");
  if (inner == "relu") shape.activation = Activation::published;
  const Times times = step(shape, batch, threads, seconds);
  std::printf("{\"seconds\": %.6g, \"processorSeconds\": %.6g}\n", times.seconds, times.processor);
}

void answer(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  double seconds = 0;
  words >> what;
  if (what == "peak") {
    std::size_t threads = 0;
    if (!(words >> threads >> seconds)) throw Error("VALUE", "expected peak THREADS SECONDS");
    std::printf("{\"gflops\": %.6g, \"kernels\": \"%s\"}\n", peak_of(threads, seconds),
                to_string(instruction_set()));
    return;
  }
  if (what == "step") return answer_step(words);
  Shape shape{};
  if (!(words >> shape.rows >> shape.inner >> shape.columns >> shape.threads >> seconds))
    throw Error("VALUE", "expected linear, outer or pack ROWS INNER COLUMNS THREADS SECONDS");
  int kind = 0;
  words >> kind;
  const Times times = what == "outer" ? outer(shape, seconds)
                                      : linear(shape, seconds, static_cast<Epilogue>(kind), what == "pack");
  std::printf("{\"seconds\": %.6g, \"processorSeconds\": %.6g}\n", times.seconds, times.processor);
}

}  // namespace

int main() {
  std::printf("{\"kernels\": \"%s\", \"cpu\": \"%s\"}\n", to_string(instruction_set()), cpu_name().c_str());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "quit") break;
    try {
      answer(line);
    } catch (const std::exception& failure) {
      std::printf("{\"error\": \"%s\"}\n", failure.what());
    }
    std::fflush(stdout);
  }
}
