// The matrix kernels, for every instruction set that this build carries and this machine has, and once more
// with the geometry of AVX-512: any machine computes vectors of 64 bytes, with narrower registers if need be.
#include "backend/cpu/kernels.hpp"
namespace sklar::cpu {
template <class T>
const KernelTable<T>& wide_registers_kernels();
}
#define SKLAR_INSTRUCTION_SET wide_registers
#define SKLAR_VECTOR_BYTES 64
#define SKLAR_TILE_ROWS 12
#include "backend/cpu/kernels.inl"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "backend/backend.hpp"
#include "backend/cpu/elementwise.hpp"
#include "check.hpp"
#include "core/random/philox.h"
#include "core/random/shuffle.h"
#include "core/threads/cpu.hpp"

using namespace sklar;

namespace {

constexpr std::size_t kinds = static_cast<std::size_t>(Epilogue::count);

template <class T>
constexpr double unit = static_cast<double>(std::numeric_limits<T>::epsilon());
template <class T>
constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T untouched = T(-12345.678);

// Uniform in (-1, 1), the same for any order of calls.
template <class T>
T uniform(std::uint64_t stream, std::size_t i) {
  const PhiloxBlock b = philox(philox_counter(i / 4, 0, 0, 10), philox_key(stream));
  const std::uint32_t word[4] = {b.x, b.y, b.z, b.w};
  return static_cast<T>(2 * philox_uniform(word[i % 4]) - 1);
}

// rows x columns of random numbers, `junk` between the rows
template <class T>
struct Rows {
  std::size_t rows, columns, stride;
  std::vector<T> data;

