#pragma once

// ldmatrix and mma.sync lane by lane, from the fragment layouts of the PTX manual.
#include <cstdint>
#include <cstring>

#include "cuda_runtime.h"

namespace sklar::cuda {

enum class Operand;

namespace emulated {

inline std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float value_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Rounded to nearest, ties to even.
inline std::uint16_t to_half(float value) {
  const std::uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds beyond 65504
  const std::uint32_t result = magnitude < 0x38800000u
                                   ? bits_of(value_of(magnitude) + 0.5f) -
                                         bits_of(0.5f)  // multiples of 2^-24, as float32 has next to 0.5
                                   : (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1)) >> 13;
  return static_cast<std::uint16_t>(sign | result);
}
inline float from_half(std::uint16_t bits) {
  const std::uint32_t magnitude = bits & 0x7fffu, sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const float value = value_of(magnitude << 13) * 0x1p112f;  // subnormals too
  return value_of(sign | (magnitude < 0x7c00u ? bits_of(value) : 0x7f800000u | magnitude << 13));
}
inline std::uint16_t to_brain(float value) {
  const std::uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
inline float from_brain(std::uint16_t bits) { return value_of(static_cast<std::uint32_t>(bits) << 16); }

void load_matrices(std::uint32_t* r, const std::uint16_t* row, bool transposed);
void multiply_add(float* c, const std::uint32_t* a, const std::uint32_t* b, bool brain);

}  // namespace emulated

template <Operand operand>
std::uint32_t pack2(float low, float high) {
  if constexpr (static_cast<int>(operand) == 0)
    return emulated::to_half(low) | static_cast<std::uint32_t>(emulated::to_half(high)) << 16;
  else
    return emulated::to_brain(low) | static_cast<std::uint32_t>(emulated::to_brain(high)) << 16;
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
  emulated::multiply_add(c, a, b, static_cast<int>(operand) != 0);
}

}  // namespace sklar::cuda
