// Split R-hat and effective sample size of parallel chains against known laws.
#include "monte_carlo/chain_mixing.hpp"

#include "check.hpp"
#include "closed_form.hpp"

using sklar::ChainMixing;
using sklar::Convergence;

namespace {

constexpr std::size_t chains = 600;

// Chains of x_0 = start noise, x_k = phi x_{k-1} + sqrt(1 - phi^2) noise, plus what each has of its own and a
// trend; column 0 is white noise, column 1 has all that.
Convergence mixing(std::size_t moves, double phi, double own, double trend) {
  const closed_form::Vector noise = closed_form::normals(chains * moves, 2, 9);
  const closed_form::Vector offset = closed_form::normals(chains, 1, 10);
  ChainMixing recorder(chains, 2, moves);
  closed_form::Vector x(chains), states(2 * chains);
  for (std::size_t k = 0; k < moves; ++k) {
    for (std::size_t i = 0; i < chains; ++i) {
      const double fresh = noise[2 * (k * chains + i) + 1];
      x[i] = k ? phi * x[i] + std::sqrt(1 - phi * phi) * fresh : fresh;
      states[2 * i] = noise[2 * (k * chains + i)];
      states[2 * i + 1] =
          3 + x[i] + own * offset[i] + trend * static_cast<double>(k) / static_cast<double>(moves);
    }
    recorder.add(states.data());
  }
  return recorder.worst();
}

}  // namespace

TEST_CASE("independent states: R-hat is one and every state counts") {
  const Convergence found = mixing(41, 0, 0, 0);
  CHECK_NEAR(found.r_hat, 1.0, 0.005);
  CHECK(found.effective > 0.85 * chains * 40 && found.effective <= chains * 40);
}

TEST_CASE("autoregressive chains: the variance of their means in closed form") {
  const double phi = 0.8, n = 100;
  const Convergence found = mixing(200, phi, 0, 0);
  const double v =
      ((1 + phi) / (1 - phi) - 2 * phi * (1 - std::pow(phi, n)) / (n * (1 - phi) * (1 - phi))) / n;
  CHECK_NEAR(found.effective / (2 * chains / v), 1.0, 0.1);
  CHECK_NEAR(found.r_hat, std::sqrt(1 / (n / (n - 1) * (1 - v))), 0.005);
}

TEST_CASE("chains that stay apart, drift or stand still, and too few moves") {
  // within 1, between the halves' means 1 + 1 / n
  const double n = 50;
  const Convergence apart = mixing(100, 0, 1, 0);
  CHECK_NEAR(apart.r_hat, std::sqrt(2.0), 0.05);
  CHECK_NEAR(apart.effective, 2 * chains * 2 / (1 + 1 / n), 0.08 * 4 * chains);
  // means of the halves half the trend apart: V = trend^2 / 16
  CHECK(mixing(100, 0, 0, 2).r_hat > 1.08);
  CHECK(std::isnan(mixing(3, 0, 0, 0).r_hat) && std::isnan(mixing(3, 0, 0, 0).effective));
  ChainMixing still(2, 1, 4);
  const float states[2] = {1, 2};
  for (int k = 0; k < 4; ++k) still.add(states);
  CHECK(std::isinf(still.worst().r_hat));
  CHECK_NEAR(still.worst().effective, 4.0, 1e-12);
}
