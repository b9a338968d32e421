// Included by one file for each instruction set, which defines
//   SKLAR_KERNEL_NAMESPACE  a namespace of its own
//   SKLAR_VECTOR_BYTES      the width of a register
//   SKLAR_TILE_ROWS         rows of the register tile; its columns are two registers
// Vectors are the compilers' own vector types (GCC and Clang): the same source serves SSE2, AVX2, AVX-512 and
// NEON, and a width that the processor lacks still computes the same thing.

#include <stdint.h>

#include "backend/cpu/kernels.hpp"

namespace sklar::cpu {
namespace SKLAR_KERNEL_NAMESPACE {

#define SKLAR_INLINE inline __attribute__((always_inline))

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(SKLAR_VECTOR_BYTES), aligned(4), may_alias));
  typedef int32_t integer __attribute__((vector_size(SKLAR_VECTOR_BYTES), aligned(4), may_alias));
};
template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(SKLAR_VECTOR_BYTES), aligned(8), may_alias));
  typedef int64_t integer __attribute__((vector_size(SKLAR_VECTOR_BYTES), aligned(8), may_alias));
};
template <class T>
using V = typename VectorOf<T>::type;

template <class T>
inline constexpr size_t lanes = SKLAR_VECTOR_BYTES / sizeof(T);
template <class T>
inline constexpr size_t tile_columns = 2 * lanes<T>;
inline constexpr size_t tile_rows = SKLAR_TILE_ROWS;
static_assert(linear_chunk_rows % tile_rows == 0 && outer_block_rows % tile_rows == 0);

template <class T>
SKLAR_INLINE V<T> load(const T* p) {
  return *reinterpret_cast<const V<T>*>(p);
}
template <class T>
SKLAR_INLINE void store(T* p, V<T> v) {
  *reinterpret_cast<V<T>*>(p) = v;
}

// exp to 2 units in the last place, after Cephes' expf; the argument is kept where the result is normal
SKLAR_INLINE V<float> exponential(V<float> x) {
  using I = VectorOf<float>::integer;
  const V<float> low = V<float>{} - 87.3f, high = V<float>{} + 88.3f;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  V<float> shifted = x * 1.44269504088896341f + magic;
  V<float> n = shifted - magic;
  V<float> r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  V<float> p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  I exponent = (reinterpret_cast<I>(shifted) - 0x4B400000) << 23;
  return reinterpret_cast<V<float>>(reinterpret_cast<I>(p) + exponent);
}
SKLAR_INLINE V<double> exponential(V<double> x) {
  V<double> y = x;
  for (size_t i = 0; i < lanes<double>; ++i) y[i] = __builtin_exp(x[i]);
  return y;
}

template <class T>
SKLAR_INLINE V<T> sigmoid(V<T> x) {
  return T(1) / (T(1) + exponential(-x));
}

// ---- epilogues: one vector of the product at element offset `at` of the in and out arrays

template <class T>
struct Step {
  const EpilogueArguments<T>& e;
  size_t at;
  SKLAR_INLINE V<T> in(int i) const { return load(e.in[i] + at); }
  SKLAR_INLINE void out(int i, V<T> v) const { store(e.out[i] + at, v); }
};

template <class T>
SKLAR_INLINE V<T> relu_gate(V<T> p, V<T> v) {
  return p > T(0) ? v : V<T>{};
}

template <int order, class T>
SKLAR_INLINE void silu_values(const Step<T>& s, V<T> x) {
  V<T> g = sigmoid<T>(x);
  s.out(0, x * g);
  if constexpr (order >= 1) s.out(1, g * (T(1) + x * (T(1) - g)));
  if constexpr (order >= 2) s.out(2, g * (T(1) - g) * (T(2) + x * (T(1) - T(2) * g)));
}

