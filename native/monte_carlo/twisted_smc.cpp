#include <algorithm>
#include <cmath>
#include <string>

#include "core/random/philox.h"
#include "monte_carlo/conditional.hpp"

namespace sklar {
namespace {

// Particles v on their way from the reference to data, with their twists: all but the products with the
// Hessian is computed in double on the host (docs/mathematics.md, F).
template <class T>
class TwistedParticles {
 public:
  TwistedParticles(Backend<T>& backend, LevelPath<T>& path, const OuLevels& levels,
                   const Condition& condition, std::size_t count, std::uint64_t seed)
      : value(count),
        log_twist(count),
        roots(count),
        backend_(backend),
        path_(backend, path, condition.rotation, std::vector<double>(condition.dim(), 0.0), condition.dim()),
        levels_(levels),
        condition_(condition),
        count_(count),
        seed_(seed),
        state_(matrix_with_ones(backend, count, condition.dim())),
        dense_(backend.matrix(count, condition.dim())),
        residual_(backend.matrix(count, condition.dim() + 1)),
        v_(count * condition.dim()),
        g_(v_.size()),
        above_(count) {
    for (std::size_t i = 0; i < count; ++i) roots[i] = static_cast<std::uint32_t>(i);
    backend.normals(without_ones(state_.view()), seed, 0, 0, kTagSampleStart);
    evaluate(levels.last(), true);
  }

  // One step to the level below. after - before: the log weight of it.
  void step(std::size_t level, bool exact, std::vector<double>& before, std::vector<double>& after) {
    const std::size_t d = condition_.dim(), fixed = condition_.fixed;
    // from pure noise the field has no say: 2 sinh(h) G vanishes there
    const double h = levels_.time[level] - levels_.time[level - 1];
    const double decay = std::exp(-h), variance = -std::expm1(-2 * h), deviation = std::sqrt(variance);
    const double push = std::isinf(h) ? 0 : 2 * std::sinh(h);
    const double reach = exact ? 0 : push;  // of the field in the law that the weights stand for
    const std::vector<T> lift = twist_gradient(level);
    std::vector<T> mean(v_.size());
    std::vector<double> base(v_.size());
    for (std::size_t k = 0; k < v_.size(); ++k) {
      mean[k] = static_cast<T>(decay * number(v_[k]) + push * number(g_[k]) + variance * number(lift[k]));
      base[k] = decay * number(v_[k]) + reach * number(g_[k]);
    }
    backend_.upload_matrix(dense_, mean.data());
    Combine<T> draw;
    draw.to = without_ones(state_.view());
    draw.add(dense_, 1);
    draw.noise = deviation;
    draw.seed = seed_;
    draw.step = levels_.last() - level;
    draw.tag = kTagConditionalStep;
    backend_.combine(draw);
    if (level == 1) fix();
    for (std::size_t i = 0; i < count_; ++i) before[i] = (exact ? value[i] : 0) + log_twist[i];
    evaluate(level - 1, exact);
    for (std::size_t i = 0; i < count_; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const std::size_t k = i * d + j;
        const double v = number(v_[k]), from_mean = v - number(mean[k]), from_base = v - base[k];
        // set coordinates count with the density of what they were set to, relative to the reference
        if (level == 1 && j < fixed)
          sum += v * v - from_base * from_base / variance - 2 * std::log(deviation);
        else
          sum += (from_mean * from_mean - from_base * from_base) / variance;
      }
      after[i] = (exact ? value[i] : 0) + log_twist[i] + 0.5 * sum;
      if (!std::isfinite(before[i]) || !std::isfinite(after[i]))
        throw Error("DIVERGED", "a conditional sampler's weights left the finite numbers at noise level " +
                                    std::to_string(level - 1));
    }
  }

  // Particle i becomes what particle from[i] was.
  void take(const std::vector<std::uint32_t>& from) {
    const std::size_t d = condition_.dim();
    const auto gather = [&](auto& list, std::size_t width) {
      auto old = list;
      for (std::size_t i = 0; i < count_; ++i) std::copy_n(&old[from[i] * width], width, &list[i * width]);
    };
    gather(v_, d);
    gather(g_, d);
    gather(value, 1);
    gather(log_twist, 1);
    gather(roots, 1);
    backend_.upload_matrix(without_ones(state_.view()), v_.data());
  }

  double coordinate(std::size_t particle, std::size_t j) const {
    return number(v_[particle * condition_.dim() + j]);
  }

  std::vector<double> value, log_twist;  // F and log q, the latter but for a constant
  std::vector<std::uint32_t> roots;

 private:
  static double number(T x) { return static_cast<double>(x); }