  Rows(std::size_t r, std::size_t c, std::size_t s, std::uint64_t stream, double scale = 1,
       T junk = not_a_number<T>)
      : rows(r), columns(c), stride(s), data(r * s, junk) {
    for (std::size_t i = 0; i < r; ++i)
      for (std::size_t j = 0; j < c; ++j)
        data[i * s + j] = static_cast<T>(scale) * uniform<T>(stream, i * c + j);
  }
  double at(std::size_t i, std::size_t j) const { return static_cast<double>(data[i * stride + j]); }
  MatrixView<T> view() { return {data.data(), rows, columns, stride}; }
  MatrixView<const T> view() const { return {data.data(), rows, columns, stride}; }
};

// The operations under test, by one kernel table or by a whole backend.
template <class T>
struct Kernels {
  std::string name;
  std::function<void(const Rows<T>& x, const T* w, std::size_t w_stride, std::size_t columns, Orientation,
                     const EpilogueOperands<T>&)>
      linear;
  std::function<void(const OuterProduct<T>&)> outer;
};

template <class T>
std::vector<const cpu::KernelTable<T>*> kernel_tables() {
  std::vector<const cpu::KernelTable<T>*> tables{&cpu::baseline_kernels<T>()};
#if defined(SKLAR_X86)
  if (instruction_set() >= InstructionSet::avx2) tables.push_back(&cpu::avx2_kernels<T>());
  if (instruction_set() >= InstructionSet::avx512) tables.push_back(&cpu::avx512_kernels<T>());
#endif
  tables.push_back(&cpu::wide_registers_kernels<T>());
  return tables;
}

template <class T>
Kernels<T> of_table(const cpu::KernelTable<T>& table) {
  Kernels<T> k;
  k.name = table.name;
  k.linear = [&table](const Rows<T>& x, const T* w, std::size_t w_stride, std::size_t columns,
                      Orientation orientation, const EpilogueOperands<T>& e) {
    const std::size_t panels = (columns + table.tile_columns - 1) / table.tile_columns;
    const std::size_t padded = panels * table.tile_columns;
    std::vector<T> packed(padded * x.columns, not_a_number<T>), bias(padded, T(0));
    std::vector<T> scratch(cpu::linear_scratch, not_a_number<T>);
    table.pack(w, w_stride, x.columns, columns, orientation == Orientation::transposed, 0, panels / 2,
               packed.data());
    table.pack(w, w_stride, x.columns, columns, orientation == Orientation::transposed, panels / 2, panels,
               packed.data());
    cpu::LinearCall<T> call{};
    call.x = x.data.data();
    call.x_stride = x.stride;
    call.panels = packed.data();
    call.inner = x.columns;
    call.columns = columns;
    call.epilogue.kind = e.kind;
    call.epilogue.active = e.active;
    call.epilogue.stride = e.out[0].stride;
    for (int i = 0; i < 4; ++i) call.epilogue.in[i] = e.in[i].data;
    for (int i = 0; i < 3; ++i) call.epilogue.out[i] = e.out[i].data;
    if (e.bias) {
      std::copy(e.bias, e.bias + columns, bias.begin());
      call.epilogue.bias = bias.data();
    }
    for (std::size_t r = 0; r < x.rows; r += cpu::linear_chunk_rows)
      table.linear(call, r, std::min(x.rows, r + cpu::linear_chunk_rows), scratch.data());
  };
  k.outer = [&table](const OuterProduct<T>& p) {
    std::vector<T> scratch(cpu::outer_scratch, not_a_number<T>);
    cpu::OuterCall<T> call{};
    call.segments = p.segments;
    for (int s = 0; s < p.segments; ++s)
      call.segment[s] = {p.segment[s].a.data, p.segment[s].a.stride, p.segment[s].b.data,
                         p.segment[s].b.stride, p.segment[s].a.rows};
    call.rows = p.segment[0].a.columns;
    call.columns = p.segment[0].b.columns;
    call.c = p.c;
    call.c_stride = p.c_stride;
    call.column_sums = p.column_sums;
    for (std::size_t c = 0; c < call.columns; c += cpu::outer_block_columns)
      for (std::size_t r = 0; r < call.rows; r += cpu::outer_block_rows)
        table.outer(call, r, std::min(call.rows, r + cpu::outer_block_rows), c,
                    std::min(call.columns, c + cpu::outer_block_columns), scratch.data());
  };
  return k;
}

template <class T>
Kernels<T> of_backend(Backend<T>& backend) {
  Kernels<T> k;
  k.name = "backend";
  k.linear = [&backend](const Rows<T>& x, const T* w, std::size_t w_stride, std::size_t columns,
                        Orientation orientation, const EpilogueOperands<T>& e) {
    PackedMatrix<T> b;
    backend.pack(b, w, w_stride, x.columns, columns, orientation);
    backend.linear(x.view(), b, e);
  };
  k.outer = [&backend](const OuterProduct<T>& p) { backend.outer(std::span<const OuterProduct<T>>(&p, 1)); };
  return k;
}

template <class T>
std::vector<Kernels<T>> all_kernels(Backend<T>& backend) {
  std::vector<Kernels<T>> all;
  for (const auto* table : kernel_tables<T>()) all.push_back(of_table(*table));
  all.push_back(of_backend(backend));
  return all;
}

// ---- what each epilogue means

double silu(double x) { return x / (1 + std::exp(-x)); }
double silu_1(double x) {
  const double g = 1 / (1 + std::exp(-x));
  return g + x * g * (1 - g);
}
double silu_2(double x) {
  const double g = 1 / (1 + std::exp(-x));
  return g * (1 - g) * (2 + x * (1 - 2 * g));
}

struct Meaning {
  int inputs, outputs;
  std::array<double, 3> (*of)(double acc, const double* in, bool active);
};

const Meaning meanings[kinds] = {
    // store
    {0, 1,
     [](double a, const double*, bool) {
       return std::array{a, 0.0, 0.0};
     }},
    // inner_relu, inner_silu, inner_silu_1, inner_silu_2
    {0, 1,
     [](double a, const double*, bool) {
       return std::array{std::max(a, 0.0), 0.0, 0.0};
     }},
    {0, 1,
     [](double a, const double*, bool) {
       return std::array{silu(a), 0.0, 0.0};
     }},
    {0, 2,
     [](double a, const double*, bool) {
       return std::array{silu(a), silu_1(a), 0.0};
     }},
    {0, 3,
     [](double a, const double*, bool) {
       return std::array{silu(a), silu_1(a), silu_2(a)};
     }},
    // outer, outer_1, outer_2
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{silu(a + in[0]), 0.0, 0.0};
     }},
    {1, 2,
     [](double a, const double* in, bool) {
       return std::array{silu(a + in[0]), silu_1(a + in[0]), 0.0};
     }},
    {1, 3,
     [](double a, const double* in, bool) {
       return std::array{silu(a + in[0]), silu_1(a + in[0]), silu_2(a + in[0])};
     }},
    // top_adjoint
    {1, 2,
     [](double a, const double* in, bool) {
       return std::array{a, in[0] * a, 0.0};
     }},
    // inner_adjoint_relu, inner_adjoint_silu, inner_adjoint_silu_2
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] > 0 ? a : 0.0, 0.0, 0.0};
     }},
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] * a, 0.0, 0.0};
     }},
    {1, 2,
     [](double a, const double* in, bool) {
       return std::array{in[0] * a, a, 0.0};
     }},
    // outer_adjoint
    {2, 2,
     [](double a, const double* in, bool) {
       return std::array{in[0] + a, in[1] * (in[0] + a), 0.0};
     }},
    // bottom_adjoint
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] + a, 0.0, 0.0};
     }},
    // inner_tangent_relu, inner_tangent_silu
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] > 0 ? a : 0.0, 0.0, 0.0};
     }},
    {3, 2,
     [](double a, const double* in, bool) {
       return std::array{in[0] * a, in[1] * a * in[2], 0.0};
     }},
    // outer_tangent
    {4, 2,
     [](double a, const double* in, bool) {
       return std::array{in[1] * (a + in[0]), in[2] * (a + in[0]) * in[3], 0.0};
     }},
    // top_second
    {2, 1,
     [](double a, const double* in, bool active) {
       return std::array{in[0] * a + (active ? in[1] : 0.0), 0.0, 0.0};
     }},
    // inner_second_relu, inner_second_silu
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] > 0 ? a : 0.0, 0.0, 0.0};
     }},
    {2, 1,
     [](double a, const double* in, bool active) {
       return std::array{in[0] * a + (active ? in[1] : 0.0), 0.0, 0.0};
     }},
    // outer_second
    {3, 1,
     [](double a, const double* in, bool active) {
       return std::array{in[1] * (in[0] + a) + (active ? in[2] : 0.0), 0.0, 0.0};
     }},
    // bottom_second, accumulate
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] + a, 0.0, 0.0};
     }},
    {1, 1,
     [](double a, const double* in, bool) {
       return std::array{in[0] + a, 0.0, 0.0};
     }},
};

