#pragma once

// ldmatrix and mma.sync lane by lane, from the fragment layouts of the PTX manual.
#include <cstdint>
#include <cstring>

#include "cuda_runtime.h"

namespace sklar::cuda {

enum class Operand;

namespace emulated {

std::uint16_t to_half(float value);
float from_half(std::uint16_t bits);
std::uint16_t to_brain(float value);
float from_brain(std::uint16_t bits);

void load_matrices(std::uint32_t* r, const std::uint16_t* row, bool transposed);
void multiply_add(float* c, const std::uint32_t* a, const std::uint32_t* b, float (*value)(std::uint16_t));

}  // namespace emulated

template <Operand operand>
std::uint32_t pack2(float low, float high) {
  const auto convert = static_cast<int>(operand) == 0 ? &emulated::to_half : &emulated::to_brain;
  return convert(low) | static_cast<std::uint32_t>(convert(high)) << 16;
}
inline float half_value(std::uint32_t pair, bool high) {
  return emulated::from_half(static_cast<std::uint16_t>(high ? pair >> 16 : pair));
}
inline void load_matrices(std::uint32_t (&r)[4], const std::uint16_t* row) {
  emulated::load_matrices(r, row, false);
}
inline void load_matrices_transposed(std::uint32_t (&r)[4], const std::uint16_t* row) {
  emulated::load_matrices(r, row, true);
}
template <Operand operand>
void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  const std::uint32_t b[2] = {b0, b1};
  emulated::multiply_add(c, a, b,
                         static_cast<int>(operand) == 0 ? &emulated::from_half : &emulated::from_brain);
}

}  // namespace sklar::cuda
