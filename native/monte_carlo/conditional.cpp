#include "monte_carlo/conditional.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/linear/symmetric.hpp"
#include "core/linear/triangular.h"
#include "core/random/philox.h"

namespace sklar {

Condition::Condition(const std::vector<double>& l, std::size_t d, const std::vector<std::size_t>& columns,
                     const std::vector<double>& a)
    : fixed(columns.size()), values(a) {
  if (fixed == 0 || fixed >= d || a.size() != fixed)
    throw Error("SHAPE",
                "expected 1 to " + std::to_string(d - 1) + " fixed columns, got " + std::to_string(fixed));
  std::vector<bool> in(d, false);
  for (std::size_t column : columns) {
    if (column >= d || in[column])
      throw Error("VALUE", "column " + std::to_string(column + 1) + " cannot be fixed (twice)");
    in[column] = true;
  }
  for (double value : a)
    if (!std::isfinite(value)) throw Error("VALUE", "a fixed value is not finite");
  order = columns;
  for (std::size_t i = 0; i < d; ++i)
    if (!in[i]) order.push_back(i);

  // rows of L in the new order; Sigma = L L^T
  std::vector<double> rows(d * d, 0.0), sigma(d * d, 0.0);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      rows[i * d + j] = l.empty() ? (order[i] == j ? 1.0 : 0.0) : j <= order[i] ? l[order[i] * d + j] : 0.0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < d; ++k) sum += rows[i * d + k] * rows[j * d + k];
      sigma[i * d + j] = sigma[j * d + i] = sum;
    }
  factor = cholesky(sigma, d);
  // M v = rows y, and X = M^-1 rows is orthogonal: y = X^T v
  rotation.resize(d * d);
  for (std::size_t c = 0; c < d; ++c)
    for (std::size_t i = 0; i < d; ++i)
      rotation[c * d + i] = solve_row(&factor[i * d], i, rows[i * d + c], &rotation[c * d]);
  whitened.resize(fixed);
  for (std::size_t i = 0; i < fixed; ++i) {
    whitened[i] = solve_row(&factor[i * d], i, a[i], whitened.data());
    log_reference += 0.5 * (a[i] * a[i] - whitened[i] * whitened[i]) - std::log(factor[i * d + i]);
  }
}

void Condition::to_gaussian(const double* v, std::size_t rows, double* z) const {
  const std::size_t d = dim();
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < d; ++i) {
      if (i < fixed) {
        z[r * d + order[i]] = values[i];
        continue;
      }
      double sum = 0;
      for (std::size_t j = 0; j <= i; ++j) sum += factor[i * d + j] * v[r * d + j];
      z[r * d + order[i]] = sum;
    }
}

namespace {

// The path on the free coordinates x = v_B.
template <class T>
AffinePath<T> free_path(Backend<T>& backend, LevelPath<T>& path, const Condition& condition) {
  const std::size_t d = condition.dim(), fixed = condition.fixed, free = d - fixed;
  if (path.dim() != d) throw Error("SHAPE", "the condition is of another dimension than the path");
  std::vector<double> basis(d * free), offset(d, 0.0);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < free; ++j) basis[i * free + j] = condition.rotation[i * d + fixed + j];
    for (std::size_t j = 0; j < fixed; ++j)
      offset[i] += condition.rotation[i * d + j] * condition.whitened[j];
  }
  return AffinePath<T>(backend, path, basis, offset, free);
}

}  // namespace