// Index of an input that comes only from active rows.
int second_order_source(Epilogue kind) {
  switch (kind) {
    case Epilogue::top_second:
    case Epilogue::inner_second_silu:
      return 1;
    case Epilogue::outer_second:
      return 2;
    default:
      return -1;
  }
}

// The naive product, in double, and how much rounding it may carry in T.
template <class T>
struct Product {
  std::vector<double> value, slack;
};

template <class T>
Product<T> naive(const Rows<T>& x, const Rows<T>& b) {
  Product<T> p;
  p.value.assign(x.rows * b.columns, 0);
  p.slack.assign(x.rows * b.columns, 0);
  for (std::size_t i = 0; i < x.rows; ++i)
    for (std::size_t k = 0; k < x.columns; ++k) {
      const double value = x.at(i, k);
      for (std::size_t j = 0; j < b.columns; ++j) {
        const double term = value * b.at(k, j);
        p.value[i * b.columns + j] += term;
        p.slack[i * b.columns + j] += std::abs(term);
      }
    }
  const double factor = unit<T> * (2 + 2 * std::sqrt(static_cast<double>(x.columns)));
  for (double& s : p.slack) s *= factor;
  return p;
}

template <class T>
void check_epilogue(const Kernels<T>& kernels, Epilogue kind, const Rows<T>& x, const Rows<T>& w,
                    const std::vector<T>& bias, bool with_bias, Orientation orientation,
                    const Product<T>& expected) {
  const Meaning& meaning = meanings[static_cast<int>(kind)];
  const std::size_t rows = x.rows, columns = bias.size(), stride = padded_stride<T>(columns);
  const std::size_t active = second_order_source(kind) < 0 ? ~std::size_t{0} : rows * 2 / 3;
  std::vector<Rows<T>> in, out;
  EpilogueOperands<T> e;
  e.kind = kind;
  e.active = active;
  e.bias = with_bias ? bias.data() : nullptr;
  for (int i = 0; i < meaning.inputs; ++i) in.emplace_back(rows, columns, stride, 20 + i, 1.5);
  if (const int source = second_order_source(kind); source >= 0)
    std::fill(in[source].data.begin() + static_cast<std::ptrdiff_t>(active * stride), in[source].data.end(),
              not_a_number<T>);
  for (int i = 0; i < meaning.outputs; ++i) {
    out.emplace_back(rows + 1, columns, stride, 30, 0.0);
    std::fill(out[i].data.begin(), out[i].data.end(), untouched<T>);
  }
  for (int i = 0; i < meaning.inputs; ++i) e.in[i] = in[i].view();
  for (int i = 0; i < meaning.outputs; ++i) e.out[i] = out[i].view().first(rows);
  kernels.linear(x, w.data.data(), w.stride, columns, orientation, e);

  double worst = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t at = i * columns + j;
      double operand[4] = {};
      for (int k = 0; k < meaning.inputs; ++k) operand[k] = in[k].at(i, j);
      const double acc = expected.value[at] + (with_bias ? static_cast<double>(bias[j]) : 0.0);
      const auto result = meaning.of(acc, operand, i < active);
      // the steepest epilogue multiplies an error by 1.5^2
      const double slack = 2.25 * (expected.slack[at] + unit<T> * std::abs(acc)) + 12 * unit<T>;
      for (int k = 0; k < meaning.outputs; ++k) {
        const double error = std::abs(out[k].at(i, j) - result[k]);
        // written so that a NaN counts
        if (!(error <= slack * worst)) worst = std::isnan(error) ? 1e300 : error / slack;
      }
    }
  bool kept = true;
  for (const auto& o : out)
    for (std::size_t j = 0; j < stride; ++j) kept = kept && o.data[rows * stride + j] == untouched<T>;
  if (worst > 1 || !kept) {
    check::fail(
        __FILE__, __LINE__,
        kernels.name + ": epilogue " + std::to_string(static_cast<int>(kind)) + ", " + std::to_string(rows) +
            " x " + std::to_string(x.columns) + " x " + std::to_string(columns) +
            (with_bias ? " with bias" : "") + (orientation == Orientation::transposed ? " transposed" : "") +
            ": " +
            (kept ? std::to_string(worst) + " times the rounding allowed" : "wrote beyond its last row"));
  }
}

