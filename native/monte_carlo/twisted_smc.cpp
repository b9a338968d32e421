#include <algorithm>
#include <cmath>
#include <string>

#include "core/fold.h"
#include "core/normal.h"
#include "core/random/philox.h"
#include "monte_carlo/conditional.hpp"

namespace sklar {
namespace {

// docs/mathematics.md, F. The images of a under reflection, a + 2m and 2m - a, seen from x by a normal law:
// log of the sum of exp(-(image - x)^2 / (2 variance)), and the mean and variance of the image that it was.
struct Images {
  double log_sum, mean, variance;
};

Images images_of(double a, double x, double variance) {
  constexpr int reach = 4;  // deviations of 1 or less see no more
  const double middle = 2 * std::round(0.5 * x);
  double weight[4 * reach + 2], image[4 * reach + 2], least = HUGE_VAL;
  std::size_t count = 0;
  for (int m = -reach; m <= reach; ++m)
    for (const double side : {a, -a}) {
      image[count] = middle + 2 * m + side;
      weight[count] = 0.5 * (image[count] - x) * (image[count] - x) / variance;
      least = std::min(least, weight[count++]);
    }
  double sum = 0, mean = 0, square = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const double w = std::exp(least - weight[k]);
    sum += w;
    mean += w * (image[k] - x);
    square += w * (image[k] - x) * (image[k] - x);
  }
  mean /= sum;
  return {std::log(sum) - least, x + mean, square / sum - mean * mean};
}

// States v of rows and the field there, on their way from the reference to data. All but the field and its
// products is computed in double on the host.
template <class T>
class ReverseChain {
 public:
  ReverseChain(Backend<T>& backend, LevelPath<T>& path, const ReverseLevels& levels,
               const Condition& condition, std::size_t count, std::uint64_t seed)
      : v(count * condition.dim()),
        g(v.size()),
        backend_(backend),
        path_(backend, path, condition.rotation, std::vector<double>(condition.dim(), 0.0), condition.dim()),
        levels_(levels),
        count_(count),
        dim_(condition.dim()),
        seed_(seed),
        state_(matrix_with_ones(backend, count, dim_)),
        dense_(backend.matrix(count, dim_)),
        zero_ended_(backend.matrix(count, dim_ + 1)) {
    backend.normals(without_ones(state_.view()), seed, 0, 0, kTagSampleStart);
    if (levels.folded) backend.to_uniform(without_ones(state_.view()));
    backend.download_matrix(v.data(), without_ones(state_.view()));
  }

  std::size_t size() const { return count_; }
  const ReverseLevels& levels() const { return levels_; }
  // of pure noise nothing is asked; where the cube's levels end, the field is all but zero
  bool known(std::size_t level) const { return level < levels_.last() || levels_.folded; }

  // g = the field at v, and with `value` F
  void evaluate(std::size_t level, double* value) {
    if (!known(level) || (level == 0 && !value)) return;
    if (value && above_.empty()) above_.resize(count_);
    path_.evaluate(state_, level, 1, value ? above_.data() : nullptr, value,
                   level > 0 ? dense_.view() : MatrixView<T>{});
    if (level > 0) backend_.download_matrix(g.data(), dense_);
  }

  // The transposed Jacobian of the field at v times r, dense.
  void pull_back(std::size_t level, const std::vector<T>& r, std::vector<T>& product) {
    backend_.upload_matrix(without_ones(zero_ended_.view()), r.data());
    path_.pull_back(state_, level, zero_ended_, dense_);
    backend_.download_matrix(product.data(), dense_);
  }

  // v = mean + deviation xi
  void draw(const std::vector<T>& mean, double deviation, std::uint64_t step) {
    backend_.upload_matrix(dense_, mean.data());
    Combine<T> sum;
    sum.to = without_ones(state_.view());
    sum.add(dense_, 1);
    sum.noise = deviation;
    sum.seed = seed_;
    sum.step = step;
    sum.tag = kTagConditionalStep;
    backend_.combine(sum);
    backend_.download_matrix(v.data(), without_ones(state_.view()));
  }
  // The rest of a step, after `draw` and what was made of v; g is still the field before it.
  void finish(std::size_t level, const ReverseStep& step) {
    std::vector<T> inner = v, below(g.size());
    if (step.correction != 0) {
      fold_all(inner);
      set(inner);
      path_.evaluate(state_, level - 1, 1, nullptr, nullptr, dense_);
      backend_.download_matrix(below.data(), dense_);
      const double before = known(level) ? step.decay : 0;
      for (std::size_t k = 0; k < v.size(); ++k) {
        const double side = levels_.folded ? number(fold_sign(v[k])) : 1;
        inner[k] = static_cast<T>(number(v[k]) +
                                  step.correction * (side * number(below[k]) - before * number(g[k])));
      }
    }
    v = inner;
    fold_all(v);
    set(v);
  }

