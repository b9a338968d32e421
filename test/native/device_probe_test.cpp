#include "backend/cuda/device_probe.hpp"

#include <vector>

#include "check.hpp"

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

TEST_CASE("the probe says whether CUDA can be used, or why not") {
  const cuda::Probe probe = cuda::probe();
#if defined(SKLAR_WITH_CUDA)
  CHECK(probe.runtime_version > 0);
  CHECK(!cuda::compiled_architectures().empty());
#else
  CHECK(!probe.usable());
  CHECK_EQUAL(probe.runtime_version, 0);
#endif
  if (probe.usable())
    CHECK(!probe.devices.empty());
  else
    CHECK(!probe.reason->empty());
}
