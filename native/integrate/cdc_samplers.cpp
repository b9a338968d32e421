#include "integrate/cdc_samplers.hpp"

#include <cmath>

#include "core/philox.h"

namespace sklar {

CdcSolver parse_cdc_solver(const std::string& name) {
  if (name == "ab2") return CdcSolver::ab2;
  if (name == "heun") return CdcSolver::heun;
  if (name == "exponential-em") return CdcSolver::exponential_em;
  if (name == "published") return CdcSolver::published_mean;
  if (name == "published-noisy") return CdcSolver::published_noisy;
  throw Error("VALUE", "unknown solver \"" + name + "\"");
}

std::vector<std::size_t> node_levels(const OuLevels& levels, std::size_t steps) {
  const std::size_t last = levels.last();
  if (steps < 1 || steps > last)
    throw Error("VALUE", "expected 1 to " + std::to_string(last) + " steps (the model has " +
                             std::to_string(levels.count()) + " noise levels), got " + std::to_string(steps));
  std::vector<std::size_t> nodes;
  for (std::size_t i = 0; i <= steps; ++i) nodes.push_back(last - (i * last + steps / 2) / steps);
  return nodes;
}

namespace {

template <class T>
struct Trajectory {
  Backend<T>& backend;
  const OuField<T>& field;
  const OuLevels& levels;
  const std::vector<std::size_t>& nodes;
  const SamplerNoise& noise;
  MatrixView<T> y;  // with its column of ones
  MatrixView<T> z;  // without
  const CancelFlag& cancel;
  SampleStatistics statistics{};

  // A slope dz/dw = scale * g: what the network gives is G = 2 w dz/dw, what is known at the reference is
  // dz/dw itself.
  struct Slope {
    MatrixView<const T> g;
    double scale = 0;
  };

  Slope slope(MatrixView<const T> at, std::size_t node, MatrixView<T> into) {
    cancel.check();
    const std::size_t level = nodes[node];
    if (level == levels.last()) {
      if (field.at_reference) {
        field.at_reference(at, into);
        return {into, 1};
      }
      // the classifier's own field vanishes at its reference: borrow the next level's
      ++statistics.evaluations;
      field.evaluate(at, levels.last() - 1, into);
      return {into, 1 / (2 * levels.w[levels.last() - 1])};
    }
    ++statistics.evaluations;
    field.evaluate(at, level, into);
    return {into, 1 / (2 * levels.w[level])};
  }

  void move(MatrixView<T> to, double a, const Slope& f, double b, const Slope& before, double c, double s = 0,
            std::size_t node = 0) {
    Advance<T> step;
    step.z = to;
    step.a = a;
    if (b != 0) {
      step.b = b * f.scale;
      step.g = f.g;
    }
    if (c != 0) {
      step.c = c * before.scale;
      step.h = before.g;
    }
    step.s = s;
    step.seed = noise.seed;
    step.first_row = noise.first_row;
    step.step = node;
    step.tag = kTagSampleNoise;
    backend.advance(step);
  }

