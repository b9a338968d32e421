// The Jacobi process: paths have the transition law of its modes, and velocities along them are those of its
// field.
#include <cmath>
#include <vector>

#include "check.hpp"
#include "core/normal.h"
#include "process/process.h"

using namespace sklar;

namespace {

constexpr std::size_t rows = 200000;

// Shifted Legendre polynomials of degrees 1, 2, 3, and their derivatives.
double mode(int n, double u) {
  const double x = 2 * u - 1;
  return n == 1 ? x : n == 2 ? 0.5 * (3 * x * x - 1) : 0.5 * (5 * x * x * x - 3 * x);
}
double mode_slope(int n, double u) {
  const double x = 2 * u - 1;
  return 2 * (n == 1 ? 1 : n == 2 ? 3 * x : 0.5 * (15 * x * x - 3));
}

struct Path {
  double start, state, velocity;
};

// Paths from starts of the law with density 1 + sum of weight mode.
std::vector<Path> paths(double time, double (*start)(double)) {
  std::vector<Path> out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    Path& p = out[i];
    p.start = start((static_cast<double>(i) + 0.5) / rows);
    const Normals4 n = philox_normals(philox(philox_counter(i, 0, 5, kTagJacobiNoise), philox_key(7)));
    JacobiProcess::path(time, p.start, static_cast<double>(n.x), PathDraw{7, i, 5, 0}, &p.state, &p.velocity);
  }
  return out;
}

}  // namespace

TEST_CASE("every mode is damped at its rate, and uniform stays uniform") {
  for (const double time : {0.02, 0.1, 0.18, 0.3, 0.6, 1.2}) {
    const auto all = paths(time, [](double u) { return u; });
    for (int n = 1; n <= 3; ++n) {
      double product = 0, mean = 0;
      for (const Path& p : all) {
        product += mode(n, p.start) * mode(n, p.state) / rows;
        mean += mode(n, p.state) / rows;
      }
      const double norm = 1.0 / (2 * n + 1);  // of a mode squared
      CHECK_NEAR(product, std::exp(-n * (n + 1) * time * time) * norm, 4 * norm / std::sqrt(rows));
      CHECK_NEAR(mean, 0, 4 * std::sqrt(norm / rows));
    }
    for (const Path& p : all) CHECK(p.state >= 0 && p.state <= 1);
  }
}

// d/dt E f(U_t) = E f'(U_t) V, so with starts of density 1 + a mode_n the mean of mode_n' V is the derivative
// of a exp(-n (n + 1) t^2) / (2 n + 1).
TEST_CASE("velocities move the law as the process does") {
  for (const double time : {0.02, 0.1, 0.3, 0.6}) {
    // starts of density 2 u: 1 + mode_1
    const auto all = paths(time, [](double u) { return std::sqrt(u); });
    double mean = 0, square = 0;
    for (const Path& p : all) {
      const double moved = mode_slope(1, p.state) * p.velocity;
      mean += moved / rows;
      square += moved * moved / rows;
    }
    CHECK_NEAR(mean, -4 * time * std::exp(-2 * time * time) / 3, 4 * std::sqrt(square / rows));
    // of uniform starts nothing moves, whatever is looked at
    const auto still = paths(time, [](double u) { return u; });
    for (int n = 1; n <= 3; ++n) {
      double sum = 0, squares = 0;
      for (const Path& p : still) {
        const double moved = mode_slope(n, p.state) * p.velocity;
        sum += moved / rows;
        squares += moved * moved / rows;
      }
      CHECK_NEAR(sum, 0, 4 * std::sqrt(squares / rows));
    }
  }
}

TEST_CASE("the time of lineages has the mean of its law") {
  for (const double y : {33.0, 100.0, 1e4}) {
    double mean = 0, square = 0;
    constexpr int n = 20000;
    for (int i = 0; i < n; ++i) {
      const double t = jacobi::time_of_lineages(y, normal_quantile((i + 0.5) / n));
      mean += t / n;
      square += t * t / n;
    }
    CHECK_NEAR(mean * y, 1, 1e-5);
    CHECK_NEAR((square - mean * mean) * y * y * y * 3, 1 - 0.2 / (y * y), 1e-3);
  }
}