template <Epilogue kind, class T>
SKLAR_INLINE void finish(const Step<T>& s, V<T> acc, bool active) {
  using E = Epilogue;
  if constexpr (kind == E::store) s.out(0, acc);
  if constexpr (kind == E::inner_relu) s.out(0, acc > T(0) ? acc : V<T>{});
  if constexpr (kind == E::inner_silu) silu_values<0>(s, acc);
  if constexpr (kind == E::inner_silu_1) silu_values<1>(s, acc);
  if constexpr (kind == E::inner_silu_2) silu_values<2>(s, acc);
  if constexpr (kind == E::outer) silu_values<0>(s, acc + s.in(0));
  if constexpr (kind == E::outer_1) silu_values<1>(s, acc + s.in(0));
  if constexpr (kind == E::outer_2) silu_values<2>(s, acc + s.in(0));
  if constexpr (kind == E::top_adjoint) {
    s.out(0, acc);
    s.out(1, acc * s.in(0));
  }
  if constexpr (kind == E::inner_adjoint_relu || kind == E::inner_tangent_relu ||
                kind == E::inner_second_relu)
    s.out(0, relu_gate<T>(s.in(0), acc));
  if constexpr (kind == E::inner_adjoint_silu) s.out(0, acc * s.in(0));
  if constexpr (kind == E::inner_adjoint_silu_2) {
    s.out(0, acc * s.in(0));
    s.out(1, acc);
  }
  if constexpr (kind == E::outer_adjoint) {
    V<T> lambda = s.in(0) + acc;
    s.out(0, lambda);
    s.out(1, s.in(1) * lambda);
  }
  if constexpr (kind == E::bottom_adjoint || kind == E::bottom_second || kind == E::accumulate)
    s.out(0, s.in(0) + acc);
  if constexpr (kind == E::inner_tangent_silu) {
    V<T> f1 = s.in(0), source = s.in(1) * s.in(2) * acc;
    s.out(0, f1 * acc);
    s.out(1, source);
  }
  if constexpr (kind == E::outer_tangent) {
    V<T> z = acc + s.in(0), source = s.in(2) * s.in(3) * z;
    s.out(0, s.in(1) * z);
    s.out(1, source);
  }
  if constexpr (kind == E::top_second) {
    V<T> m = s.in(0) * acc;
    if (active) m += s.in(1);
    s.out(0, m);
  }
  if constexpr (kind == E::inner_second_silu) {
    V<T> n = s.in(0) * acc;
    if (active) n += s.in(1);
    s.out(0, n);
  }
  if constexpr (kind == E::outer_second) {
    V<T> m = s.in(1) * (s.in(0) + acc);
    if (active) m += s.in(2);
    s.out(0, m);
  }
}

// rows [row_begin, row_end) and one panel of columns from `column`; the product lies in scratch
// [row][tile_columns]
template <Epilogue kind, class T>
void apply_epilogue(const EpilogueArguments<T>& e, size_t row_begin, size_t row_end, size_t column,
                    size_t columns, const T* scratch) {
  const size_t width = columns - column < tile_columns<T> ? columns - column : tile_columns<T>;
  const bool first_only = width <= lanes<T>;
  V<T> bias[2] = {};
  if (e.bias) {
    bias[0] = load(e.bias + column);
    if (!first_only) bias[1] = load(e.bias + column + lanes<T>);
  }
  for (size_t r = row_begin; r < row_end; ++r) {
    const T* acc = scratch + (r - row_begin) * tile_columns<T>;
    const size_t at = r * e.stride + column;
    const bool active = r < e.active;
    finish<kind, T>(Step<T>{e, at}, load(acc) + bias[0], active);
    if (!first_only) finish<kind, T>(Step<T>{e, at + lanes<T>}, load(acc + lanes<T>) + bias[1], active);
  }
}

template <class T>
using EpilogueFunction = void (*)(const EpilogueArguments<T>&, size_t, size_t, size_t, size_t, const T*);

template <class T, int... kinds>
struct EpilogueTable {
  static constexpr EpilogueFunction<T> of[] = {apply_epilogue<static_cast<Epilogue>(kinds), T>...};
};
template <class T>
using AllEpilogues =
    EpilogueTable<T, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22>;
static_assert(static_cast<int>(Epilogue::count) == 23);

