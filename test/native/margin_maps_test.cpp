#include "core/margin_maps.hpp"

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "core/error.hpp"
#include "core/normal.h"
#include "core/random/philox.h"

using namespace sklar;

namespace {

std::vector<double> draws(std::size_t rows, std::uint64_t seed) {
  std::vector<double> z(2 * rows);
  for (std::size_t i = 0; i < z.size(); ++i)
    z[i] = static_cast<double>(philox_normals(philox(philox_counter(i, 0, 0, 9), philox_key(seed))).x);
  return z;
}

// margins that no sampler of ours has: narrow and shifted, skewed
double bend(std::size_t column, double z) { return column ? 0.8 * z + 0.1 * z * z / 4 : 0.9 * z - 0.1; }

}  // namespace

TEST_CASE("margin maps make the margins of new rows standard normal") {
  const std::size_t rows = 65536;
  std::vector<double> pilot = draws(rows, 1), fresh = draws(rows, 2);
  for (std::size_t i = 0; i < pilot.size(); ++i) {
    pilot[i] = bend(i % 2, pilot[i]);
    fresh[i] = bend(i % 2, fresh[i]);
  }
  const MarginMaps maps(MarginMaps::estimate(pilot.data(), rows, 2));
  for (std::size_t j = 0; j < 2; ++j) {
    double sum = 0, squares = 0, worst = 0;
    std::vector<double> u;
    for (std::size_t i = 0; i < rows; ++i) {
      const double z = maps(j, fresh[2 * i + j]);
      sum += z;
      squares += z * z;
      u.push_back(normal_cdf(z));
    }
    std::sort(u.begin(), u.end());
    for (std::size_t i = 0; i < rows; ++i)
      worst = std::max(worst, std::abs(u[i] - (static_cast<double>(i) + 0.5) / static_cast<double>(rows)));
    const double n = static_cast<double>(rows);
    CHECK_NEAR(sum / n, 0, 0.02);
    CHECK_NEAR(squares / n, 1, 0.025);
    CHECK(worst < 0.012);
  }
}

TEST_CASE("margin maps increase everywhere, are smooth at their knots and shift beyond them") {
  std::vector<double> pilot = draws(5000, 3);
  for (std::size_t i = 0; i < pilot.size(); ++i) pilot[i] = bend(i % 2, pilot[i]);
  const MarginMaps maps(MarginMaps::estimate(pilot.data(), 5000, 2));
  for (std::size_t j = 0; j < 2; ++j) {
    double before = maps(j, -8);
    for (int i = -7999; i < 8000; ++i) {
      const double now = maps(j, i * 1e-3);
      CHECK(now > before);
      before = now;
    }
    const double* x = &maps.from[j * MarginMaps::knots];
    for (std::size_t k = 1; k + 1 < MarginMaps::knots; ++k) {
      CHECK_NEAR(maps(j, x[k]), maps.to[k], 1e-12);
      const double h = 1e-7;
      CHECK_NEAR((maps(j, x[k] + h) - maps(j, x[k])) / h, (maps(j, x[k]) - maps(j, x[k] - h)) / h, 1e-4);
    }
    CHECK_NEAR(maps(j, 9) - maps(j, 8), 1, 1e-12);
  }
}

TEST_CASE("margin maps of a sampler that piles rows up still increase; too few rows are refused") {
  std::vector<double> pilot = draws(8192, 4);
  for (double& z : pilot) z = std::round(z);
  const MarginMaps maps(MarginMaps::estimate(pilot.data(), 8192, 2));
  CHECK(maps(0, 1.0001) > maps(0, 0.9999));
  CHECK_THROWS(MarginMaps::estimate(pilot.data(), 100, 2), Error, error.code() == "VALUE");
  CHECK_THROWS(MarginMaps(std::vector<double>(7)), Error, error.code() == "SHAPE");
  CHECK_THROWS(MarginMaps(std::vector<double>(33, 1.0)), Error, error.code() == "VALUE");
}