  double w(std::size_t node) const { return levels.w[nodes[node]]; }
  double time(std::size_t node) const { return levels.time[nodes[node]]; }
};

// Two-step Adams-Bashforth in the clock w, in which the field is smoothest on a grid uniform in w.
template <class T>
void ab2(Trajectory<T>& t) {
  Matrix<T> field[2] = {t.backend.matrix(t.z.rows, t.z.columns), t.backend.matrix(t.z.rows, t.z.columns)};
  typename Trajectory<T>::Slope now, before;
  double previous = 0;
  for (std::size_t i = 0; i + 1 < t.nodes.size(); ++i) {
    now = t.slope(t.y, i, field[i % 2]);
    const double step = t.w(i + 1) - t.w(i);
    const double ratio = i ? step / (2 * previous) : 0;
    t.move(t.z, 1, now, step * (1 + ratio), before, -step * ratio);
    before = now;
    previous = step;
  }
}

// Heun in the clock w: two evaluations a step.
template <class T>
void heun(Trajectory<T>& t) {
  Matrix<T> first = t.backend.matrix(t.z.rows, t.z.columns), second = t.backend.matrix(t.z.rows, t.z.columns);
  Matrix<T> trial = t.backend.matrix(t.z.rows, t.z.columns + 1);
  const MatrixView<T> trial_z{trial.data(), t.z.rows, t.z.columns, trial.stride()};
  for (std::size_t i = 0; i + 1 < t.nodes.size(); ++i) {
    const auto f = t.slope(t.y, i, first);
    const double step = t.w(i + 1) - t.w(i);
    t.backend.copy(trial.data(), t.y.data, t.y.rows * t.y.stride * sizeof(T));
    t.move(trial_z, 1, f, step, {}, 0);
    const auto g = t.slope(trial, i + 1, second);
    t.move(t.z, 1, f, step / 2, g, step / 2);
  }
}

// Exponential Euler-Maruyama, two-step: the linear part and the noise are exact, so independent coordinates
// stay standard normal at any step size. The first step leaves the reference deterministically, by the known
// slope.
template <class T>
void exponential_em(Trajectory<T>& t) {
  Matrix<T> field[2] = {t.backend.matrix(t.z.rows, t.z.columns), t.backend.matrix(t.z.rows, t.z.columns)};
  typename Trajectory<T>::Slope now, before;
  double previous = 0;
  for (std::size_t i = 0; i + 1 < t.nodes.size(); ++i) {
    now = t.slope(t.y, i, field[i % 2]);
    if (i == 0) {
      t.move(t.z, 1, now, t.w(1) - t.w(0), {}, 0);
      continue;
    }
    // slopes are G / (2 w): give G back its scale
    now.scale *= 2 * t.w(i);
    const double h = t.time(i) - t.time(i + 1), decay = std::exp(-h);
    const double extrapolated = previous > 0 ? 2 * (h - 1 + decay) / previous : 0;
    t.move(t.z, decay, now, 2 * (1 - decay) + extrapolated, before, -extrapolated,
           std::sqrt(-std::expm1(-2 * h)), i);
    before = now;
    previous = h;
  }
}

// The published sampler, for comparison: mean of the ancestral step, clipped to +-6 on the Gaussian scale,
// noise (if any) in every step but the last. Its mean-only mode contracts towards a point.
template <class T>
void published(Trajectory<T>& t, bool noisy) {
  Matrix<T> g = t.backend.matrix(t.z.rows, t.z.columns);
  const std::size_t last_step = t.nodes.size() - 2;
  for (std::size_t i = 0; i <= last_step; ++i) {
    t.cancel.check();
    const double h = t.time(i) - t.time(i + 1);
    if (!std::isfinite(h))
      throw Error(
          "VALUE",
          "the published sampler needs a finite reference time; this model's reference is pure noise");
    typename Trajectory<T>::Slope field{g, 1};
    double weight = 2 * std::sinh(h);
    if (t.nodes[i] == t.levels.last()) {
      weight = 0;  // the classifier's field is identically zero there
    } else {
      ++t.statistics.evaluations;
      t.field.evaluate(t.y, t.nodes[i], g);
    }
    t.move(t.z, std::exp(-h), field, weight, {}, 0);
    if (t.field.clamp) t.statistics.clamped += t.field.clamp(t.y, 6);
    if (noisy && i != last_step) t.move(t.z, 1, {}, 0, {}, 0, std::sqrt(-std::expm1(-2 * h)), i);
  }
}

}  // namespace

template <class T>
SampleStatistics integrate_cdc(Backend<T>& backend, const OuField<T>& field, const OuLevels& levels,
                               CdcSolver solver, const std::vector<std::size_t>& nodes,
                               const SamplerNoise& noise, MatrixView<T> y, const CancelFlag& cancel) {
  Trajectory<T> t{backend, field, levels, nodes, noise, y, {y.data, y.rows, y.columns - 1, y.stride}, cancel};
  switch (solver) {
    case CdcSolver::ab2:
      ab2(t);
      break;
    case CdcSolver::heun:
      heun(t);
      break;
    case CdcSolver::exponential_em:
      exponential_em(t);
      break;
    case CdcSolver::published_mean:
      published(t, false);
      break;
    case CdcSolver::published_noisy:
      published(t, true);
      break;
  }
  return t.statistics;
}

template SampleStatistics integrate_cdc(Backend<float>&, const OuField<float>&, const OuLevels&, CdcSolver,
                                        const std::vector<std::size_t>&, const SamplerNoise&,
                                        MatrixView<float>, const CancelFlag&);
template SampleStatistics integrate_cdc(Backend<double>&, const OuField<double>&, const OuLevels&, CdcSolver,
                                        const std::vector<std::size_t>&, const SamplerNoise&,
                                        MatrixView<double>, const CancelFlag&);

}  // namespace sklar
