#include "emulated_mma.hpp"

#include <cmath>

namespace sklar::cuda::emulated {
namespace {

std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
float value_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Load {
  std::uint32_t* r;
  const std::uint16_t* row;
};
struct Multiply {
  float* c;
  const std::uint32_t *a, *b;
  float (*value)(std::uint16_t);
};

template <bool transposed>
void exchange_load(void* const* lanes) {
  for (int m = 0; m < 4; ++m)
    for (int lane = 0; lane < 32; ++lane) {
      std::uint32_t pair = 0;
      for (int e = 0; e < 2; ++e) {
        const int r = transposed ? lane % 4 * 2 + e : lane / 4, c = transposed ? lane / 4 : lane % 4 * 2 + e;
        pair |= static_cast<std::uint32_t>(static_cast<const Load*>(lanes[m * 8 + r])->row[c]) << (16 * e);
      }
      static_cast<Load*>(lanes[lane])->r[m] = pair;
    }
}

void exchange_multiply(void* const* lanes) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Multiply& m = *static_cast<const Multiply*>(lanes[lane]);
    for (int e = 0; e < 2; ++e) {
      for (int r = 0; r < 4; ++r)
        a[lane / 4 + r % 2 * 8][lane % 4 * 2 + e + r / 2 * 8] =
            m.value(static_cast<std::uint16_t>(m.a[r] >> (16 * e)));
      for (int r = 0; r < 2; ++r)
        b[lane % 4 * 2 + e + r * 8][lane / 4] = m.value(static_cast<std::uint16_t>(m.b[r] >> (16 * e)));
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    float* c = static_cast<const Multiply*>(lanes[lane])->c;
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
      float sum = c[e];
      for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      c[e] = sum;
    }
  }
}

}  // namespace

std::uint16_t to_half(float value) {
  const std::uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds beyond 65504
  // a multiple of the unit in the last place, rounded to even: the sum with 1.5 * 2^23 units does it
  int exponent = static_cast<int>(magnitude >> 23) - 127;
  if (exponent < -14) exponent = -14;
  const float unit = std::ldexp(1.0f, exponent - 10);
  const float steps = std::nearbyint(value_of(magnitude) / unit);
  const auto whole = static_cast<std::uint32_t>(steps);  // up to 2048
  const std::uint32_t result =
      whole < 1024 ? whole : (static_cast<std::uint32_t>(exponent + 14) << 10) + whole;
  return static_cast<std::uint16_t>(sign | result);
}

float from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction ? std::nanf("") : sign * HUGE_VALF;
  return sign * (exponent ? std::ldexp(static_cast<float>(1024 + fraction), exponent - 25)
                          : std::ldexp(static_cast<float>(fraction), -24));
}

std::uint16_t to_brain(float value) {
  const std::uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

float from_brain(std::uint16_t bits) { return value_of(static_cast<std::uint32_t>(bits) << 16); }

void load_matrices(std::uint32_t* r, const std::uint16_t* row, bool transposed) {
  Load load{r, row};
  emulator::meet(emulator::Collective::load_matrix, &load,
                 transposed ? &exchange_load<true> : &exchange_load<false>);
}

void multiply_add(float* c, const std::uint32_t* a, const std::uint32_t* b, float (*value)(std::uint16_t)) {
  Multiply multiply{c, a, b, value};
  emulator::meet(emulator::Collective::multiply, &multiply, &exchange_multiply);
}

}  // namespace sklar::cuda::emulated