  // Row i becomes what row from[i] was.
  void take(const std::vector<std::uint32_t>& from) {
    gather(v, from, dim_);
    gather(g, from, dim_);
    set(v);
  }
  template <class List>
  static void gather(List& list, const std::vector<std::uint32_t>& from, std::size_t width) {
    const List old = list;
    for (std::size_t i = 0; i < from.size(); ++i) std::copy_n(&old[from[i] * width], width, &list[i * width]);
  }

  static double number(T x) { return static_cast<double>(x); }
  // alpha v + sigma^2 / alpha G, the estimate of element k at time 0
  double estimate(std::size_t level, std::size_t k) const {
    const double alpha = levels_.alpha[level], sigma = levels_.sigma[level];
    return alpha * number(v[k]) + (known(level) ? sigma * sigma / alpha * number(g[k]) : 0);
  }

  std::vector<T> v, g;

 private:
  void fold_all(std::vector<T>& list) const {
    if (levels_.folded)
      for (T& x : list) x = fold(x);
  }
  void set(const std::vector<T>& to) { backend_.upload_matrix(without_ones(state_.view()), to.data()); }

  Backend<T>& backend_;
  AffinePath<T> path_;
  const ReverseLevels& levels_;
  std::size_t count_, dim_;
  std::uint64_t seed_;
  Matrix<T> state_, dense_, zero_ended_;
  std::vector<double> above_;
};

// Particles, with their twists.
template <class T>
class TwistedParticles {
 public:
  TwistedParticles(Backend<T>& backend, LevelPath<T>& path, const ReverseLevels& levels,
                   const Condition& condition, std::size_t count, const TwistedOptions& options)
      : value(options.exact_steps ? count : 0),
        log_twist(count),
        roots(count),
        chain_(backend, path, levels, condition, count, options.seed),
        condition_(condition),
        exact_(options.exact_steps),
        scaled_(count * condition.fixed),
        single_(scaled_.size()),
        lift_(count * condition.dim()) {
    for (std::size_t i = 0; i < count; ++i) roots[i] = static_cast<std::uint32_t>(i);
    evaluate(levels.last());
  }

  // One step to the level below. after - before: the log weight of it.
  void step(std::size_t level, std::vector<double>& before, std::vector<double>& after) {
    const std::size_t d = condition_.dim(), fixed = condition_.fixed, count = chain_.size();
    const ReverseLevels& levels = chain_.levels();
    const ReverseStep s = levels.step(level, exact_);
    const double reach = exact_ ? 0 : s.push;  // of the field in the law that the weights stand for
    const double variance = s.deviation * s.deviation, pull = levels.alpha[level - 1] * variance;
    std::vector<T> mean(lift_.size());
    std::vector<double> base(lift_.size());
    for (std::size_t k = 0; k < lift_.size(); ++k) {
      const double v = number(chain_.v[k]), g = number(chain_.g[k]);
      mean[k] = static_cast<T>(s.decay * v + s.push * g + pull * lift_[k]);
      base[k] = s.decay * v + reach * g;
    }
    for (std::size_t i = 0; i < count; ++i) before[i] = (exact_ ? value[i] : 0) + log_twist[i];
    chain_.draw(mean, s.deviation, levels.last() - level);
    for (std::size_t i = 0; i < count; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const std::size_t k = i * d + j;
        const double from_mean = (number(chain_.v[k]) - number(mean[k])) / s.deviation;
        if (j < fixed && level == 1) {
          chain_.v[k] = static_cast<T>(condition_.whitened[j]);
          sum += log_set(condition_.whitened[j], base[k], s.deviation);
          continue;
        }
        double rest = 1;
        if (j < fixed) {
          rest = share_left(i * fixed + j, level, variance);
          chain_.v[k] = static_cast<T>(number(mean[k]) + rest * s.deviation * from_mean);
        }
        const double from_base = (number(chain_.v[k]) - base[k]) / s.deviation;
        sum += 0.5 * (from_mean * from_mean - from_base * from_base) + std::log(rest);
      }
      after[i] = sum;
    }
    chain_.finish(level, s);
    evaluate(level - 1);
    for (std::size_t i = 0; i < count; ++i) {
      after[i] += (exact_ ? value[i] : 0) + log_twist[i];
      if (!std::isfinite(before[i]) || !std::isfinite(after[i]))
        throw Error("DIVERGED", "a conditional sampler's weights left the finite numbers at noise level " +
                                    std::to_string(level - 1));
    }
  }