template <class T>
void check_linear() {
  const auto backend = make_cpu_backend<T>(2);
  const auto all = all_kernels(*backend);
  std::size_t turn = 0;
  for (std::size_t inner : {1, 10, 255, 256, 257, 600})
    for (std::size_t columns : {1, 10, 16, 17, 33, 130}) {
      const double scale = 1 / std::sqrt(static_cast<double>(inner));
      const Rows<T> b(inner, columns, columns + 5, 2, scale);
      Rows<T> transposed(columns, inner, inner + 3, 2);
      for (std::size_t i = 0; i < inner; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          transposed.data[j * transposed.stride + i] = b.data[i * b.stride + j];
      std::vector<T> bias(columns);
      for (std::size_t j = 0; j < columns; ++j) bias[j] = uniform<T>(3, j);
      std::vector<std::size_t> heights = {1, 5, 97, 300};
      if (inner == 257 && columns == 33)  // what is left below whole tiles: every height
        for (std::size_t rows = 2; rows < 24; ++rows) heights.push_back(rows);
      for (std::size_t rows : heights) {
        const Rows<T> x(rows, inner, inner + 7, 1);
        const Product<T> expected = naive(x, b);
        // long sums see two epilogues in turn, short ones all of them
        for (std::size_t k = 0; k < (inner > 10 ? 2 : kinds); ++k, ++turn) {
          const auto orientation = turn % 3 ? Orientation::transposed : Orientation::as_is;
          for (const auto& kernels : all)
            check_epilogue(kernels, static_cast<Epilogue>(turn % kinds), x,
                           orientation == Orientation::as_is ? b : transposed, bias, turn % 2 == 0,
                           orientation, expected);
        }
      }
    }
}

template <class T>
void check_outer() {
  const auto backend = make_cpu_backend<T>(2);
  const auto all = all_kernels(*backend);
  struct Case {
    std::size_t length, second, a, b;  // second: length of another segment; ~0: none
  };
  constexpr std::size_t none = ~std::size_t{0};
  std::vector<Case> cases;
  std::size_t turn = 0;
  for (std::size_t length : {1, 5, 97, 300, 600})
    for (std::size_t a : {1, 10, 17, 130})
      for (std::size_t b : {1, 16, 33, 130})
        cases.push_back({length, turn++ % 2 ? none : length / 2 + turn % 3, a, b});
  // more than a block either way, and nothing to sum
  cases.push_back({300, 257, 201, 17});
  cases.push_back({9, none, 13, 530});
  cases.push_back({257, 3, 193, 513});
  cases.push_back({0, none, 5, 7});
  cases.push_back({0, 4, 5, 7});
  cases.push_back({4, 0, 5, 40});
  for (const Case& c : cases) {
    const int segments = c.second == none ? 1 : 2;
    const Rows<T> a(c.length, c.a, c.a + 3, 1), b(c.length, c.b, c.b + 5, 2);
    const std::size_t second = segments == 2 ? c.second : 0;
    const Rows<T> a2(second, c.a, c.a + 1, 3), b2(second, c.b, c.b, 4);
    std::vector<double> expected(c.a * c.b, 0), sums(c.a, 0);
    auto add = [&](const Rows<T>& l, const Rows<T>& r) {
      for (std::size_t k = 0; k < l.rows; ++k)
        for (std::size_t i = 0; i < c.a; ++i)
          for (std::size_t j = 0; j < c.b; ++j) expected[i * c.b + j] += l.at(k, i) * r.at(k, j);
    };
    add(a, b);
    add(a2, b2);
    for (std::size_t k = 0; k < c.length; ++k)
      for (std::size_t i = 0; i < c.a; ++i) sums[i] += a.at(k, i);
    const double n = static_cast<double>(c.length + second);
    const double slack = unit<T> * (1 + n * (2 + std::sqrt(n)) / 3);
    for (const auto& kernels : all)
      for (bool with_sums : {true, false}) {
        const std::size_t stride = c.b + 6;
        std::vector<T> result(c.a * stride, untouched<T>), result_sums(c.a + 1, untouched<T>);
        OuterProduct<T> p;
        p.segment[0] = {a.view(), b.view()};
        p.segment[1] = {a2.view(), b2.view()};
        p.segments = segments;
        p.c = result.data();
        p.c_stride = stride;
        p.column_sums = with_sums ? result_sums.data() : nullptr;
        kernels.outer(p);
        bool ok = true;
        for (std::size_t i = 0; i < c.a; ++i)
          for (std::size_t j = 0; j < stride; ++j) {
            const T value = result[i * stride + j];
            ok = ok && (j < c.b ? std::abs(static_cast<double>(value) - expected[i * c.b + j]) <= slack
                                : value == untouched<T>);
          }
        for (std::size_t i = 0; i <= c.a; ++i)
          ok = ok && (i < c.a && with_sums ? std::abs(static_cast<double>(result_sums[i]) - sums[i]) <= slack
                                           : result_sums[i] == untouched<T>);
        if (!ok)
          check::fail(__FILE__, __LINE__,
                      kernels.name + ": outer product of " + std::to_string(c.length) + " and " +
                          std::to_string(second) + " rows, " + std::to_string(c.a) + " x " +
                          std::to_string(c.b));
      }
  }
}

template <class T>
void check_pack() {
  for (const auto* table : kernel_tables<T>())
    for (std::size_t inner : {1, 10, 255, 256, 257, 600})
      for (std::size_t columns : {1, 10, 16, 17, 33, 130})
        for (bool transposed : {false, true}) {
          const Rows<T> w(transposed ? columns : inner, transposed ? inner : columns,
                          (transposed ? inner : columns) + 2, 5);
          const std::size_t width = table->tile_columns, panels = (columns + width - 1) / width;
          std::vector<T> packed(panels * width * inner, not_a_number<T>);
          for (std::size_t p = panels; p-- > 0;)  // a panel at a time, in any order
            table->pack(w.data.data(), w.stride, inner, columns, transposed, p, p + 1, packed.data());
          bool ok = true;
          for (std::size_t p = 0; p < panels; ++p)
            for (std::size_t k = 0; k < inner; ++k)
              for (std::size_t j = 0; j < width; ++j) {
                const std::size_t column = p * width + j;
                const T expected = column >= columns
                                       ? T(0)
                                       : w.data[transposed ? column * w.stride + k : k * w.stride + column];
                ok = ok && packed[(p * inner + k) * width + j] == expected;
              }
          if (!ok)
            check::fail(__FILE__, __LINE__,
                        std::string(table->name) + ": pack " + std::to_string(inner) + " x " +
                            std::to_string(columns) + (transposed ? " transposed" : ""));
        }
}

// SiLU and its derivatives over their whole range: the exponential is the kernels' own.
template <class T>
void check_silu() {
  const auto backend = make_cpu_backend<T>(1);
  const std::size_t rows = 4801;
  Rows<T> x(rows, 1, 1, 1);
  for (std::size_t i = 0; i < rows; ++i) x.data[i] = static_cast<T>(-120 + 0.05 * static_cast<double>(i));
  x.data[rows - 1] = static_cast<T>(1e30);
  const T one = 1;
  for (const auto& kernels : all_kernels(*backend)) {
    const std::size_t stride = padded_stride<T>(1);
    std::vector<T> out[3];
    EpilogueOperands<T> e;
    e.kind = Epilogue::inner_silu_2;
    for (int k = 0; k < 3; ++k) {
      out[k].assign(rows * stride, untouched<T>);
      e.out[k] = {out[k].data(), rows, 1, stride};
    }
    kernels.linear(x, &one, 1, 1, Orientation::as_is, e);
    double worst_value = 0, worst_derivative = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const double at = static_cast<double>(x.data[i]);
      const double value = static_cast<double>(out[0][i * stride]);
      // below -80 single precision runs out of exponents
      const double error = at < -80 ? std::abs(value - silu(at)) * 1e20 * unit<T>
                                    : std::abs(value - silu(at)) / std::max(std::abs(silu(at)), 1e-300);
      const double first = std::abs(static_cast<double>(out[1][i * stride]) - silu_1(at));
      const double second = std::abs(static_cast<double>(out[2][i * stride]) - (at > 1e3 ? 0 : silu_2(at)));
      if (!(error <= worst_value)) worst_value = error;
      if (!(std::max(first, second) <= worst_derivative)) worst_derivative = std::max(first, second);
    }
    if (!(worst_value < 8 * unit<T>) || !(worst_derivative < 8 * unit<T>))
      check::fail(__FILE__, __LINE__,
                  kernels.name + ": SiLU off by " + std::to_string(worst_value / unit<T>) +
                      " eps, derivatives " + std::to_string(worst_derivative / unit<T>) + " eps");
  }
}

