#include "narrow/narrow.h"
#include "warp_mma.cuh"

namespace sklar::cuda {

// In the order in which a warp reads them: a lane's fragments b of two neighbouring tiles of a product with
// W^T, lane by lane.
int launch_narrow_low(uint32_t* low, const float* parameters, size_t width, size_t inputs, size_t depth,
                      void* stream) {
  const float* const blocks = parameters + inputs * width + width;
  const size_t pairs = width / 16, matrix = width * width;
  return each(narrow_low_words(width, depth), stream, [=] __device__(size_t i) {
    const size_t part = i % 4, lane = i / 4 % 32, k = i / 128 % pairs, p = i / 128 / pairs % pairs,
                 m = i / 128 / pairs / pairs;
    const size_t row = 16 * p + part / 2 * 8 + lane / 4, column = 16 * k + part % 2 * 8 + lane % 4 * 2;
    const float* const w = blocks + m * (matrix + width) + row * width + column;
    const uint32_t high = pack2<Operand::half>(w[0], w[1]);
    low[i] = pack2<Operand::half>((w[0] - half_value(high, false)) * low_scale,
                                  (w[1] - half_value(high, true)) * low_scale);
  });
}

}  // namespace sklar::cuda
