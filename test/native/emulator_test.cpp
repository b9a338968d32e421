// What the emulated device refuses or delays as a GPU would, so that the tests of kernels that run on it mean
// something.
#include <stdexcept>
#include <string>
#include <vector>

#include "async_copy.cuh"
#include "check.hpp"

using namespace sklar;
using namespace sklar::cuda;

namespace {

// body() by every thread of a block
template <class Body>
void on_block(unsigned threads, std::size_t shared, Body&& body) {
  emulator::run({1, 1, 1}, {threads, 1, 1}, shared, body);
}

// Tiles of 128 numbers, summed one after the other through a ring of `stages`, which keeps as many as that
// minus one under way. waits: for the tile before its use; guards: a barrier before a stage is used again.
template <int stages>
std::vector<float> pipelined(bool waits, bool guards) {
  constexpr unsigned threads = 32 * 4, tiles = 9;
  std::vector<float> from(tiles * threads), sums(threads);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  on_block(threads, stages * threads * sizeof(float), [&] {
    SKLAR_SHARED(float, ring);
    const unsigned me = threadIdx.x;
    const auto fetch = [&](unsigned tile) {
      if (tile < tiles && me % 4 == 0)
        copy_async_16(ring + tile % stages * threads + me, from.data() + tile * threads + me);
      commit_copies();
    };
    for (unsigned tile = 0; tile + 1 < stages; ++tile) fetch(tile);
    float sum = 0;
    for (unsigned tile = 0; tile < tiles; ++tile) {
      if (waits)
        wait_for_copies_but<stages - 2>();
      else
        wait_for_copies_but<stages - 1>();
      if (guards) __syncthreads();
      fetch(tile + stages - 1);
      if (!guards) __syncthreads();
      sum += ring[tile % stages * threads + (me + 37) % threads];
    }
    sums[me] = sum;
  });
  return sums;
}

std::vector<float> expected_sums() {
  std::vector<float> sums(128);
  for (unsigned i = 0; i < 128; ++i)
    for (unsigned tile = 0; tile < 9; ++tile) sums[i] += static_cast<float>(tile * 128 + (i + 37) % 128);
  return sums;
}

}  // namespace

TEST_CASE("asynchronous copies arrive when their group is waited for, and no sooner") {
  const std::vector<float> from = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> seen;
  on_block(1, 48, [&] {
    SKLAR_SHARED(float, shared);
    const auto look = [&] {
      for (const int i : {0, 4, 8}) seen.push_back(shared[i] < 0 ? 0 : shared[i]);  // garbage is below 0
    };
    copy_async_16(shared, from.data());
    commit_copies();
    copy_async_16(shared + 4, from.data() + 4, 8);
    commit_copies();
    copy_async(shared + 8, from.data() + 8);
    look();
    wait_for_copies_but<2>();
    look();
    wait_for_copies_but<1>();
    look();
    wait_for_copies_but<0>();
    look();
    CHECK_EQUAL(shared[5], 6.0f);
    CHECK_EQUAL(shared[6], 0.0f);
    CHECK_EQUAL(shared[7], 0.0f);
    wait_for_copies();
    look();
    copy_async(shared, from.data() + 3);
    look();
  });
  CHECK((seen == std::vector<float>{0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 5, 0, 1, 5, 9, 0, 5, 9}));
}

TEST_CASE("a ring of asynchronous copies that misses a wait or a barrier shows") {
  const auto expected = expected_sums();
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    emulator::set_seed(seed);
    CHECK(pipelined<2>(true, true) == expected);
    CHECK(pipelined<3>(true, true) == expected);
    CHECK(pipelined<4>(true, true) == expected);
    CHECK(pipelined<3>(false, true) != expected);
  }
  bool noticed = false;
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    emulator::set_seed(seed);
    noticed |= pipelined<3>(true, false) != expected;
  }
  CHECK(noticed);
}

TEST_CASE("asynchronous copies of addresses that a GPU would not take are refused") {
  alignas(16) static float from[8] = {};
  for (const unsigned wrong : {1u, 2u, 3u}) {
    CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(emulator::shared_memory(), from + wrong); }),
                 std::logic_error, std::string(error.what()).find("multiple") != std::string::npos);
    CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(emulator::shared_memory() + 4 * wrong, from); }),
                 std::logic_error, std::string(error.what()).find("multiple") != std::string::npos);
  }
  CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(emulator::shared_memory() + 64, from); }),
               std::logic_error, std::string(error.what()).find("shared") != std::string::npos);
  CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(from, from + 4); }), std::logic_error,
               std::string(error.what()).find("shared") != std::string::npos);
}