// The epilogues of training write over one of their inputs.
template <class T>
void check_in_place() {
  const auto backend = make_cpu_backend<T>(2);
  const std::size_t rows = 97, inner = 33, columns = 70, stride = padded_stride<T>(columns);
  const Rows<T> x(rows, inner, inner, 1), w(inner, columns, columns, 2);
  struct Pair {
    Epilogue kind;
    int in, out;
  };
  for (const Pair& p : {Pair{Epilogue::accumulate, 0, 0}, Pair{Epilogue::inner_tangent_silu, 2, 1},
                        Pair{Epilogue::outer_tangent, 2, 1}, Pair{Epilogue::inner_second_silu, 1, 0}})
    for (const auto& kernels : all_kernels(*backend)) {
      const Meaning& meaning = meanings[static_cast<int>(p.kind)];
      auto run = [&](bool in_place) {
        std::vector<Rows<T>> in, out;
        for (int i = 0; i < meaning.inputs; ++i) in.emplace_back(rows, columns, stride, 20 + i);
        for (int i = 0; i < meaning.outputs; ++i) out.emplace_back(rows, columns, stride, 30);
        EpilogueOperands<T> e;
        e.kind = p.kind;
        for (int i = 0; i < meaning.inputs; ++i) e.in[i] = in[i].view();
        for (int i = 0; i < meaning.outputs; ++i) e.out[i] = out[i].view();
        if (in_place) e.out[p.out] = in[p.in].view();
        kernels.linear(x, w.data.data(), w.stride, columns, Orientation::as_is, e);
        std::vector<T> result;
        for (int k = 0; k < meaning.outputs; ++k)
          for (std::size_t i = 0; i < rows; ++i)
            result.insert(result.end(), e.out[k].row(i), e.out[k].row(i) + columns);
        return result;
      };
      CHECK(run(true) == run(false));
    }
}

// ---- elementwise work

