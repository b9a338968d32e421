// Included by one file for each instruction set, which defines
//   SKLAR_INSTRUCTION_SET  its name
//   SKLAR_VECTOR_BYTES     the width of a register
//   SKLAR_TILE_ROWS        rows of the register tile; its columns are two registers
// Vectors are the compilers' own vector types (GCC and Clang): the same source serves SSE2, AVX2, AVX-512 and
// NEON, and a width that the processor lacks still computes the same thing.

#include <stdint.h>

#include "backend/cpu/kernels.hpp"
#include "core/silu.h"

#include "backend/cpu/instruction_set.h"

namespace sklar::cpu {
namespace SKLAR_OF_SET(kernels_) {

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
  s.out(0, silu_0<T>(x, g));
  if constexpr (order >= 1) s.out(1, silu_1<T>(x, g));
  if constexpr (order >= 2) s.out(2, silu_2<T>(x, g));
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

// One panel of columns from `column` of `rows` rows from `row`; the product lies in scratch
// [row][tile_columns], the bias is a whole panel.
template <Epilogue kind, class T>
void apply_epilogue(const EpilogueArguments<T>& e, size_t row, size_t rows, size_t column, bool first_only,
                    const T* scratch, const T* bias) {
  const V<T> bias0 = load(bias), bias1 = load(bias + lanes<T>);
  for (size_t i = 0; i < rows; ++i) {
    const T* acc = scratch + i * tile_columns<T>;
    const size_t at = (row + i) * e.stride + column;
    const bool active = row + i < e.active;
    finish<kind, T>(Step<T>{e, at}, load(acc) + bias0, active);
    if (!first_only) finish<kind, T>(Step<T>{e, at + lanes<T>}, load(acc + lanes<T>) + bias1, active);
  }
}

template <class T>
using EpilogueFunction = void (*)(const EpilogueArguments<T>&, size_t, size_t, size_t, bool, const T*,
                                  const T*);

template <class T, int... kinds>
struct EpilogueTable {
  static constexpr EpilogueFunction<T> of[] = {apply_epilogue<static_cast<Epilogue>(kinds), T>...};
};
template <class T>
using AllEpilogues =
    EpilogueTable<T, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22>;
static_assert(static_cast<int>(Epilogue::count) == 23);

// ---- the register tile: c[r][0..tile_columns) (+)= sum_k a(r, k) b[k * b_stride ..], the sums one after the
// other. by_columns: a(r, k) = a[k * a_stride + r]; otherwise a(r, k) = a[r * a_stride + k]. `vectors` of the
// panel's two are worked on, what c has of the other is left.

template <class T, int R, int vectors, bool by_columns>
__attribute__((noinline)) void tile(const T* a, size_t a_stride, const T* b, size_t b_stride, size_t inner,
                                    T* c, bool add) {
  V<T> acc[R][vectors] = {};
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) acc[r][v] = load(c + r * tile_columns<T> + v * lanes<T>);
  }
  const T* rows[R];
  rows[0] = a;
#pragma GCC unroll 16
  for (int r = 1; r < R; ++r) {
    rows[r] = rows[r - 1] + (by_columns ? 1 : a_stride);
    if (!by_columns) asm("" : "+r"(rows[r]));  // else GCC multiplies in vectors, which takes longer
  }
#pragma GCC unroll 2
  for (size_t k = 0; k < inner; ++k) {
    V<T> row[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) row[v] = load(b + v * lanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const T value = by_columns ? a[r] : rows[r][k];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) acc[r][v] += value * row[v];
    }
    b += b_stride;
    if (by_columns) a += a_stride;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store(c + r * tile_columns<T> + v * lanes<T>, acc[r][v]);
}

