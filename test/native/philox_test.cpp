#include "core/random/philox.h"

#include <algorithm>
#include <cstdint>

#include "check.hpp"

using namespace sklar;

namespace {

bool equal(PhiloxBlock a, PhiloxBlock b) { return a.x == b.x && a.y == b.y && a.z == b.z && a.w == b.w; }

}  // namespace

// Vectors of the Random123 distribution (kat_vectors, philox4x32 10).
TEST_CASE("Philox4x32-10 known answers") {
  CHECK(equal(philox({0, 0, 0, 0}, {0, 0}), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK(equal(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK(equal(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_CASE("key and counter layout") {
  const PhiloxKey key = philox_key(0x0123456789abcdefULL);
  CHECK_EQUAL(key.low, 0x89abcdefu);
  CHECK_EQUAL(key.high, 0x01234567u);
  const PhiloxBlock c = philox_counter(0xab00000005ULL, 9, 0x123400000007ULL, 3);
  CHECK_EQUAL(c.x, 5u);
  CHECK_EQUAL(c.y, 9u);
  CHECK_EQUAL(c.z, 7u);
  CHECK_EQUAL(c.w, 0x03ab1234u);
}

TEST_CASE("uniforms are exact midpoints and never 0 or 1") {
  CHECK_EQUAL(philox_uniform(0), 0x1p-24f);
  CHECK_EQUAL(philox_uniform(0xffffffffu), 1.0f - 0x1p-24f);
  for (uint32_t k = 0; k < (1u << 23); k += 4093) {
    CHECK_EQUAL(static_cast<double>(philox_uniform(k << 9)), (k + 0.5) / 8388608.0);
  }
}

// The hash was computed by an independent C source of the same arithmetic under -O0, -O2 and -O3, with and
// without FMA hardware; the kernel is held to it as well. Any change of a single bit of any of the 16 M
// normals shows.
TEST_CASE("bits, moments and accuracy of 16 M normals") {
  constexpr long rows = 4'000'000;
  const PhiloxKey key = philox_key(123 | (static_cast<uint64_t>(456) << 32));
  uint32_t hash = 2166136261u;
  double moment[5] = {}, log_error = 0, turn_error = 0, normal_error = 0;
  for (long row = 0; row < rows; ++row) {
    const PhiloxBlock random = philox(philox_counter(static_cast<uint64_t>(row), 0, 7, 0), key);
    const Normals4 n = philox_normals(random);
    for (float value : {n.x, n.y, n.z, n.w}) {
      double power = value;
      for (double& m : moment) {
        m += power;
        power *= value;
      }
      hash = (hash ^ philox_detail::bits_of(value)) * 16777619u;
    }
    if (row % 16 == 0) {
      const double u = philox_uniform(random.x), v = philox_uniform(random.y);
      const double log_u = std::log(u), radius = std::sqrt(-2 * log_u), angle = 2 * M_PI * v;
      const auto turn = philox_detail::sincos_turn(static_cast<float>(v));
      log_error =
          std::max(log_error, std::abs((philox_detail::log_unit(static_cast<float>(u)) - log_u) / log_u));
      turn_error =
          std::max({turn_error, std::abs(turn.sin - std::sin(angle)), std::abs(turn.cos - std::cos(angle))});
      normal_error = std::max(
          {normal_error, std::abs(n.x - radius * std::cos(angle)), std::abs(n.y - radius * std::sin(angle))});
    }
  }
  CHECK_EQUAL(hash, 0x33e5cf50u);
  for (double& m : moment) m /= 4.0 * rows;
  // Five standard errors of a moment over 16 M draws.
  const double expected[5] = {0, 1, 0, 3, 0}, variance[5] = {1, 2, 15, 96, 945};
  for (int k = 0; k < 5; ++k) CHECK_NEAR(moment[k], expected[k], 5 * std::sqrt(variance[k] / (4.0 * rows)));
  CHECK(log_error < 2e-7);
  CHECK(turn_error < 2e-7);
  CHECK(normal_error < 6e-7);
}

TEST_CASE("streams of different tags, rows and steps differ") {
  const PhiloxKey key = philox_key(7);
  const PhiloxBlock base = philox(philox_counter(1, 2, 3, 0), key);
  CHECK(!equal(base, philox(philox_counter(1, 2, 3, 1), key)));
  CHECK(!equal(base, philox(philox_counter(1ULL << 32 | 1, 2, 3, 0), key)));
  CHECK(!equal(base, philox(philox_counter(1, 2, 1ULL << 32 | 3, 0), key)));
  CHECK(!equal(base, philox(philox_counter(1, 3, 3, 0), key)));
  CHECK(!equal(base, philox(philox_counter(1, 2, 3, 0), philox_key(8))));
}