template <class T>
std::vector<const cpu::ElementwiseTable<T>*> elementwise_tables() {
  std::vector<const cpu::ElementwiseTable<T>*> tables{&cpu::baseline_elementwise<T>()};
#if defined(SKLAR_X86)
  if (instruction_set() >= InstructionSet::avx2) tables.push_back(&cpu::avx2_elementwise<T>());
  if (instruction_set() >= InstructionSet::avx512) tables.push_back(&cpu::avx512_elementwise<T>());
#endif
  return tables;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
void check_normals() {
  const std::uint64_t seed = 0xfedcba9876543210ULL, step = (1ULL << 33) + 7, first = (1ULL << 32) - 40;
  for (std::size_t columns : {1, 2, 3, 4, 5, 7, 8, 63, 130})
    for (std::size_t rows : {1, 5, 97}) {
      const std::size_t stride = columns + 3;
      std::vector<T> expected(rows * stride, untouched<T>);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) {
          const Normals4 n = philox_normals(
              philox(philox_counter(first + i, static_cast<std::uint32_t>(j / 4), step, kTagSampleNoise),
                     philox_key(seed)));
          const float lane[4] = {n.x, n.y, n.z, n.w};
          expected[i * stride + j] = static_cast<T>(lane[j % 4]);
        }
      for (const auto* table : elementwise_tables<T>()) {
        std::vector<T> got(rows * stride, untouched<T>);
        table->normals(got.data(), stride, rows, columns, seed, first, step, kTagSampleNoise);
        CHECK(same_bits(got, expected));
      }
    }
}

template <class T>
void check_elementwise() {
  const auto tables = elementwise_tables<T>();
  for (std::size_t count : {1, 7, 8, 33, 1001}) {
    std::vector<T> z(count), g(count), h(count), n(count);
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i) {
      z[i] = uniform<T>(1, i);
      g[i] = uniform<T>(2, i);
      h[i] = uniform<T>(3, i);
      n[i] = uniform<T>(4, i);
      squares += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    }
    std::vector<T> first_z, first_p, first_e, first_x;
    double first_sum = 0;
    for (std::size_t t = 0; t < tables.size(); ++t) {
      std::vector<T> moved = z, x(count), p = z, m = h, v(count), e = n;
      for (std::size_t i = 0; i < count; ++i) v[i] = n[i] * n[i];
      const T* terms[] = {moved.data(), g.data(), h.data(), n.data()};
      const T factors[] = {T(0.9), T(0.3), T(-0.1), T(0.2)};
      tables[t]->combine(moved.data(), count, terms, factors, 4);
      tables[t]->noised_row(x.data(), z.data(), n.data(), count, T(0.6), T(0.8));
      tables[t]->adam({p.data(),
                       g.data(),
                       m.data(),
                       v.data(),
                       e.data(),
                       count,
                       {T(0.5), T(0.9), T(0.999), T(1e-8), T(0.97), T(0.01), T(3), T(0.99)}});
      const double sum = tables[t]->sum_of_squares(g.data(), count);
      CHECK_NEAR(sum, squares, 1e-12 * squares);
      for (std::size_t i = 0; i < count; ++i) {
        CHECK_NEAR(moved[i], 0.9 * z[i] + 0.3 * g[i] - 0.1 * h[i] + 0.2 * n[i], 4 * unit<T>);
        CHECK_NEAR(x[i], 0.6 * z[i] + 0.8 * n[i], 4 * unit<T>);
        const double m1 = 0.9 * h[i] + 0.1 * 0.5 * g[i];
        const double v1 = 0.999 * static_cast<double>(n[i]) * n[i] + 0.001 * 0.25 * g[i] * g[i];
        CHECK_NEAR(m[i], m1, 4 * unit<T>);
        CHECK_NEAR(v[i], v1, 4 * unit<T>);
        const double p1 = 0.97 * z[i] - 0.01 * m1 / (std::sqrt(v1) * 3 + 1e-8);
        // v is known to eps: its root, and with it the step, to sqrt(eps) where it vanishes
        const double step_slack = 0.01 * unit<T> / std::max(v1, unit<T>);
        CHECK_NEAR(p[i], p1, 8 * unit<T> + step_slack);
        CHECK_NEAR(e[i], 0.99 * n[i] + 0.01 * p[i], 4 * unit<T>);
      }
      if (t == 0) {
        first_z = moved, first_p = p, first_e = e, first_x = x, first_sum = sum;
        continue;
      }
      CHECK(same_bits(moved, first_z));
      CHECK(same_bits(p, first_p));
      CHECK(same_bits(e, first_e));
      CHECK(same_bits(x, first_x));
      CHECK_EQUAL(sum, first_sum);
    }
    // a sum of nothing
    std::vector<T> moved = z;
    tables[0]->combine(moved.data(), count, nullptr, nullptr, 0);
    CHECK(moved == std::vector<T>(count, T(0)));
  }
}

void check_shuffle() {
  for (std::uint64_t n : {1ull, 2ull, 3ull, 16ull, 17ull, 1000ull, 20000ull, 3000000000ull}) {
    const ShuffleKey key = shuffle_key(11, n);
    for (std::uint64_t first : {std::uint64_t{0}, n / 3, n - 1}) {
      const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(n - first, 333));
      std::vector<std::uint64_t> out(count + 1, 7);
      for (const auto* table : elementwise_tables<float>()) {
        table->shuffle(out.data(), first, count, n, key);
        for (std::size_t i = 0; i < count; ++i) CHECK_EQUAL(out[i], shuffled(first + i, n, key));
        CHECK_EQUAL(out[count], std::uint64_t{7});
      }
    }
  }
}

// ---- operations that are put off

