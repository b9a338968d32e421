#pragma once

// Elementwise work that is worth the wide registers. Compiled once for each instruction set without
// contraction, so that random draws have the same bits on all of them. As in kernels.hpp, no inline functions
// of the standard library.

#include <stddef.h>
#include <stdint.h>

#include "backend/operations/adam.h"
#include "core/random/shuffle.h"

namespace sklar::cpu {

template <class T>
struct AdamChunk {
  T* parameters;
  const T* gradient;
  T* m;
  T* v;
  T* average;  // or null
  size_t count;
  AdamScalars<T> scalars;
};

template <class T>
struct ElementwiseTable {
  // standard normals for rows first_row.. and columns 0.. of one (seed, step, tag)
  void (*normals)(T* out, size_t stride, size_t rows, size_t columns, uint64_t seed, uint64_t first_row,
                  uint64_t step, uint32_t tag);
  void (*adam)(const AdamChunk<T>&);
  double (*sum_of_squares)(const T* x, size_t count);
  // to = sum of factor[k] x[k], a row; `to` may be one of the x
  void (*combine)(T* to, size_t count, const T* const* x, const T* factor, size_t terms);
  void (*noised_row)(T* x, const T* x0, const T* noise, size_t count, T alpha, T sigma);
  // shuffled(first + i, n, key) for i < count; first + count <= n
  void (*shuffle)(uint64_t* out, uint64_t first, size_t count, uint64_t n, const ShuffleKey& key);
};

template <class T>
const ElementwiseTable<T>& baseline_elementwise();
template <class T>
const ElementwiseTable<T>& avx2_elementwise();
template <class T>
const ElementwiseTable<T>& avx512_elementwise();

}  // namespace sklar::cpu
