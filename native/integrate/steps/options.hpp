#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fields/field.hpp"

// What an integration is asked for, and what it tells (docs/mathematics.md, A.8).
namespace sklar {

enum class Solver {
  // ordinary differential equations
  euler,
  heun,
  rk4,
  dopri5,
  tsit5,
  ab2,
  ddim,  // stochastic where eta > 0
  dpmpp_2m,
  // stochastic differential equations
  dpmpp_2m_sde,
  euler_maruyama,
  exponential_em,
  exponential_em_one_step,
  sra1,
  shark
};
Solver parse_solver(const std::string& name);  // throws Error("VALUE")

// What an ODE is integrated in: w, alpha or theta of the ou process, the time of one on the cube.
enum class Clock { w, alpha, theta, time };
Clock parse_clock(const std::string& name);  // throws Error("VALUE")

// Where increments of Brownian motion come from: drawn for each step, or from a path that depends on the seed
// alone.
enum class Brownian { steps, tree };

struct SolverOptions {
  Solver solver = Solver::euler;
  Clock clock = Clock::w;
  // Times as the field takes them, in one direction: down to 0 (data) for samples, up for likelihoods.
  // Adaptive: from the first to the last, the second gives the first trial step.
  std::vector<double> nodes;
  bool adaptive = false;  // dopri5, tsit5, sra1, shark
  double rtol = 0, atol = 0;
  double eta = 0;  // of ddim
  // After each step of a fixed grid: this many steps of a process that leaves the law at that time as it is,
  // of this size.
  std::size_t corrector_steps = 0;
  double corrector_size = 0;
  Brownian brownian = Brownian::steps;
  std::uint64_t seed = 0, first_row = 0;
};

struct SolverStatistics {
  std::uint64_t rows = 0;
  std::uint64_t evaluations = 0;             // of the field, summed over rows
  std::uint64_t most_evaluations = 0;        // of one row
  std::uint64_t accepted = 0, rejected = 0;  // steps, summed over rows

  void add(const SolverStatistics& other);
};

// Along an ODE, d log p / dx = -div f: `total` (backend memory, rows x trace.columns()) receives, on top
// of what it holds, the integral of div f from the first to the last node.
struct DivergenceIntegral {
  TraceEstimator trace;
  double* total = nullptr;
  std::size_t columns() const { return trace.columns(); }
};

}  // namespace sklar