// Two products in a row, the second of fewer rows, and sums over their results, by blocks of rows and by rows
// of the sum.
template <class T>
std::vector<T> products_in_a_row(std::size_t threads, std::size_t width, bool together) {
  const auto owner = make_cpu_backend<T>(threads);
  Backend<T>& backend = *owner;
  const std::size_t rows = width > 1000 ? 120 : 517, fewer = rows * 5 / 6, inner = 40;
  auto random = [&](std::size_t r, std::size_t c, std::uint64_t stream) {
    Matrix<T> m = backend.matrix(r, c);
    for (std::size_t i = 0; i < r; ++i)
      for (std::size_t j = 0; j < c; ++j) m.view().row(i)[j] = uniform<T>(stream, i * c + j);
    return m;
  };
  const Matrix<T> x = random(rows, inner, 1), w = random(inner, width, 2), w2 = random(width, width, 3);
  Matrix<T> y = backend.matrix(rows, width), z = backend.matrix(rows, width),
            sum = backend.matrix(inner, width);
  std::vector<T> column_sums(inner);
  PackedMatrix<T> b, b2;
  const auto body = [&] {
    backend.pack(b, w.data(), w.stride(), inner, width, Orientation::as_is);
    backend.pack(b2, w2.data(), w2.stride(), width, width, Orientation::as_is);
    EpilogueOperands<T> e;
    e.kind = Epilogue::inner_silu;
    e.out[0] = y;
    backend.linear(x, b, e);
    e.kind = Epilogue::accumulate;
    e.in[0] = y.first(fewer);
    e.out[0] = z.first(fewer);
    backend.linear(y.first(fewer), b2, e);
    OuterProduct<T> p;
    p.segment[0] = {x, y};
    p.segment[1] = {x.first(fewer), z.first(fewer)};
    p.segments = 2;
    p.c = sum.data();
    p.c_stride = sum.stride();
    p.column_sums = column_sums.data();
    backend.outer({&p, 1});
    backend.fill_column(y, 0, T(3));  // after all of it
  };
  if (together)
    backend.together(body);
  else
    body();
  std::vector<T> results = column_sums;
  for (MatrixView<const T> m : {MatrixView<const T>(y), MatrixView<const T>(z), MatrixView<const T>(sum)})
    for (std::size_t i = 0; i < m.rows; ++i) results.insert(results.end(), m.row(i), m.row(i) + m.columns);
  return results;
}

template <class T>
void check_together() {
  for (std::size_t width : {10, 130, 2100}) {  // 2100: each product by itself, and sums by rows
    const auto expected = products_in_a_row<T>(1, width, false),
               put_off = products_in_a_row<T>(1, width, true);
    for (std::size_t threads : {2, 3}) CHECK(same_bits(products_in_a_row<T>(threads, width, true), put_off));
    // the sums may be taken in another order
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK_NEAR(put_off[i], expected[i], 2000 * unit<T> * (1 + std::abs(static_cast<double>(expected[i]))));
  }
}

// ---- threads

