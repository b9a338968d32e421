// Matrix products and their epilogues on CUDA.
#include "device_support.hpp"

using namespace device_support;

namespace {

constexpr int kinds = static_cast<int>(Epilogue::count);

struct Linear {
  std::size_t rows, inner, columns;
  Epilogue kind;
  bool transposed, with_bias;
};

void check_linear(const Linear& c, Precision precision, double tolerance) {
  const std::string what = "epilogue " + std::to_string(static_cast<int>(c.kind)) + ", " +
                           std::to_string(c.rows) + " x " + std::to_string(c.inner) + " x " +
                           std::to_string(c.columns);
  compare(
      what.c_str(), tolerance,
      [&](Bench& b) {
        const auto x = b.matrix(c.rows, c.inner, 1);
        const auto w = c.transposed ? b.matrix(c.columns, c.inner, 2) : b.matrix(c.inner, c.columns, 2);
        PackedMatrix<float> packed;
        b.backend.pack(packed, w.data(), w.stride(), c.inner, c.columns,
                       c.transposed ? Orientation::transposed : Orientation::as_is);
        const auto bias = b.buffer(normals(c.columns, 3));
        Matrix<float> in[4], out[3];
        EpilogueOperands<float> e;
        e.kind = c.kind;
        e.bias = c.with_bias ? bias.data() : nullptr;
        e.active = c.rows / 2;
        for (int i = 0; i < 4; ++i) e.in[i] = in[i] = b.matrix(c.rows, c.columns, 4 + i);
        for (int i = 0; i < 3; ++i) e.out[i] = out[i] = b.poisoned(c.rows, c.columns);
        b.backend.linear(x, packed, e);
        for (const auto& m : out) b.keep(m);
      },
      precision);
}

// Every shape with an epilogue, and every epilogue with a product of each sort: few columns, a short sum,
// neither; 130 x 70 has whole tiles and others.
void check_linear(Precision precision, double tolerance) {
  int turn = 0;
  const auto check = [&](std::size_t rows, std::size_t inner, std::size_t columns) {
    const auto kind = static_cast<Epilogue>(turn % kinds);
    check_linear({rows, inner, columns, kind, turn % 2 != 0, turn % 3 == 0}, precision, tolerance);
    ++turn;
  };
  for (std::size_t inner : {1, 11, 64, 130})
    for (std::size_t columns : {1, 10, 64, 70})
      for (std::size_t rows : {1, 63, 130}) check(rows, inner, columns);
  for (int i = 0; i < kinds; ++i) check(130, 64, 70);
  // thin products are the same in every precision, but for 16 bits that are bf16
  if (precision == Precision::mixed) return;
  for (int i = 0; i < kinds; ++i) check(130, 11, 70);
  for (int i = 0; i < kinds; ++i) check(130, 64, 10);
}

void check_outer(Precision precision, double tolerance) {
  struct Shape {
    std::size_t length, second, a, b;
  };
  for (const Shape& s : {Shape{1, 0, 1, 1}, Shape{300, 0, 10, 70}, Shape{257, 130, 64, 64},
                         Shape{700, 610, 70, 11}, Shape{40, 33, 130, 65}})
    compare(
        "outer product", tolerance,
        [&](Bench& b) {
          const auto a1 = b.matrix(s.length, s.a, 1), b1 = b.matrix(s.length, s.b, 2);
          const auto a2 = b.matrix(s.length, s.a, 3), b2 = b.matrix(s.length, s.b, 4);
          const auto c = b.poisoned(s.a, s.b), sums = b.poisoned(1, s.a);
          OuterProduct<float> p;
          p.segment[0] = {a1, b1};
          p.segment[1] = {a2.first(s.second), b2.first(s.second)};
          p.segments = s.second ? 2 : 1;
          p.c = c.data();
          p.c_stride = c.stride();
          p.column_sums = sums.data();
          b.backend.outer(std::span<const OuterProduct<float>>(&p, 1));
          b.keep(c);
          b.keep(sums);
        },
        precision);
}

}  // namespace

TEST_CASE("linear with every epilogue, fp32") { check_linear(Precision::fp32, 4e-6); }
TEST_CASE("outer products, fp32") { check_outer(Precision::fp32, 2e-6); }
// errors relative to the largest value; operands of 11 and of 8 bits
TEST_CASE("linear with every epilogue, mixed") { check_linear(Precision::mixed, 2e-3); }
TEST_CASE("linear with every epilogue, bf16") { check_linear(Precision::bf16, 1.2e-2); }
TEST_CASE("outer products, fp16") { check_outer(Precision::fp16, 1e-3); }
TEST_CASE("outer products, bf16") { check_outer(Precision::bf16, 8e-3); }