// ---- the register tile: c[r][0..tile_columns) (+)= sum_k a(r, k) b[k][..]
// packed: a(r, k) = a[k * tile_rows + r]; otherwise a(r, k) = a[r * stride + k]

template <class T, int R, bool packed>
__attribute__((noinline)) void tile(const T* a, size_t stride, const T* b, size_t inner, T* c, bool add) {
  V<T> acc[R][2];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    acc[r][0] = add ? load(c + r * tile_columns<T>) : V<T>{};
    acc[r][1] = add ? load(c + r * tile_columns<T> + lanes<T>) : V<T>{};
  }
  const T* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = packed ? a + r : a + r * stride;
#pragma GCC unroll 2
  for (size_t k = 0; k < inner; ++k) {
    const V<T> b0 = load(b + k * tile_columns<T>), b1 = load(b + k * tile_columns<T> + lanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const T value = packed ? a[k * tile_rows + r] : rows[r][k];
      acc[r][0] += value * b0;
      acc[r][1] += value * b1;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    store(c + r * tile_columns<T>, acc[r][0]);
    store(c + r * tile_columns<T> + lanes<T>, acc[r][1]);
  }
}

template <class T, bool packed>
void any_tile(size_t rows, const T* a, size_t stride, const T* b, size_t inner, T* c, bool add) {
  switch (rows) {
#define SKLAR_TILE(R) \
  case R:             \
    return tile<T, (R <= tile_rows ? R : 1), packed>(a, stride, b, inner, c, add);
    SKLAR_TILE(1)
    SKLAR_TILE(2)
    SKLAR_TILE(3)
    SKLAR_TILE(4)
    SKLAR_TILE(5)
    SKLAR_TILE(6)
    SKLAR_TILE(7)
    SKLAR_TILE(8)
    SKLAR_TILE(9)
    SKLAR_TILE(10)
    SKLAR_TILE(11)
    SKLAR_TILE(12)
#undef SKLAR_TILE
  }
}
static_assert(tile_rows <= 12);

template <class T>
void linear(const LinearCall<T>& call, size_t row_begin, size_t row_end, T* scratch) {
  const auto epilogue = AllEpilogues<T>::of[static_cast<int>(call.epilogue.kind)];
  for (size_t column = 0; column < call.columns; column += tile_columns<T>) {
    const T* panel = call.panels + column * call.inner;
    for (size_t k = 0; k < call.inner; k += inner_block) {
      const size_t length = call.inner - k < inner_block ? call.inner - k : inner_block;
      for (size_t r = row_begin; r < row_end; r += tile_rows) {
        const size_t height = row_end - r < tile_rows ? row_end - r : tile_rows;
        any_tile<T, false>(height, call.x + r * call.x_stride + k, call.x_stride, panel + k * tile_columns<T>,
                           length, scratch + (r - row_begin) * tile_columns<T>, k > 0);
      }
    }
    epilogue(call.epilogue, row_begin, row_end, column, call.columns, scratch);
  }
}

// Columns of a factor of an outer product in groups: to[group][row][group_size], the last group filled up
// with zeros. Some groups at a time: whole lines of memory are read, and few places written to.
template <class T, size_t group_size>
void pack_rows(const T* from, size_t stride, size_t rows, size_t columns, T* to) {
  constexpr size_t at_once = 256 / (group_size * sizeof(T)) > 0 ? 256 / (group_size * sizeof(T)) : 1;
  const size_t whole = columns / group_size;
  for (size_t g = 0; g < whole; g += at_once) {
    const size_t end = g + at_once < whole ? g + at_once : whole;
    for (size_t i = 0; i < rows; ++i) {
      const T* row = from + i * stride;
      for (size_t line = g * group_size; line < end * group_size; line += 64 / sizeof(T))
        __builtin_prefetch(row + 8 * stride + line);
      for (size_t h = g; h < end; ++h)
        __builtin_memcpy(to + (h * rows + i) * group_size, row + h * group_size, group_size * sizeof(T));
    }
  }
  const size_t first = whole * group_size, left = columns - first;
  if (left == 0) return;
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < group_size; ++j)
      to[(whole * rows + i) * group_size + j] = j < left ? from[i * stride + first + j] : T(0);
}