  // What is known of the particles at a level.
  void evaluate(std::size_t level, bool want_value) {
    const std::size_t d = condition_.dim(), fixed = condition_.fixed;
    backend_.download_matrix(v_.data(), without_ones(state_.view()));
    std::fill(log_twist.begin(), log_twist.end(), 0.0);
    if (level < levels_.last() && (level > 0 || want_value))
      path_.evaluate(state_, level, 1, above_.data(), value.data(),
                     level > 0 ? dense_.view() : MatrixView<T>{});
    if (level == 0) return;
    if (level < levels_.last()) backend_.download_matrix(g_.data(), dense_);
    const double sigma = levels_.sigma[level];
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = 0; j < fixed; ++j) {
        const double r = residual(level, i * d + j, j) / sigma;
        log_twist[i] -= 0.5 * r * r + std::log(sigma);
      }
  }

  // a minus the estimate alpha v + sigma^2 / alpha G of it
  double residual(std::size_t level, std::size_t k, std::size_t j) const {
    const double alpha = levels_.alpha[level], sigma = levels_.sigma[level];
    const double shift = level < levels_.last() ? sigma * sigma / alpha * number(g_[k]) : 0;
    return condition_.whitened[j] - alpha * number(v_[k]) - shift;
  }

  // of log q: the estimate's Jacobian, transposed, times the residual over sigma^2
  std::vector<T> twist_gradient(std::size_t level) {
    const std::size_t d = condition_.dim(), fixed = condition_.fixed;
    const double alpha = levels_.alpha[level], sigma = levels_.sigma[level];
    std::vector<T> lift(v_.size(), T(0)), padded(count_ * (d + 1), T(0));
    if (level < levels_.last()) {
      for (std::size_t i = 0; i < count_; ++i)
        for (std::size_t j = 0; j < fixed; ++j)
          padded[i * (d + 1) + j] = static_cast<T>(residual(level, i * d + j, j));
      backend_.upload_matrix(residual_, padded.data());
      path_.hessian_product(state_, level, residual_, dense_);
      backend_.download_matrix(lift.data(), dense_);
      for (T& x : lift) x = static_cast<T>(number(x) / alpha);
    }
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = 0; j < fixed; ++j) {
        const std::size_t k = i * d + j;
        lift[k] = static_cast<T>(number(lift[k]) + alpha * residual(level, k, j) / (sigma * sigma));
      }
    return lift;
  }

  void fix() {
    const std::size_t fixed = condition_.fixed;
    std::vector<T> values(count_ * fixed);
    for (std::size_t k = 0; k < values.size(); ++k)
      values[k] = static_cast<T>(condition_.whitened[k % fixed]);
    backend_.upload_matrix({state_.data(), count_, fixed, state_.stride()}, values.data());
  }

  Backend<T>& backend_;
  AffinePath<T> path_;
  const OuLevels& levels_;
  const Condition& condition_;
  std::size_t count_;
  std::uint64_t seed_;
  Matrix<T> state_, dense_, residual_;
  std::vector<T> v_, g_;
  std::vector<double> above_;
};

}  // namespace

template <class T>
ConditionalSample conditional_twisted(Backend<T>& backend, LevelPath<T>& path, const OuLevels& levels,
                                      const Condition& condition, const TwistedOptions& options,
                                      std::size_t rows, const CancelFlag& cancel, const Fraction& progress) {
  const std::size_t count = options.particles * options.islands, d = condition.dim(), last = levels.last();
  if (count == 0) throw Error("VALUE", "expected at least one particle");
  if (path.dim() != d || path.last() != last)
    throw Error("SHAPE", "the condition or the levels are of another size than the path");
  TwistedParticles<T> particles(backend, path, levels, condition, count, options.seed);
  ParticleWeights weights(options.islands, options.particles, options.seed);
  const std::vector<double> zero(count, 0.0);
  std::vector<double> before(count), after(count);
  weights.add(zero, particles.log_twist, 1);
  ConditionalSample result;
  for (std::size_t level = last; level > 0; --level) {
    cancel.check();
    if (weights.effective(zero, zero, 1) < options.least_share) particles.take(weights.resample());
    particles.step(level, options.exact_steps, before, after);
    weights.add(before, after, 1);
    if (progress) progress(static_cast<double>(last - level + 1) / static_cast<double>(last));
  }
  const LogMean z = pooled_log_mean(weights.log_z());
  result.log_marginal = z.value + condition.log_reference;
  result.standard_error = z.standard_error;
  const std::vector<double> share = weights.normalised();
  result.effective = effective_size(share);
  result.ancestors = count_different(particles.roots);
  const std::vector<std::uint32_t> chosen = draw_weighted(share, rows, options.seed);
  std::vector<double> v(rows * d);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < d; ++j) v[i * d + j] = particles.coordinate(chosen[i], j);
  finish_conditional<T>(backend, path, condition, options.polish, options.seed, std::move(v), result, cancel);
  return result;
}

template ConditionalSample conditional_twisted(Backend<float>&, LevelPath<float>&, const OuLevels&,
                                               const Condition&, const TwistedOptions&, std::size_t,
                                               const CancelFlag&, const Fraction&);
template ConditionalSample conditional_twisted(Backend<double>&, LevelPath<double>&, const OuLevels&,
                                               const Condition&, const TwistedOptions&, std::size_t,
                                               const CancelFlag&, const Fraction&);

}  // namespace sklar
