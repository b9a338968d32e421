// Counter-based random numbers, one source for host and device: Philox4x32-10 (Salmon et al., SC 2011),
// 23-bit uniforms and Box-Muller normals. A draw depends on its key and counter alone, so it is the same for
// any thread count, batch split, instruction set and device.
//
// Layout used everywhere in sklar
//   key      64-bit seed: (low word, high word)
//   counter  x = row, bits 0..31
//            y = block of four elements within the row (element / 4)
//            z = step, bits 0..31
//            w = tag << 24 | (row, bits 32..39) << 16 | (step, bits 32..47)
// so one stream has 2^40 rows, 2^34 elements a row, 2^48 steps and 256 tags (purposes; see PhiloxTag).
//
// Bit equality rests on three things: every rounding below is written out (no libm call, no contraction:
// compile host code with -ffp-contract=off), integer-to-float conversions are exact, and sqrt is correctly
// rounded. Branches are written as selects so that host loops over rows vectorise.
#pragma once

#include <stdint.h>

#include "core/host_device.h"

// Without full unrolling the round loop keeps the loop over rows around it from being vectorised.
#if defined(__CUDA_ARCH__)
#define SKLAR_UNROLL_10 _Pragma("unroll 10")
#elif defined(__CUDACC__)
#define SKLAR_UNROLL_10
#elif defined(__clang__)
#define SKLAR_UNROLL_10 _Pragma("clang loop unroll(full)")
#else
#define SKLAR_UNROLL_10 _Pragma("GCC unroll 10")
#endif

namespace sklar {

/// What a draw is for. Distinct tags give independent streams under one seed; values are part of the file and
/// reproducibility contract, so they are never renumbered.
enum PhiloxTag : uint32_t {
  kTagTrainTime = 0,
  kTagTrainNoise = 1,
  kTagSampleStart = 2,
  kTagSampleNoise = 3,
  kTagInitialVelocity = 4,
  kTagReflectionTime = 5,
  kTagShuffle = 6,
  kTagInitialParameters = 7,
  kTagCorrectorNoise = 8,
  kTagBrownian = 9,
  kTagTraceProbe = 10,
  kTagFreshLevels = 11,
  kTagSettledLevels = 12,
  kTagJacobiTime = 13,
  kTagJacobiNoise = 14,
  kTagJacobiPath = 15,
  kTagSmcMove = 24,
  kTagSmcAccept = 25,
  kTagSmcResample = 26,
  kTagNormaliserReference = 27,
  kTagConditionalFixed = 28,
  kTagConditionalStep = 29,
  kTagClosedForm = 40,
  kTagFieldBound = 41,
  kTagTraceSketch = 42,
  kTagClassicalUniform = 48,
  kTagClassicalMixing = 49,
  kTagClassicalGiven = 50,
  kTagClassicalLattice = 51,
  kTagRelabel = 60,
  kTagProjection = 61,
  kTagTies = 64,
  kTagTrainingTies = 65,
};

struct PhiloxKey {
  uint32_t low, high;
};

struct PhiloxBlock {
  uint32_t x, y, z, w;
};

struct Uniforms4 {
  float x, y, z, w;
};

struct Normals4 {
  float x, y, z, w;
};

namespace philox_detail {

#if defined(__CUDA_ARCH__)
SKLAR_HD uint32_t mul_high(uint32_t a, uint32_t b) { return __umulhi(a, b); }
SKLAR_HD float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
SKLAR_HD float mul(float a, float b) { return __fmul_rn(a, b); }
SKLAR_HD float add(float a, float b) { return __fadd_rn(a, b); }
SKLAR_HD float square_root(float a) { return __fsqrt_rn(a); }
SKLAR_HD float float_of(uint32_t bits) { return __uint_as_float(bits); }
SKLAR_HD uint32_t bits_of(float value) { return __float_as_uint(value); }
#else
SKLAR_HD uint32_t mul_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}
SKLAR_HD float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
SKLAR_HD float mul(float a, float b) { return a * b; }
SKLAR_HD float add(float a, float b) { return a + b; }
SKLAR_HD float square_root(float a) { return __builtin_sqrtf(a); }
SKLAR_HD float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }
SKLAR_HD uint32_t bits_of(float value) { return __builtin_bit_cast(uint32_t, value); }
#endif