template <class T, int vectors>
void any_tile(size_t rows, const T* a, size_t stride, const T* b, size_t inner, T* c, bool add) {
  switch (rows) {
#define SKLAR_TILE(R) \
  case R:             \
    return tile<T, (R <= tile_rows ? R : 1), vectors, false>(a, stride, b, tile_columns<T>, inner, c, add);
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

// Each tile is finished while it is in the first-level cache.
template <class T>
void linear(const LinearCall<T>& call, size_t row_begin, size_t row_end, T* scratch) {
  const auto epilogue = AllEpilogues<T>::of[static_cast<int>(call.epilogue.kind)];
  for (size_t column = 0; column < call.columns; column += tile_columns<T>) {
    const T* panel = call.panels + column * call.inner;
    const size_t width = call.columns - column < tile_columns<T> ? call.columns - column : tile_columns<T>;
    const bool first_only = width <= lanes<T>;
    const auto product = first_only ? any_tile<T, 1> : any_tile<T, 2>;
    T bias[tile_columns<T>] = {};
    if (call.epilogue.bias) __builtin_memcpy(bias, call.epilogue.bias + column, width * sizeof(T));
    for (size_t k = 0; k < call.inner; k += inner_block) {
      const bool last = call.inner - k <= inner_block;
      const size_t length = last ? call.inner - k : inner_block;
      for (size_t r = row_begin; r < row_end; r += tile_rows) {
        const size_t height = row_end - r < tile_rows ? row_end - r : tile_rows;
        T* c = scratch + (r - row_begin) * tile_columns<T>;
        product(height, call.x + r * call.x_stride + k, call.x_stride, panel + k * tile_columns<T>, length, c,
                k > 0);
        if (last) epilogue(call.epilogue, r, height, column, first_only, c, bias);
      }
    }
  }
}

// Columns [first, first + count) of `rows` rows, filled up with zeros: to[row][group_size]
template <class T, size_t group_size>
void copy_columns(const T* from, size_t stride, size_t rows, size_t first, size_t count, T* to) {
  __builtin_memset(to, 0, rows * group_size * sizeof(T));
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < count; ++j) to[i * group_size + j] = from[i * stride + first + j];
}

// Tiles read the factors where they lie, but for what is left beside whole tiles: that is copied.
template <class T>
void outer(const OuterCall<T>& call, size_t row_begin, size_t row_end, size_t column_begin, size_t column_end,
           T* scratch) {
  const size_t height = row_end - row_begin, width = column_end - column_begin;
  const size_t panels = (width + tile_columns<T> - 1) / tile_columns<T>;
  const size_t tiles = (height + tile_rows - 1) / tile_rows;
  const size_t rows_left = height % tile_rows, columns_left = width % tile_columns<T>;
  T* c = scratch;                                            // [panel][tile][tile_rows][tile_columns]
  T* b_rest = c + outer_block_rows * outer_block_columns;    // [k][tile_columns]
  T* a_rest = b_rest + outer_block_inner * tile_columns<T>;  // [k][tile_rows]
  const bool sums = call.column_sums && column_begin == 0;
  if (sums)
    for (size_t i = row_begin; i < row_end; ++i) call.column_sums[i] = 0;
  bool add = false;
  for (int s = 0; s < call.segments; ++s) {
    const OuterSegment<T>& segment = call.segment[s];
    for (size_t k = 0; k < segment.length; k += outer_block_inner) {
      const size_t length = segment.length - k < outer_block_inner ? segment.length - k : outer_block_inner;
      const T* a = segment.a + k * segment.a_stride + row_begin;
      const T* b = segment.b + k * segment.b_stride + column_begin;
      if (rows_left)
        copy_columns<T, tile_rows>(a, segment.a_stride, length, height - rows_left, rows_left, a_rest);
      if (columns_left)
        copy_columns<T, tile_columns<T>>(b, segment.b_stride, length, width - columns_left, columns_left,
                                         b_rest);
      if (sums && s == 0) {
        for (size_t i = 0; i < length; ++i)
          for (size_t j = 0; j < height; ++j) call.column_sums[row_begin + j] += a[i * segment.a_stride + j];
      }
      for (size_t p = 0; p < panels; ++p) {
        const bool b_whole = (p + 1) * tile_columns<T> <= width;
        for (size_t t = 0; t < tiles; ++t) {
          const bool a_whole = (t + 1) * tile_rows <= height;
          tile<T, tile_rows, 2, true>(
              a_whole ? a + t * tile_rows : a_rest, a_whole ? segment.a_stride : tile_rows,
              b_whole ? b + p * tile_columns<T> : b_rest, b_whole ? segment.b_stride : tile_columns<T>,
              length, c + (p * tiles + t) * tile_rows * tile_columns<T>, add);
        }
      }
      add = true;
    }
  }
  for (size_t i = 0; i < height; ++i) {
    T* to = call.c + (row_begin + i) * call.c_stride + column_begin;
    for (size_t p = 0; p < panels; ++p) {
      const T* from = c + (p * tiles * tile_rows + i) * tile_columns<T>;
      const size_t first = p * tile_columns<T>;
      const size_t count = width - first < tile_columns<T> ? width - first : tile_columns<T>;
      if (add && count == tile_columns<T>) {
        store(to + first, load(from));
        store(to + first + lanes<T>, load(from + lanes<T>));
      } else {
        for (size_t j = 0; j < count; ++j) to[first + j] = add ? from[j] : T(0);
      }
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

}  // namespace SKLAR_OF_SET(kernels_)

#define SKLAR_TEXT_OF(x) #x
#define SKLAR_TEXT(x) SKLAR_TEXT_OF(x)
template <>
const KernelTable<float>& SKLAR_SET_OF(_kernels)<float>() {
  return SKLAR_OF_SET(kernels_)::table<float>(SKLAR_TEXT(SKLAR_INSTRUCTION_SET));
}
template <>
const KernelTable<double>& SKLAR_SET_OF(_kernels)<double>() {
  return SKLAR_OF_SET(kernels_)::table<double>(SKLAR_TEXT(SKLAR_INSTRUCTION_SET));
}
}  // namespace sklar::cpu
