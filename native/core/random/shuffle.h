#pragma once

// A random permutation of 0..n-1 that stores nothing: a Feistel network on the next even number of bits,
// walked along its cycle until it lands below n. The batches of an epoch are its consecutive values.

#include "core/random/philox.h"

namespace sklar {

struct ShuffleKey {
  PhiloxBlock round[2];
};

SKLAR_HD ShuffleKey shuffle_key(uint64_t seed, uint64_t epoch) {
  const PhiloxKey key = philox_key(seed);
  return ShuffleKey{{philox(philox_counter(0, 0, epoch, kTagShuffle), key),
                     philox(philox_counter(0, 1, epoch, kTagShuffle), key)}};
}

namespace shuffle_detail {
SKLAR_HD uint32_t mix(uint32_t value, uint32_t key) {
  value = (value ^ key) * 0x85ebca6bu;
  value ^= value >> 15;
  value *= 0xc2b2ae35u;
  return value ^ (value >> 13);
}
}  // namespace shuffle_detail

SKLAR_HD uint64_t shuffled(uint64_t index, uint64_t count, const ShuffleKey& key) {
  uint32_t half = 1;
  while (half < 31 && (uint64_t{1} << (2 * half)) < count) ++half;
  const uint32_t mask = (uint32_t{1} << half) - 1;
  const uint32_t keys[8] = {key.round[0].x, key.round[0].y, key.round[0].z, key.round[0].w,
                            key.round[1].x, key.round[1].y, key.round[1].z, key.round[1].w};
  do {
    uint32_t left = static_cast<uint32_t>(index >> half) & mask, right = static_cast<uint32_t>(index) & mask;
    for (int i = 0; i < 8; ++i) {
      const uint32_t next = (left ^ shuffle_detail::mix(right, keys[i])) & mask;
      left = right;
      right = next;
    }
    index = (static_cast<uint64_t>(left) << half) | right;
  } while (index >= count);
  return index;
}

}  // namespace sklar