  // Particle i becomes what particle from[i] was.
  void take(const std::vector<std::uint32_t>& from) {
    chain_.take(from);
    for (auto* list : {&value, &log_twist})
      if (!list->empty()) chain_.gather(*list, from, 1);
    chain_.gather(single_, from, condition_.fixed);
    chain_.gather(lift_, from, condition_.dim());
    chain_.gather(roots, from, 1);
  }

  double coordinate(std::size_t particle, std::size_t j) const {
    return number(chain_.v[particle * condition_.dim() + j]);
  }

  std::vector<double> value, log_twist;  // F and log q, the latter but for a constant
  std::vector<std::uint32_t> roots;

 private:
  static double number(T x) { return static_cast<double>(x); }

  // What is known of the particles at a level.
  void evaluate(std::size_t level) {
    const std::size_t d = condition_.dim(), fixed = condition_.fixed;
    chain_.evaluate(level, exact_ ? value.data() : nullptr);
    std::fill(log_twist.begin(), log_twist.end(), 0.0);
    if (level == 0) return;
    const double sigma = chain_.levels().sigma[level], variance = sigma * sigma;
    for (std::size_t i = 0; i < chain_.size(); ++i)
      for (std::size_t j = 0; j < fixed; ++j)
        scaled_[i * fixed + j] =
            (seen_from(level, i, j, variance).mean - chain_.estimate(level, i * d + j)) / variance;
    lift(level);
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      const double wider = level == 1 ? 1 : width_along_residual(i);
      log_twist[i] -= 0.5 * std::log(wider);
      for (std::size_t j = 0; j < fixed; ++j) {
        const Images seen = seen_from(level, i, j, variance * wider);
        log_twist[i] += seen.log_sum - std::log(sigma);
        single_[i * fixed + j] = std::max(0.0, 1 / wider - seen.variance / (variance * wider * wider));
      }
      for (std::size_t j = 0; j < d; ++j) lift_[i * d + j] /= wider;
    }
  }

  // Fixed coordinate j of particle i from where it is expected, by a normal law.
  Images seen_from(std::size_t level, std::size_t i, std::size_t j, double variance) const {
    const double estimate = chain_.estimate(level, i * condition_.dim() + j), a = condition_.whitened[j];
    if (chain_.levels().folded) return images_of(a, estimate, variance);
    return {-0.5 * (a - estimate) * (a - estimate) / variance, a, 0};
  }

  // The variance of z_A about its estimate along the residual, over sigma^2: the estimate's Jacobian over
  // alpha. Where it is more than one, a is less far away than sigma says.
  double width_along_residual(std::size_t i) const {
    double along = 0, square = 0;
    for (std::size_t j = 0; j < condition_.fixed; ++j) {
      const double r = scaled_[i * condition_.fixed + j];
      along += r * lift_[i * condition_.dim() + j];
      square += r * r;
    }
    return square > 0 ? std::clamp(along / square, 1.0, 5.0) : 1;
  }

  // The share of its deviation that a fixed coordinate keeps, as a bridge to a does where the field has no
  // say.
  double share_left(std::size_t k, std::size_t level, double variance) const {
    const double alpha = chain_.levels().alpha[level - 1], sigma = chain_.levels().sigma[level - 1];
    return 1 / std::sqrt(1 + single_[k] * variance * alpha * alpha / (sigma * sigma));
  }

  // The log density of a coordinate that is set to a, by the last step, relative to the reference.
  double log_set(double a, double base, double deviation) const {
    if (chain_.levels().folded)
      return images_of(a, base, deviation * deviation).log_sum - std::log(deviation) - half_log_two_pi;
    const double from_base = (a - base) / deviation;
    return 0.5 * (a * a - from_base * from_base) - std::log(deviation);
  }

  // lift_ = the gradient of log q over alpha: the estimate's Jacobian, transposed, times the residual over
  // its variance
  void lift(std::size_t level) {
    const std::size_t d = condition_.dim(), fixed = condition_.fixed;
    std::vector<T> r(chain_.v.size(), T(0)), product(r.size(), T(0));
    for (std::size_t i = 0; i < chain_.size(); ++i)
      for (std::size_t j = 0; j < fixed; ++j) r[i * d + j] = static_cast<T>(scaled_[i * fixed + j]);
    double factor = 0;
    if (chain_.known(level)) {
      chain_.pull_back(level, r, product);
      const double ratio = chain_.levels().sigma[level] / chain_.levels().alpha[level];
      factor = ratio * ratio;
    }
    for (std::size_t k = 0; k < lift_.size(); ++k) lift_[k] = number(r[k]) + factor * number(product[k]);
  }

  ReverseChain<T> chain_;
  const Condition& condition_;
  bool exact_;
  std::vector<double> scaled_;  // a minus the estimate of z_A, over sigma^2
  std::vector<double> single_;  // the curvature of log q times sigma^2: less where a has many images
  std::vector<double> lift_;    // count x dim
};

}  // namespace