template <class T>
ConditionalSample conditional_smc(Backend<T>& backend, LevelPath<T>& path, const Condition& condition,
                                  const SmcOptions& options, std::size_t rows, const CancelFlag& cancel,
                                  const Fraction& progress) {
  AffinePath<T> on_free = free_path(backend, path, condition);
  const SmcResult<T> smc = annealed_smc<T>(backend, on_free, options, cancel, progress);
  ConditionalSample result;
  result.log_marginal = smc.log_z + condition.log_reference;
  result.standard_error = smc.standard_error;
  result.effective = smc.effective;
  result.ancestors = smc.ancestors;
  result.acceptance = smc.stages.back().acceptance;
  result.mixing = smc.mixing;
  const std::size_t d = condition.dim(), fixed = condition.fixed, free = d - fixed;
  std::vector<T> host(smc.particles.rows() * free);
  backend.download_matrix(host.data(), without_ones(smc.particles.view()));
  std::vector<double> v(rows * d);
  const std::vector<std::uint32_t> chosen = draw_weighted(smc.weights, rows, options.seed);
  for (std::size_t i = 0; i < rows; ++i) {
    std::copy(condition.whitened.begin(), condition.whitened.end(), &v[i * d]);
    std::copy_n(&host[chosen[i] * free], free, &v[i * d + fixed]);
  }
  result.z.resize(rows * d);
  condition.to_gaussian(v.data(), rows, result.z.data());
  return result;
}

template <class T>
ConditionalSample conditional_replacement(Backend<T>& backend, LevelPath<T>& path, const OuLevels& levels,
                                          const Condition& condition, const ReplacementOptions& options,
                                          std::size_t rows, const CancelFlag& cancel,
                                          const Fraction& progress) {
  const std::size_t d = condition.dim(), fixed = condition.fixed, last = levels.last();
  AffinePath<T> rotated(backend, path, condition.rotation, std::vector<double>(d, 0.0), d);
  Matrix<T> state = matrix_with_ones(backend, rows, d), g = backend.matrix(rows, d),
            target = backend.matrix(rows, fixed);
  const MatrixView<T> v = without_ones(state.view()), v_fixed{v.data, rows, fixed, v.stride};
  std::vector<T> host(rows * fixed);
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<T>(condition.whitened[i % fixed]);
  backend.upload_matrix(target, host.data());
  backend.normals(v, options.seed, 0, 0, kTagSampleStart);

  ConditionalSample result;
  std::vector<double> above(rows), below(rows);
  std::uint64_t draw = 0;
  // v <- keep v + push g + noise
  const auto move = [&](double keep, double push, double noise) {
    Combine<T> step;
    step.to = v;
    step.add(v, keep);
    if (push != 0) step.add(g, push);
    step.noise = noise;
    step.seed = options.seed;
    step.tag = kTagConditionalStep;
    step.step = draw++;
    backend.combine(step);
  };
  for (std::size_t level = last; level > 0; --level) {
    const double h = levels.time[level] - levels.time[level - 1], decay = std::exp(-h);
    const double noise = std::sqrt(-std::expm1(-2 * h));
    for (std::size_t loop = 0; loop < options.loops; ++loop) {
      cancel.check();
      backend.normals(v_fixed, options.seed, 0, draw, kTagConditionalFixed);
      Combine<T> overwrite;
      overwrite.to = v_fixed;
      overwrite.add(v_fixed, levels.sigma[level]).add(target, levels.alpha[level]);
      backend.combine(overwrite);
      // The field vanishes at pure noise, its slope dz/dw = G / (2 w) does not: that step follows the next
      // level's.
      const bool from_noise = std::isinf(levels.time[level]);
      const double scale = level == last && !from_noise ? levels.w[last] / levels.w[last - 1] : 1;
      rotated.evaluate(state, std::min(level, last - 1), 1, above.data(), below.data(), g);
      move(from_noise ? 1 : decay, from_noise ? 0.5 : 2 * (1 - decay) * scale, from_noise ? 0 : noise);
      if (loop + 1 < options.loops) move(decay, 0, noise);
    }
    if (progress) progress(static_cast<double>(last - level + 1) / static_cast<double>(last));
  }
  std::vector<T> all(rows * d);
  backend.download_matrix(all.data(), v);
  for (const T value : all)
    if (!std::isfinite(value)) throw Error("DIVERGED", "the conditional sampler left the finite numbers");
  result.log_marginal = std::numeric_limits<double>::quiet_NaN();
  result.standard_error = std::numeric_limits<double>::quiet_NaN();
  result.effective = static_cast<double>(rows);
  result.ancestors = rows;
  finish_conditional<T>(backend, path, condition, options.polish, options.seed,
                        std::vector<double>(all.begin(), all.end()), result, cancel);
  return result;
}