/// Natural logarithm for x in (0, 1), positive and normal; relative error below 2e-7 (Cephes logf in fma
/// form).
SKLAR_HD float log_unit(float x) {
  const uint32_t bits = bits_of(x);
  const int32_t exponent = static_cast<int32_t>(bits >> 23) - 126;
  const float half_to_one = float_of((bits & 0x007fffffu) | 0x3f000000u);
  const bool low = half_to_one < 0.70710678f;
  const float m = add(low ? add(half_to_one, half_to_one) : half_to_one, -1.0f);
  const float e = static_cast<float>(low ? exponent - 1 : exponent);
  const float z = mul(m, m);
  float p = 7.0376836292e-2f;
  p = fused(p, m, -1.1514610310e-1f);
  p = fused(p, m, 1.1676998740e-1f);
  p = fused(p, m, -1.2420140846e-1f);
  p = fused(p, m, 1.4249322787e-1f);
  p = fused(p, m, -1.6668057665e-1f);
  p = fused(p, m, 2.0000714765e-1f);
  p = fused(p, m, -2.4999993993e-1f);
  p = fused(p, m, 3.3333331174e-1f);
  p = mul(mul(p, m), z);
  p = fused(e, -2.12194440e-4f, p);
  p = fused(z, -0.5f, p);
  return fused(e, 0.693359375f, add(m, p));
}

struct SinCos {
  float sin, cos;
};

/// Sine and cosine of 2 pi u for u in (0, 1); the reduction to an eighth of a turn is exact.
SKLAR_HD SinCos sincos_turn(float u) {
  const int32_t quarter = static_cast<int32_t>(add(mul(u, 4.0f), 0.5f));
  const float r = mul(fused(static_cast<float>(quarter), -0.25f, u), 6.283185307179586f);
  const float z = mul(r, r);
  const float sin_poly =
      fused(fused(fused(2.7183114939e-6f, z, -1.9839334836e-4f), z, 8.3333293858e-3f), z, -1.6666666641e-1f);
  const float cos_poly =
      fused(fused(fused(2.4390448796e-5f, z, -1.3886763775e-3f), z, 4.1666645683e-2f), z, -0.5f);
  const float sin_r = fused(mul(sin_poly, z), r, r);
  const float cos_r = fused(cos_poly, z, 1.0f);
  const bool swap = (quarter & 1) != 0;
  const float a = swap ? cos_r : sin_r;
  const float b = swap ? sin_r : cos_r;
  return SinCos{(quarter & 2) != 0 ? -a : a, ((quarter + 1) & 2) != 0 ? -b : b};
}

}  // namespace philox_detail

SKLAR_HD PhiloxKey philox_key(uint64_t seed) {
  return PhiloxKey{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
}

/// Counter of the block that holds elements 4 * block .. 4 * block + 3 of a row; see the layout above.
SKLAR_HD PhiloxBlock philox_counter(uint64_t row, uint32_t block, uint64_t step, uint32_t tag) {
  return PhiloxBlock{static_cast<uint32_t>(row), block, static_cast<uint32_t>(step),
                     (tag << 24) | ((static_cast<uint32_t>(row >> 32) & 0xffu) << 16) |
                         (static_cast<uint32_t>(step >> 32) & 0xffffu)};
}

/// 128 random bits: the ten-round Philox bijection of the counter under the key.
SKLAR_HD PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
  SKLAR_UNROLL_10
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = philox_detail::mul_high(0xD2511F53u, counter.x);
    const uint32_t low0 = 0xD2511F53u * counter.x;
    const uint32_t high1 = philox_detail::mul_high(0xCD9E8D57u, counter.z);
    const uint32_t low1 = 0xCD9E8D57u * counter.z;
    counter = PhiloxBlock{high1 ^ counter.y ^ key.low, low1, high0 ^ counter.w ^ key.high, low0};
    key.low += 0x9E3779B9u;
    key.high += 0xBB67AE85u;
  }
  return counter;
}

/// Uniform on the 2^23 midpoints (k + 1/2) / 2^23: exact in float, never 0 or 1.
SKLAR_HD float philox_uniform(uint32_t random) {
  // 23 bits fit a signed integer, whose conversion to float is one instruction on every instruction set.
  return philox_detail::mul(philox_detail::add(static_cast<float>(static_cast<int32_t>(random >> 9)), 0.5f),
                            0x1p-23f);
}

SKLAR_HD Uniforms4 philox_uniforms(PhiloxBlock random) {
  return Uniforms4{philox_uniform(random.x), philox_uniform(random.y), philox_uniform(random.z),
                   philox_uniform(random.w)};
}

/// Four standard normals by Box-Muller; absolute error below 6e-7 and |value| at most 5.77 (23-bit uniforms).
SKLAR_HD Normals4 philox_normals(PhiloxBlock random) {
  using namespace philox_detail;
  const Uniforms4 u = philox_uniforms(random);
  const float radius0 = square_root(mul(-2.0f, log_unit(u.x)));
  const float radius1 = square_root(mul(-2.0f, log_unit(u.z)));
  const SinCos turn0 = sincos_turn(u.y);
  const SinCos turn1 = sincos_turn(u.w);
  return Normals4{mul(radius0, turn0.cos), mul(radius0, turn0.sin), mul(radius1, turn1.cos),
                  mul(radius1, turn1.sin)};
}

}  // namespace sklar