// Everything that a backend computes from the same input, one after the other.
template <class T>
std::vector<double> everything(std::size_t threads) {
  const auto owner = make_cpu_backend<T>(threads);
  Backend<T>& backend = *owner;
  std::vector<double> results;
  auto keep = [&](MatrixView<const T> m) {
    for (std::size_t i = 0; i < m.rows; ++i) results.insert(results.end(), m.row(i), m.row(i) + m.columns);
  };
  auto random = [&](std::size_t rows, std::size_t columns, std::uint64_t stream) {
    Matrix<T> m = backend.matrix(rows, columns);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) m.view().row(i)[j] = uniform<T>(stream, i * columns + j);
    return m;
  };
  for (std::size_t rows : {1, 50, 97, 300, 1000})
    for (std::size_t columns : {10, 130}) {
      const std::size_t inner = 300;
      const Matrix<T> x = random(rows, inner, 1), w = random(columns, inner, 2);
      PackedMatrix<T> b;
      backend.pack(b, w.data(), w.stride(), inner, columns, Orientation::transposed);
      Matrix<T> y = backend.matrix(rows, columns), y1 = backend.matrix(rows, columns);
      EpilogueOperands<T> e;
      e.kind = Epilogue::inner_silu_1;
      e.out[0] = y;
      e.out[1] = y1;
      backend.linear(x, b, e);
      keep(y);
      keep(y1);
      OuterProduct<T> products[2];
      std::vector<T> c(inner * columns), sums(inner), c2(columns * columns);
      products[0].segment[0] = {x, y};
      products[0].segment[1] = {x.first(rows / 2), y1.first(rows / 2)};
      products[0].segments = 2;
      products[0].c = c.data();
      products[0].c_stride = columns;
      products[0].column_sums = sums.data();
      products[1].segment[0] = {y, y1};
      products[1].c = c2.data();
      products[1].c_stride = columns;
      backend.outer(products);
      for (const auto* v : {&c, &sums, &c2}) results.insert(results.end(), v->begin(), v->end());
    }
  // a batch, its loss and an optimiser's step
  const std::size_t rows = 517, d = 5, k = 6;
  const T alpha[] = {T(1), T(0.9), T(0.7), T(0.5), T(0.3), T(0)};
  const T sigma[] = {T(0), T(0.43588989), T(0.71414284), T(0.8660254), T(0.9539392), T(1)};
  const Levels<T> levels{k, alpha, sigma};
  TrainState state{};
  state.step = 3;
  const Matrix<T> data = random(1000, d, 3), logits = random(rows, k, 4), gradient = random(rows, d, 5);
  Matrix<T> noise = backend.matrix(rows, d), x = backend.matrix(rows, d + 1);
  for (std::size_t active : {rows, std::size_t{345}}) {
    std::vector<std::int32_t> level(rows);
    BatchDraw<T> draw;
    draw.state = &state;
    draw.seed = 77;
    draw.data = data;
    draw.levels = levels;
    draw.active = active;
    draw.noise = noise;
    draw.x = x;
    draw.level = level.data();
    backend.draw_batch(draw);
    keep(x);
    keep(noise);
    results.insert(results.end(), level.begin(), level.end());
    Matrix<T> logit_adjoint = backend.matrix(rows, k), gradient_adjoint = backend.matrix(rows, d + 1);
    std::vector<double> row_losses(2 * rows);
    Matrix<T> predicted_noise = backend.matrix(rows, d);
    ClassifierLoss<T> loss;
    loss.predicted_noise = predicted_noise;
    loss.logits = logits;
    loss.gradient = gradient;
    loss.x = x;
    loss.noise = noise;
    loss.level = level.data();
    loss.levels = levels;
    loss.active = active;
    loss.cross_entropy_weight = 0.2;
    loss.active_row_weight = loss.passive_row_weight = 1.0 / rows;
    loss.active_error_weight = 1.0 / rows;
    loss.logit_adjoint = logit_adjoint;
    loss.gradient_adjoint = gradient_adjoint;
    loss.row_losses = row_losses.data();
    loss.state = &state;
    backend.classifier_loss(loss);
    keep(logit_adjoint);
    keep(gradient_adjoint.first(active));
    results.push_back(state.cross_entropy);
    results.push_back(state.squared_error);
  }
  const std::size_t count = 50000;
  const Matrix<T> g = random(1, count, 6);
  Matrix<T> parameters = random(1, count, 7), m = random(1, count, 8), average = random(1, count, 9);
  Matrix<T> v = backend.matrix(1, count);
  const AdamOptions options{{1e-3, 0.1, 2, 10}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.99};
  const AdamUpdate<T> update{parameters.data(), g.data(), m.data(), v.data(),
                             average.data(),    options,  &state};
  for (int i = 0; i < 2; ++i) backend.adam({&update, 1}, count);
  keep(parameters);
  keep(average);
  results.push_back(state.gradient_norm);
  // sampling
  Matrix<T> z = backend.matrix(rows, d);
  backend.normals(z, 5, 1000, 0, kTagSampleStart);
  keep(z);
  Combine<T> step;
  step.to = z;
  step.add(z, 0.8).add(gradient, 0.1).add(noise, -0.2);
  step.noise = 0.6;
  step.seed = 5;
  step.first_row = 1000;
  step.step = 2;
  step.tag = kTagSampleNoise;
  backend.combine(step);
  keep(z);
  const std::vector<double> cholesky = {1, 0, 0,   0, 0,   0.5, 0.9, 0,   0,   0,   0.1, 0.2, 0.9,
                                        0, 0, 0.3, 0, 0.4, 0.8, 0,   0.2, 0.2, 0.2, 0.2, 0.9};
  std::vector<double> u(rows * d), quadratic(rows);
  backend.colour(u.data(), x, false, cholesky.data(), nullptr);
  results.insert(results.end(), u.begin(), u.end());
  backend.whiten(x, u.data(), false, cholesky.data(), quadratic.data());
  keep(x);
  results.insert(results.end(), quadratic.begin(), quadratic.end());
  return results;
}

template <class T>
void check_threads() {
  const auto one = everything<T>(1);
  for (double value : one)
    if (!std::isfinite(value)) return check::fail(__FILE__, __LINE__, "not finite");
  CHECK(same_bits(everything<T>(2), one));
  CHECK(same_bits(everything<T>(3), one));
}

}  // namespace

TEST_CASE("linear with every epilogue against a naive product, float") {
  std::printf("      kernels of this machine: %s\n", to_string(instruction_set()));
  check_linear<float>();
}
TEST_CASE("linear with every epilogue against a naive product, double") { check_linear<double>(); }
TEST_CASE("epilogues may write over an input") {
  check_in_place<float>();
  check_in_place<double>();
}
TEST_CASE("outer products against a naive product, float") { check_outer<float>(); }
TEST_CASE("outer products against a naive product, double") { check_outer<double>(); }
TEST_CASE("packing moves every element and fills up with zeros") {
  check_pack<float>();
  check_pack<double>();
}
TEST_CASE("SiLU and its derivatives over their whole range, float") { check_silu<float>(); }
TEST_CASE("SiLU and its derivatives over their whole range, double") { check_silu<double>(); }
TEST_CASE("normals have the same bits on every instruction set") {
  check_normals<float>();
  check_normals<double>();
}
TEST_CASE("elementwise work has the same bits on every instruction set") {
  check_elementwise<float>();
  check_elementwise<double>();
}
TEST_CASE("many rows are shuffled as each of them alone") { check_shuffle(); }
TEST_CASE("operations that are put off give the same results") {
  check_together<float>();
  check_together<double>();
}
TEST_CASE("results do not depend on the number of threads, float") { check_threads<float>(); }
TEST_CASE("results do not depend on the number of threads, double") { check_threads<double>(); }