template <class T>
void finish_conditional(Backend<T>& backend, LevelPath<T>& path, const Condition& condition,
                        const Polish& polish, std::uint64_t seed, std::vector<double> v,
                        ConditionalSample& result, const CancelFlag& cancel) {
  const std::size_t d = condition.dim(), fixed = condition.fixed, free = d - fixed, rows = v.size() / d;
  if (polish.moves) {
    Matrix<T> x = matrix_with_ones(backend, rows, free);
    std::vector<T> part(rows * free);
    for (std::size_t i = 0; i < part.size(); ++i)
      part[i] = static_cast<T>(v[i / free * d + fixed + i % free]);
    backend.upload_matrix(without_ones(x.view()), part.data());
    AffinePath<T> on_free = free_path(backend, path, condition);
    const DataMoves moves =
        move_at_data<T>(backend, on_free, x, polish.moves, polish.target_acceptance, seed, cancel, {});
    result.acceptance = moves.acceptance;
    result.mixing = moves.mixing;
    backend.download_matrix(part.data(), without_ones(x.view()));
    for (std::size_t i = 0; i < part.size(); ++i)
      v[i / free * d + fixed + i % free] = static_cast<double>(part[i]);
  }
  result.z.resize(v.size());
  condition.to_gaussian(v.data(), rows, result.z.data());
}

std::vector<double> gaussian_conditional(std::size_t threads, const Condition& condition, std::size_t rows,
                                         std::uint64_t seed, const CancelFlag& cancel) {
  const std::size_t d = condition.dim(), fixed = condition.fixed, free = d - fixed, batch = 4096;
  const auto backend = make_cpu_backend<double>(threads);
  Matrix<double> draws = backend->matrix(std::min(rows, batch), free);
  std::vector<double> part(draws.rows() * free), v(draws.rows() * d), z(rows * d);
  in_batches(rows, batch, cancel, {}, [&](std::size_t first, std::size_t count) {
    backend->normals(draws.first(count), seed, first, 0, kTagSampleStart);
    backend->download_matrix(part.data(), draws.first(count));
    for (std::size_t i = 0; i < count; ++i) {
      std::copy(condition.whitened.begin(), condition.whitened.end(), &v[i * d]);
      std::copy_n(&part[i * free], free, &v[i * d + fixed]);
    }
    condition.to_gaussian(v.data(), count, &z[first * d]);
  });
  return z;
}

template ConditionalSample conditional_smc(Backend<float>&, LevelPath<float>&, const Condition&,
                                           const SmcOptions&, std::size_t, const CancelFlag&,
                                           const Fraction&);
template ConditionalSample conditional_smc(Backend<double>&, LevelPath<double>&, const Condition&,
                                           const SmcOptions&, std::size_t, const CancelFlag&,
                                           const Fraction&);
template ConditionalSample conditional_replacement(Backend<float>&, LevelPath<float>&, const OuLevels&,
                                                   const Condition&, const ReplacementOptions&, std::size_t,
                                                   const CancelFlag&, const Fraction&);
template ConditionalSample conditional_replacement(Backend<double>&, LevelPath<double>&, const OuLevels&,
                                                   const Condition&, const ReplacementOptions&, std::size_t,
                                                   const CancelFlag&, const Fraction&);
template void finish_conditional(Backend<float>&, LevelPath<float>&, const Condition&, const Polish&,
                                 std::uint64_t, std::vector<double>, ConditionalSample&, const CancelFlag&);
template void finish_conditional(Backend<double>&, LevelPath<double>&, const Condition&, const Polish&,
                                 std::uint64_t, std::vector<double>, ConditionalSample&, const CancelFlag&);

}  // namespace sklar
