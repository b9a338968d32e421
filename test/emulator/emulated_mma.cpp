#include "emulated_mma.hpp"

namespace sklar::cuda::emulated {
namespace {

struct Load {
  std::uint32_t* r;
  const std::uint16_t* row;
};
struct Multiply {
  float* c;
  const std::uint32_t *a, *b;
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

// Of each sum the terms in their order, as if a thread added them.
template <float (*value)(std::uint16_t)>
void exchange_multiply(void* const* lanes) {
  float a[16][16], b[16][8], c[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Multiply& m = *static_cast<const Multiply*>(lanes[lane]);
    const int down = lane / 4, across = lane % 4 * 2;
    for (int e = 0; e < 2; ++e) {
      for (int r = 0; r < 4; ++r)
        a[down + r % 2 * 8][across + e + r / 2 * 8] = value(static_cast<std::uint16_t>(m.a[r] >> (16 * e)));
      for (int r = 0; r < 2; ++r)
        b[across + e + r * 8][down] = value(static_cast<std::uint16_t>(m.b[r] >> (16 * e)));
    }
    for (int e = 0; e < 4; ++e) c[down + e / 2 * 8][across + e % 2] = m.c[e];
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 16; ++k)
      for (int column = 0; column < 8; ++column) c[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < 32; ++lane)
    for (int e = 0; e < 4; ++e)
      static_cast<const Multiply*>(lanes[lane])->c[e] = c[lane / 4 + e / 2 * 8][lane % 4 * 2 + e % 2];
}

}  // namespace

void load_matrices(std::uint32_t* r, const std::uint16_t* row, bool transposed) {
  Load load{r, row};
  emulator::meet(emulator::Collective::load_matrix, &load,
                 transposed ? &exchange_load<true> : &exchange_load<false>);
}

void multiply_add(float* c, const std::uint32_t* a, const std::uint32_t* b, bool brain) {
  Multiply multiply{c, a, b};
  emulator::meet(emulator::Collective::multiply, &multiply,
                 brain ? &exchange_multiply<&from_brain> : &exchange_multiply<&from_half>);
}

}  // namespace sklar::cuda::emulated