TEST_CASE("three products are as good as float32, in every range") {
  for (const float scale : {1e-3f, 1.0f, 1e3f})
    compare(
        "three products", 2e-6,
        [&](Bench& b) {
          const auto x = b.matrix(70, 130, 1), w = b.matrix(130, 70, 2);
          Combine<float> larger;
          larger.to = x;
          larger.add(x, static_cast<double>(scale));
          b.backend.combine(larger);
          PackedMatrix<float> packed;
          b.backend.pack(packed, w.data(), w.stride(), 130, 70, Orientation::as_is);
          const auto out = b.poisoned(70, 70);
          EpilogueOperands<float> e;
          e.kind = Epilogue::inner_relu;
          e.out[0] = out;
          b.backend.linear(x, packed, e);
          b.keep(out);
        },
        Precision::mixed);
}

TEST_CASE("values beyond the range of fp16 are counted, and infinities stay") {
  const auto gpu = cuda_backend(Precision::fp16);
  if (!gpu) return;
  Bench b(*gpu);
  const auto x = b.matrix(64, 64, 1), w = b.matrix(64, 64, 2), out = b.poisoned(64, 64);
  PackedMatrix<float> packed;
  gpu->pack(packed, w.data(), w.stride(), 64, 64, Orientation::as_is);
  EpilogueOperands<float> e;
  e.out[0] = out;
  gpu->linear(x, packed, e);
  const auto finite = [&] {
    std::vector<float> host(64 * 64);
    gpu->download_matrix(host.data(), out);
    return std::ranges::all_of(host, [](float v) { return std::isfinite(v); });
  };
  CHECK_EQUAL(gpu->saturated(), 0u);
  CHECK(finite());
  gpu->fill_column(x, 3, 1e5f);
  gpu->linear(x, packed, e);
  CHECK(gpu->saturated() > 0u);
  CHECK(finite());
  gpu->fill_column(x, 3, HUGE_VALF);
  gpu->linear(x, packed, e);
  CHECK(!finite());
}

TEST_CASE("many outer products at once") {
  compare("many outer products", 2e-6, [](Bench& b) {
    std::vector<Matrix<float>> left, right, results;
    std::vector<OuterProduct<float>> products;
    for (std::size_t i = 0; i < 47; ++i) {
      left.push_back(b.matrix(20, 3 + i % 5, i));
      right.push_back(b.matrix(20, 2 + i % 67, 100 + i));
      results.push_back(b.poisoned(3 + i % 5, 2 + i % 67));
      OuterProduct<float> p;
      p.segment[0] = {left.back(), right.back()};
      p.c = results.back().data();
      p.c_stride = results.back().stride();
      products.push_back(p);
    }
    b.backend.outer(products);
    for (const auto& m : results) b.keep(m);
  });
}

TEST_CASE("a factor that is no matrix of the backend is refused") {
  const auto gpu = cuda_backend();
  if (!gpu) return;
  Bench b(*gpu);
  const auto x = b.matrix(8, 8, 1), w = b.matrix(8, 8, 2), out = b.matrix(8, 8, 3);
  PackedMatrix<float> packed;
  gpu->pack(packed, w.data(), w.stride(), 7, 8, Orientation::as_is);
  EpilogueOperands<float> e;
  e.out[0] = out;
  const MatrixView<const float> shifted{x.data() + 1, 8, 7, x.stride()};
  CHECK_THROWS(gpu->linear(shifted, packed, e), Error, error.code() == "SHAPE");
}

#if defined(SKLAR_EMULATED_CUDA)
TEST_CASE("a barrier that is left out is noticed") {
  // of a product with several parts of the sum: store, (barrier, multiply, store)..., barrier, result,
  // barrier
  int noticed = 0;
  for (int barrier = 0; barrier < 6; ++barrier) {
    std::vector<double> results[2];
    for (int run = 0; run < 2; ++run) {
      emulator::skip_barrier(run ? barrier : -1);
      const auto gpu = cuda_backend();
      emulator::set_seed(7 + static_cast<std::uint32_t>(barrier));
      Bench b(*gpu);
      const auto x = b.matrix(64, 64, 1), w = b.matrix(64, 64, 2), out = b.poisoned(64, 64);
      PackedMatrix<float> packed;
      gpu->pack(packed, w.data(), w.stride(), 64, 64, Orientation::as_is);
      EpilogueOperands<float> e;
      e.out[0] = out;
      gpu->linear(x, packed, e);
      b.keep(out);
      results[run] = b.kept;
    }
    emulator::skip_barrier(-1);
    noticed += results[0] != results[1];
  }
  CHECK_EQUAL(noticed, 6);
}
#endif
