#pragma once

#include "core/host_device.h"

namespace sklar {

// What happens to a tile of the product x W (+ bias) before it is stored. Names follow the four passes of
// docs/mathematics.md, L: a and z are the inputs of the inner and outer activation of a
// block, f' f'' and s' s'' their derivatives, (p, h) the values, mu nu lambda kappa the first adjoints,
// dotted letters tangents, M N Lambda the second adjoints. For ReLU the derivative is read off p > 0 and f''
// is zero.
enum class Epilogue : int {
  store,                 // out0 = acc + bias
  inner_relu,            // out0 = p
  inner_silu,            // out0 = p
  inner_silu_1,          // out0 = p, out1 = f'
  inner_silu_2,          // out0 = p, out1 = f', out2 = f''
  outer,                 // in0 = h; out0 = h'
  outer_1,               // in0 = h; out0 = h', out1 = s'
  outer_2,               // in0 = h; out0 = h', out1 = s', out2 = s''
  top_adjoint,           // in0 = s'; out0 = lambda, out1 = mu = s' lambda
  inner_adjoint_relu,    // in0 = p; out0 = nu
  inner_adjoint_silu,    // in0 = f'; out0 = nu
  inner_adjoint_silu_2,  // in0 = f'; out0 = nu, out1 = kappa = acc
  outer_adjoint,         // in0 = mu, in1 = s' of the block below; out0 = lambda, out1 = mu of the block below
  bottom_adjoint,        // in0 = mu; out0 = lambda
  inner_tangent_relu,    // in0 = p; out0 = p-dot
  inner_tangent_silu,    // in0 = f', in1 = f'', in2 = kappa; out0 = p-dot, out1 = f'' a-dot kappa
  outer_tangent,  // in0 = h-dot, in1 = s', in2 = s'', in3 = lambda; out0 = h'-dot, out1 = s'' z-dot lambda
  top_second,     // in0 = s', in1 = s'' z-dot lambda; out0 = M
  inner_second_relu,  // in0 = p; out0 = N
  inner_second_silu,  // in0 = f', in1 = f'' a-dot kappa; out0 = N
  outer_second,       // in0 = M, in1 = s' below, in2 = s'' z-dot lambda below; out0 = M below
  bottom_second,      // in0 = M; out0 = Lambda
  accumulate,         // in0 = c; out0 = c + acc
  count
};

// How many arrays it reads; the first of them is a term of a sum where it adds, all others are slopes:
// factors, and signs.
SKLAR_HD_INLINE constexpr int epilogue_inputs(Epilogue kind) {
  switch (kind) {
    case Epilogue::store:
    case Epilogue::inner_relu:
    case Epilogue::inner_silu:
    case Epilogue::inner_silu_1:
    case Epilogue::inner_silu_2:
    case Epilogue::count:
      return 0;
    case Epilogue::outer_adjoint:
    case Epilogue::top_second:
    case Epilogue::inner_second_silu:
      return 2;
    case Epilogue::inner_tangent_silu:
    case Epilogue::outer_second:
      return 3;
    case Epilogue::outer_tangent:
      return 4;
    default:
      return 1;
  }
}
SKLAR_HD_INLINE constexpr bool epilogue_adds(Epilogue kind) {
  switch (kind) {
    case Epilogue::outer:
    case Epilogue::outer_1:
    case Epilogue::outer_2:
    case Epilogue::outer_adjoint:
    case Epilogue::bottom_adjoint:
    case Epilogue::outer_tangent:
    case Epilogue::outer_second:
    case Epilogue::bottom_second:
    case Epilogue::accumulate:
      return true;
    default:
      return false;
  }
}
SKLAR_HD_INLINE constexpr bool epilogue_has_slopes(Epilogue kind) {
  return epilogue_inputs(kind) > (epilogue_adds(kind) ? 1 : 0);
}
// Of the passes of a network the forward one decides which units of a ReLU are on and what a density is;
// products of two weights (store) belong to it.
SKLAR_HD_INLINE constexpr bool epilogue_is_forward(Epilogue kind) { return kind <= Epilogue::outer_2; }

}  // namespace sklar