ReverseLevels::ReverseLevels(const OuLevels& levels)
    : alpha(levels.alpha), sigma(levels.sigma), time_(levels.time) {}

ReverseLevels ReverseLevels::of(Process process, const std::vector<double>& times) {
  if (!has_noise(process)) throw Error("VALUE", "the process has no stochastic steps that are known");
  if (!on_cube(process)) {
    std::vector<double> forward;
    for (double time : times) forward.push_back(OuProcess::forward_time(time));
    return OuLevels(forward);
  }
  if (times.size() < 3 || times[0] != 0) throw Error("VALUE", "expected at least 3 times, from 0 on");
  ReverseLevels levels;
  levels.folded = true;
  levels.alpha.assign(times.size(), 1.0);
  levels.sigma = times;
  for (std::size_t k = 0; k < times.size(); ++k) {
    if (k > 0 && !(times[k] > times[k - 1] && times[k] <= 1))
      throw Error("VALUE", "times of a reflection must increase, to at most 1");
    levels.time_.push_back(ReflectionProcess::forward_time(times[k]));
  }
  return levels;
}

ReverseStep ReverseLevels::step(std::size_t level, bool exact) const {
  const double h = time_[level] - time_[level - 1];
  if (folded) {
    ReverseStep s{1, std::sqrt(h), h, level == 1 ? 0 : 0.5 * h};
    return s;
  }
  ReverseStep s{std::exp(-h), std::sqrt(-std::expm1(-2 * h)), 0, 0};
  if (exact || level == 1) {
    // from pure noise the field has no say: 2 sinh(h) G vanishes there
    s.push = std::isinf(h) ? 0 : 2 * std::sinh(h);
  } else {
    s.correction = 0.5 * std::tanh(2 * h);
    s.push = 2 * s.correction * s.decay;
  }
  return s;
}

template <class T>
ConditionalSample conditional_twisted(Backend<T>& backend, LevelPath<T>& path, const ReverseLevels& levels,
                                      const Condition& condition, const TwistedOptions& options,
                                      std::size_t rows, const CancelFlag& cancel, const Fraction& progress) {
  const std::size_t count = options.particles * options.islands, d = condition.dim(), last = levels.last();
  if (count == 0) throw Error("VALUE", "expected at least one particle");
  if (path.dim() != d || path.last() != last)
    throw Error("SHAPE", "the condition or the levels are of another size than the path");
  TwistedParticles<T> particles(backend, path, levels, condition, count, options);
  ParticleWeights weights(options.islands, options.particles, options.seed);
  const std::vector<double> zero(count, 0.0);
  std::vector<double> before(count), after(count);
  weights.add(zero, particles.log_twist, 1);
  ConditionalSample result;
  for (std::size_t level = last; level > 0; --level) {
    cancel.check();
    if (weights.effective(zero, zero, 1) < options.least_share) particles.take(weights.resample());
    particles.step(level, before, after);
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

template ConditionalSample conditional_twisted(Backend<float>&, LevelPath<float>&, const ReverseLevels&,
                                               const Condition&, const TwistedOptions&, std::size_t,
                                               const CancelFlag&, const Fraction&);
template ConditionalSample conditional_twisted(Backend<double>&, LevelPath<double>&, const ReverseLevels&,
                                               const Condition&, const TwistedOptions&, std::size_t,
                                               const CancelFlag&, const Fraction&);

}  // namespace sklar
