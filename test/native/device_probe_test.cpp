#include "backend/cuda/device_probe.hpp"

#include <vector>

#include "check.hpp"
#include "core/error.hpp"
#include "core/philox.h"

using namespace sklar;

TEST_CASE("architecture lists cover the devices they were compiled for") {
  const auto covers = [](std::vector<std::string> list, int major, int minor) {
    return cuda::architectures_cover(list, major, minor);
  };
  CHECK(covers({"90-real"}, 9, 0));
  CHECK(!covers({"90-real"}, 8, 0));
  CHECK(!covers({"90-real"}, 10, 0));
  CHECK(covers({"80-real"}, 8, 6));
  CHECK(!covers({"86-real"}, 8, 0));
  CHECK(covers({"90a-real"}, 9, 0));
  CHECK(!covers({"100a-real"}, 10, 3));
  CHECK(covers({"75-real", "80"}, 12, 0));
  CHECK(covers({"80-virtual"}, 9, 0));
  CHECK(!covers({"120"}, 10, 0));
  CHECK(covers({"120"}, 12, 1));
  CHECK(covers({"100f-real"}, 10, 3));
  CHECK(!covers({"native", ""}, 9, 0));
  CHECK(!covers({}, 9, 0));
}

TEST_CASE("the probe says why CUDA can't be used, or the device gives the CPU's normals") {
  const cuda::Probe probe = cuda::probe();
#if defined(SKLAR_WITH_CUDA)
  CHECK(probe.runtime_version > 0);
  CHECK(!cuda::compiled_architectures().empty());
#else
  CHECK(!probe.usable());
  CHECK_EQUAL(probe.runtime_version, 0);
#endif
  if (!probe.usable()) {
    CHECK(!probe.reason->empty());
    float value = 0;
    CHECK_THROWS(cuda::philox_normals_device(1, 0, 0, 0, 1, 1, &value), Error, error.code() == "DEVICE");
    return;
  }
  // Both kernels (aligned and not), and a row offset that reaches the counter's high bits.
  for (uint32_t columns : {4u, 64u, 7u}) {
    const uint64_t rows = 5000, offset = (1ULL << 32) - 100, seed = 0x0123456789abcdefULL,
                   step = (1ULL << 32) + 5;
    std::vector<float> got(rows * columns);
    cuda::philox_normals_device(seed, kTagSampleNoise, step, offset, rows, columns, got.data());
    long different = 0;
    for (uint64_t r = 0; r < rows; ++r) {
      for (uint32_t c = 0; c < columns; ++c) {
        const Normals4 n = philox_normals(
            philox(philox_counter(offset + r, c / 4, step, kTagSampleNoise), philox_key(seed)));
        const float lanes[4] = {n.x, n.y, n.z, n.w};
        different += philox_detail::bits_of(got[r * columns + c]) != philox_detail::bits_of(lanes[c % 4]);
      }
    }
    CHECK_EQUAL(different, 0L);
  }
}

TEST_CASE("16 M normals of the device hash as the CPU's do") {
  if (!cuda::probe().usable()) return;
  const uint64_t rows = 4'000'000;
  std::vector<float> normals(rows * 4);
  cuda::philox_normals_device(123 | (456ULL << 32), 0, 7, 0, rows, 4, normals.data());
  uint32_t hash = 2166136261u;
  for (float value : normals) hash = (hash ^ philox_detail::bits_of(value)) * 16777619u;
  CHECK_EQUAL(hash, 0x33e5cf50u);
}
