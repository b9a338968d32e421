// Included by one file for each instruction set, which defines
// SKLAR_INSTRUCTION_SET, its name. Plain loops: the
// compiler vectorises them for the flags of that file.

#include "backend/cpu/elementwise.hpp"
#include "core/random/philox.h"
#include "process/ou.h"

#include "backend/cpu/instruction_set.h"

namespace sklar::cpu {
namespace SKLAR_OF_SET(elements_) {

template <class T>
void normals(T* out, size_t stride, size_t rows, size_t columns, uint64_t seed, uint64_t first_row,
             uint64_t step, uint32_t tag) {
  constexpr size_t chunk = 64;
  const PhiloxKey key = philox_key(seed);
  const size_t blocks = (columns + 3) / 4, total = rows * blocks;
  uint32_t low[chunk], high[chunk], block[chunk];
  alignas(64) float value[4][chunk];
  const PhiloxBlock base = philox_counter(0, 0, step, tag);
  for (size_t start = 0; start < total; start += chunk) {
    const size_t count = total - start < chunk ? total - start : chunk;
    for (size_t i = 0; i < chunk; ++i) {
      const size_t at = i < count ? start + i : start;
      const PhiloxBlock counter =
          philox_counter(first_row + at / blocks, static_cast<uint32_t>(at % blocks), step, tag);
      low[i] = counter.x;
      block[i] = counter.y;
      high[i] = counter.w;
    }
    for (size_t i = 0; i < chunk; ++i) {
      const Normals4 n = philox_normals(philox(PhiloxBlock{low[i], block[i], base.z, high[i]}, key));
      value[0][i] = n.x;
      value[1][i] = n.y;
      value[2][i] = n.z;
      value[3][i] = n.w;
    }
    for (size_t i = 0; i < count; ++i) {
      const size_t at = start + i, first = at % blocks * 4;
      T* row = out + at / blocks * stride + first;
      const size_t width = columns - first < 4 ? columns - first : 4;
      for (size_t j = 0; j < width; ++j) row[j] = static_cast<T>(value[j][i]);
    }
  }
}

// docs/mathematics.md, L.1
template <class T>
void adam(const AdamChunk<T>& chunk) {
  const AdamScalars<T>& c = chunk.scalars;
  T* __restrict p = chunk.parameters;
  const T* __restrict g = chunk.gradient;
  T* __restrict m = chunk.m;
  T* __restrict v = chunk.v;
  for (size_t i = 0; i < chunk.count; ++i) adam_element(c, g[i], m[i], v[i], p[i]);
  if (chunk.average) {
    T* __restrict e = chunk.average;
    for (size_t i = 0; i < chunk.count; ++i) e[i] = c.ema_decay * e[i] + (T(1) - c.ema_decay) * p[i];
  }
}

template <class T>
double sum_of_squares(const T* x, size_t count) {
  double lane[8] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (size_t j = 0; j < 8; ++j) lane[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (size_t j = 0; i + j < count; ++j)
    lane[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

template <class T>
void combine(T* to, size_t count, const T* const* x, const T* factor, size_t terms) {
  constexpr size_t block = 64;
  for (size_t first = 0; first < count; first += block) {
    const size_t width = count - first < block ? count - first : block;
    T sum[block] = {};
    for (size_t k = 0; k < terms; ++k) {
      const T* from = x[k] + first;
      const T f = factor[k];
      for (size_t i = 0; i < width; ++i) sum[i] += f * from[i];
    }
    for (size_t i = 0; i < width; ++i) to[first + i] = sum[i];
  }
}

// docs/mathematics.md, A.1
template <class T>
void noised_row(T* x, const T* x0, const T* noise, size_t count, T alpha, T sigma) {
  for (size_t i = 0; i < count; ++i) x[i] = OuProcess::state(alpha, sigma, x0[i], noise[i]);
}

// As shuffled() of core/random/shuffle.h, several indices at a time: those that have landed wait for the
// others.
void shuffle(uint64_t* out, uint64_t first, size_t count, uint64_t n, const ShuffleKey& key) {
  typedef uint32_t Words __attribute__((vector_size(64)));
  constexpr size_t lanes = 16;
  uint32_t half = 1;
  while (half < 31 && (uint64_t{1} << (2 * half)) < n) ++half;
  if (half > 15) {
    for (size_t i = 0; i < count; ++i) out[i] = shuffled(first + i, n, key);
    return;
  }
  const uint32_t mask = (uint32_t{1} << half) - 1, below = static_cast<uint32_t>(n);
  const uint32_t keys[8] = {key.round[0].x, key.round[0].y, key.round[0].z, key.round[0].w,
                            key.round[1].x, key.round[1].y, key.round[1].z, key.round[1].w};
  for (size_t start = 0; start < count; start += lanes) {
    const size_t wanted = count - start < lanes ? count - start : lanes;
    Words at;
    for (size_t i = 0; i < lanes; ++i) at[i] = static_cast<uint32_t>(first + start + (i < wanted ? i : 0));
    bool waiting = true;
    for (bool moved = false; waiting; moved = true) {
      Words left = at >> half, right = at & mask;
      for (const uint32_t k : keys) {
        Words next = (right ^ k) * 0x85ebca6bu;
        next ^= next >> 15;
        next *= 0xc2b2ae35u;
        next = (left ^ next ^ (next >> 13)) & mask;
        left = right;
        right = next;
      }
      const Words there = (left << half) | right;
      at = moved ? (at < below ? at : there) : there;
      waiting = false;
      for (size_t i = 0; i < lanes; ++i) waiting = waiting || at[i] >= below;
    }
    for (size_t i = 0; i < wanted; ++i) out[start + i] = at[i];
  }
}

template <class T>
const ElementwiseTable<T>& elementwise_table() {
  static const ElementwiseTable<T> functions{normals<T>, adam<T>,       sum_of_squares<T>,
                                             combine<T>, noised_row<T>, shuffle};
  return functions;
}

}  // namespace SKLAR_OF_SET(elements_)

template <>
const ElementwiseTable<float>& SKLAR_SET_OF(_elementwise)<float>() {
  return SKLAR_OF_SET(elements_)::elementwise_table<float>();
}
template <>
const ElementwiseTable<double>& SKLAR_SET_OF(_elementwise)<double>() {
  return SKLAR_OF_SET(elements_)::elementwise_table<double>();
}
}  // namespace sklar::cpu