template <class T>
void outer(const OuterCall<T>& call, size_t row_begin, size_t row_end, size_t column_begin, size_t column_end,
           T* scratch) {
  const size_t height = row_end - row_begin, width = column_end - column_begin;
  const size_t panels = (width + tile_columns<T> - 1) / tile_columns<T>;
  const size_t tiles = (height + tile_rows - 1) / tile_rows;
  T* c = scratch;                                     // [panel][row][tile_columns]
  T* b = c + outer_block_rows * outer_block_columns;  // [panel][k][tile_columns]
  T* a = b + inner_block * outer_block_columns;       // [tile][k][tile_rows]
  const bool sums = call.column_sums && column_begin == 0;
  if (sums)
    for (size_t i = row_begin; i < row_end; ++i) call.column_sums[i] = 0;
  bool add = false;
  for (int s = 0; s < call.segments; ++s) {
    const OuterSegment<T>& segment = call.segment[s];
    for (size_t k = 0; k < segment.length; k += inner_block) {
      const size_t length = segment.length - k < inner_block ? segment.length - k : inner_block;
      pack_rows<T, tile_columns<T>>(segment.b + k * segment.b_stride + column_begin, segment.b_stride, length,
                                    width, b);
      pack_rows<T, tile_rows>(segment.a + k * segment.a_stride + row_begin, segment.a_stride, length, height,
                              a);
      if (sums && s == 0) {
        for (size_t i = 0; i < length; ++i) {
          const T* from = segment.a + (k + i) * segment.a_stride;
          for (size_t j = row_begin; j < row_end; ++j) call.column_sums[j] += from[j];
        }
      }
      for (size_t p = 0; p < panels; ++p)
        for (size_t t = 0; t < tiles; ++t)
          tile<T, tile_rows, true>(a + t * length * tile_rows, 0, b + p * length * tile_columns<T>, length,
                                   c + (p * tiles + t) * tile_rows * tile_columns<T>, add);
      add = true;
    }
  }
  for (size_t i = 0; i < height; ++i) {
    T* to = call.c + (row_begin + i) * call.c_stride + column_begin;
    for (size_t p = 0; p < panels; ++p) {
      const T* from = c + (p * tiles * tile_rows + i) * tile_columns<T>;
      const size_t first = p * tile_columns<T>;
      const size_t count = width - first < tile_columns<T> ? width - first : tile_columns<T>;
      for (size_t j = 0; j < count; ++j) to[first + j] = add ? from[j] : T(0);
    }
  }
}

template <class T>
void pack(const T* w, size_t stride, size_t inner, size_t columns, bool transposed, size_t panel_begin,
          size_t panel_end, T* panels) {
  for (size_t p = panel_begin; p < panel_end; ++p) {
    const size_t first = p * tile_columns<T>;
    const size_t count = columns - first < tile_columns<T> ? columns - first : tile_columns<T>;
    T* to = panels + first * inner;
    if (!transposed) {
      for (size_t k = 0; k < inner; ++k)
        for (size_t j = 0; j < tile_columns<T>; ++j)
          to[k * tile_columns<T> + j] = j < count ? w[k * stride + first + j] : T(0);
    } else {
      // a block of k at a time, so that the strided side stays in the first-level cache
      for (size_t k0 = 0; k0 < inner; k0 += 16) {
        const size_t k1 = inner - k0 < 16 ? inner : k0 + 16;
        for (size_t j = 0; j < tile_columns<T>; ++j)
          for (size_t k = k0; k < k1; ++k)
            to[k * tile_columns<T> + j] = j < count ? w[(first + j) * stride + k] : T(0);
      }
    }
  }
}

template <class T>
const KernelTable<T>& table(const char* name) {
  static constexpr size_t columns = tile_columns<T>;
  static const KernelTable<T> kernels{name, tile_rows, columns, linear<T>, outer<T>, pack<T>};
  return kernels;
}

}  // namespace SKLAR_KERNEL_NAMESPACE
}  // namespace sklar::cpu
