// Three emulated devices: one that this build has no code for, one that dies, one that goes on; and one that
// does not answer.
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "backend/cuda/device_probe.hpp"
#include "device_support.hpp"

using namespace device_support;

namespace {

const int set_up =
    setenv("SKLAR_EMULATED_DEVICES", "7.5,9.0,9.0,broken", 1) + setenv("SKLAR_EMULATED_FAULT", "1:20", 1);

std::unique_ptr<Backend<float>> on(int device) {
  return make_backend<float>({DeviceChoice::Kind::cuda, device, 0, Precision::fp32});
}

std::vector<float> sums(Backend<float>& backend) {
  Bench b(backend);
  const auto x = b.matrix(7, 5, 1), y = b.matrix(7, 5, 2);
  Combine<float> sum;
  sum.to = {x.data(), 1, 5, 5};
  backend.combine(sum.add(sum.to, 1).add({y.data(), 1, 5, 5}, 1));
  b.keep(x);
  return {b.kept.begin(), b.kept.end()};
}

bool says(const Error& error, const char* text) {
  return error.code() == "DEVICE" && std::string(error.what()).find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("each device is judged by itself") {
  CHECK_EQUAL(set_up, 0);
  const cuda::Probe probe = cuda::probe();
  CHECK(probe.usable());
  CHECK_EQUAL(probe.devices.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) CHECK_EQUAL(probe.devices[i].usable(), i == 1 || i == 2);
  CHECK_THROWS(on(0), Error, says(error, "cuda:0 can't be used: this build has no code for"));
  CHECK_THROWS(on(3), Error, says(error, "cuda:3 can't be used: it does not answer: unknown error"));
  CHECK_THROWS(on(4), Error, says(error, "from 0 to 3"));
  CHECK(sums(*on(2)) == sums(*make_cpu_backend<float>(1)));
}

TEST_CASE("a device that a kernel has broken says so ever after, and takes no other with it") {
  constexpr const char* lost =
      "cuda:1 cannot be used again in this process, which must be started anew: an illegal memory access was "
      "encountered (cudaErrorIllegalAddress)";
  const auto expected = sums(*make_cpu_backend<float>(1));
  bool goes_on = true;
  std::thread other([&] {
    const auto backend = on(2);
    for (int i = 0; i < 100; ++i) goes_on &= sums(*backend) == expected;
  });
  {
    const auto doomed = on(1), beside = on(1);
    CHECK(sums(*beside) == expected);
    const auto many = [&] {
      for (int i = 0; i < 40; ++i) CHECK(sums(*doomed) == expected);
    };
    CHECK_THROWS(many(), Error, says(error, lost));
    CHECK_THROWS(sums(*doomed), Error, says(error, lost));
    CHECK_THROWS(sums(*beside), Error, says(error, lost));
  }
  CHECK_THROWS(on(1), Error, says(error, lost));
  other.join();
  CHECK(goes_on);
  const cuda::Probe probe = cuda::probe();
  CHECK(probe.usable());
  CHECK(probe.devices[1].reason && *probe.devices[1].reason == lost);
  CHECK(probe.devices[2].usable());
  CHECK(sums(*on(2)) == expected);
}
