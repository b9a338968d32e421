#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "core/cancel.hpp"
#include "process/ou.hpp"

// Integrators of the reverse process of a level-indexed Ornstein-Uhlenbeck field G_k = grad log c_k, from the
// reference (pure noise) to data (docs/mathematics.md, A.7 and A.8). All of them only ask for G at the nodes.
namespace sklar {

// The field that is integrated, and what is known of it at the reference.
template <class T>
struct OuField {
  // g = G_level(y); y carries a column of ones
  std::function<void(MatrixView<const T> y, std::size_t level, MatrixView<T> g)> evaluate;
  // f = dz/dw at the reference, (R_N - I) y / 2 where the correlation is known; else empty: borrowed from the
  // next level
  std::function<void(MatrixView<const T> y, MatrixView<T> f)> at_reference;
  // largest |z| of the Gaussian scale is set to `bound`; empty: not needed. Returns how often it acted.
  std::function<std::uint64_t(MatrixView<T> y, double bound)> clamp;
};

struct SamplerNoise {
  std::uint64_t seed = 0;
  std::uint64_t first_row = 0;
};

struct SampleStatistics {
  std::uint64_t evaluations = 0;  // of the field, for each row
  std::uint64_t clamped = 0;      // coordinates
};

enum class CdcSolver { ab2, heun, exponential_em, published_mean, published_noisy };
CdcSolver parse_cdc_solver(const std::string& name);  // throws Error("VALUE")

// Node levels from the reference (levels.last()) down to 0 for `steps` steps; steps <= levels.last().
std::vector<std::size_t> node_levels(const OuLevels& levels, std::size_t steps);

// y (rows x (dim + 1)) holds standard normal rows and receives the sample.
template <class T>
SampleStatistics integrate_cdc(Backend<T>& backend, const OuField<T>& field, const OuLevels& levels,
                               CdcSolver solver, const std::vector<std::size_t>& nodes,
                               const SamplerNoise& noise, MatrixView<T> y, const CancelFlag& cancel);

}  // namespace sklar
