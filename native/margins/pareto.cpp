#include "margins/pareto.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "margins/margin.hpp"

namespace sklar {
namespace {

constexpr double greatest = std::numeric_limits<double>::max();

// docs/mathematics.md, N.3. One side: the law of the excesses over its threshold, cut off where the support
// ends.
class Side {
 public:
  // without a tail: beyond an infinite threshold nothing lies
  explicit Side(double threshold) : threshold_(threshold) {}
  // length: from the threshold to the end of the support
  Side(const ParetoTail& tail, double mass, double length)
      : threshold_(tail.threshold),
        scale_(tail.scale),
        law_{tail.shape},
        mass_(mass),
        cut_(std::isfinite(length) ? std::exp(law_.log_beyond(length / scale_)) : 0) {}

  double threshold() const { return threshold_; }
  double mass() const { return mass_; }
  // The mass at excesses above y.
  double beyond(double y) const {
    const double share = std::exp(law_.log_beyond(y / scale_));
    return mass_ * (cut_ > 0 ? std::fmax(0, share - cut_) / (1 - cut_) : share);
  }
  // The excess beyond which there is this much mass.
  double excess(double mass) const {
    const double share = mass / mass_;
    return scale_ * law_.excess(std::log(cut_ > 0 ? share * (1 - cut_) + cut_ : share));
  }
  double log_pdf(double y) const {
    return std::log(mass_) - std::log1p(-cut_) - std::log(scale_) + law_.log_pdf(y / scale_);
  }

 private:
  double threshold_, scale_ = 1;
  StandardPareto law_{0};
  double mass_ = 0, cut_ = 0;
};

class ParetoTails final : public Margin {
 public:
  ParetoTails(SharedMargin body, Support support, const ParetoTail* lower, const ParetoTail* upper)
      : body_(std::move(body)), support_(support) {
    if (lower) below_ = body_->level_before(lower->threshold).p;
    if (upper) above_ = body_->survival(upper->threshold);
    const auto mass = [](const ParetoTail& tail, double of_body) {
      return std::isnan(tail.mass) ? of_body : tail.mass;
    };
    if (lower) lower_ = {*lower, mass(*lower, below_), lower->threshold - support.first};
    if (upper) upper_ = {*upper, mass(*upper, above_), support.second - upper->threshold};
    const double inner = 1 - below_ - above_;
    if (lower_.mass() != below_ || upper_.mass() != above_)
      share_ = inner > 0 ? (1 - lower_.mass() - upper_.mass()) / inner : 0;
  }

  Support support() const override { return support_; }
  bool has_atoms() const override { return body_->has_atoms(); }
  bool is_atom(double x) const override { return !in_tail(x) && body_->is_atom(x); }
  Unit level(double x) const override { return in_tail(x) ? level_in_tail(x) : of_body(body_->level(x)); }
  Unit level_before(double x) const override {
    return in_tail(x) ? level_in_tail(x) : of_body(body_->level_before(x));
  }

  double inverse(Unit level) const override {
    if (!(level.p >= 0 && level.q >= 0)) return NAN;
    if (!(level.p > 0 && level.q > 0)) return end_of(support_, level);
    if (level.p < lower_.mass())
      return std::max({support_.first, -greatest, lower_.threshold() - lower_.excess(level.p)});
    if (level.q < upper_.mass())
      return std::min({support_.second, greatest, upper_.threshold() + upper_.excess(level.q)});
    if (share_ == 1) return body_->inverse(level);
    if (share_ == 0) return lower_.threshold();
    const Unit of_body = level.p < level.q ? unit_of(below_ + (level.p - lower_.mass()) / share_)
                                           : unit_above(above_ + (level.q - upper_.mass()) / share_);
    const double x = body_->inverse(of_body);
    return std::fmin(std::fmax(x, lower_.threshold()), upper_.threshold());
  }

  double log_pdf(double x) const override {
    if (x < support_.first || x > support_.second) return -INFINITY;
    if (x > upper_.threshold()) return upper_.log_pdf(x - upper_.threshold());
    if (x < lower_.threshold()) return lower_.log_pdf(lower_.threshold() - x);
    return body_->log_pdf(x) + std::log(share_);
  }

 private:
  bool in_tail(double x) const { return x > upper_.threshold() || x < lower_.threshold(); }
  Unit level_in_tail(double x) const {
    if (x > upper_.threshold())
      return unit_above(x >= support_.second ? 0 : upper_.beyond(x - upper_.threshold()));
    return unit_of(x <= support_.first ? 0 : lower_.beyond(lower_.threshold() - x));
  }
  // Between the thresholds, of the body's level.
  Unit of_body(Unit level) const {
    if (share_ == 1) return level;
    return level.p < level.q ? unit_of(lower_.mass() + share_ * (level.p - below_))
                             : unit_above(upper_.mass() + share_ * (level.q - above_));
  }

  SharedMargin body_;
  Support support_;
  Side lower_{-INFINITY}, upper_{INFINITY};
  double below_ = 0, above_ = 0;  // what the body has beyond the thresholds
  double share_ = 1;              // by which its mass between them is stretched
};

// The sum of log(1 + c y) for excesses y and |c| of at most 1000 over their mean, 1 + c y at least 1e-6.
// Every y is at most n means, so that products of eight factors stay in range and save seven logarithms.
double sum_log1p(const std::vector<double>& y, const std::vector<double>& weights, double c) {
  if (!weights.empty()) {
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += weights[i] * std::log1p(c * y[i]);
    return sum;
  }
  constexpr std::size_t lanes = 8;
  double sum = 0;
  std::size_t i = 0;
  for (; i + lanes * lanes <= y.size(); i += lanes * lanes) {
    double product[lanes];
    for (std::size_t k = 0; k < lanes; ++k) product[k] = 1 + c * y[i + k];
    for (std::size_t m = 1; m < lanes; ++m)
      for (std::size_t k = 0; k < lanes; ++k) product[k] *= 1 + c * y[i + m * lanes + k];
    for (const double factor : product) sum += std::log(factor);
  }
  for (; i < y.size(); ++i) sum += std::log1p(c * y[i]);
  return sum;
}

}  // namespace

SharedMargin make_pareto_tails(SharedMargin body, Support support, const ParetoTail* lower,
                               const ParetoTail* upper) {
  return std::make_shared<ParetoTails>(std::move(body), support, lower, upper);
}

ParetoFit fit_pareto(const std::vector<double>& excesses, const std::vector<double>& weights,
                     double least_shape) {
  if (excesses.empty()) throw Error("SHAPE", "expected an excess at least");
  if (!weights.empty() && weights.size() != excesses.size())
    throw Error("SHAPE", "expected a weight for every excess");
  const auto weight_of = [&](std::size_t i) { return weights.empty() ? 1.0 : weights[i]; };
  double n = 0, squares = 0, mean = 0, most = 0;
  for (std::size_t i = 0; i < excesses.size(); ++i) {
    n += weight_of(i);
    squares += weight_of(i) * weight_of(i);
  }
  for (std::size_t i = 0; i < excesses.size(); ++i) {
    mean += weight_of(i) * excesses[i] / n;
    most = std::max(most, excesses[i]);
  }
  const auto shape_at = [&](double theta) { return sum_log1p(excesses, weights, theta / mean) / n; };
  // the negative log likelihood of a row, up to a constant
  const auto loss = [&](double theta) {
    if (std::fabs(theta) < 1e-6) return 0.0;
    const double shape = shape_at(theta);
    return shape < least_shape ? INFINITY : std::log(shape / theta) + shape;
  };
  // in units of the mean theta lies above the negative inverse of the largest excess
  const double least = -mean / most;
  const auto at = [&](double t) { return least + std::exp(t); };
  constexpr int grid = 60;
  const double from = std::log(-least * 1e-6), to = std::log(1e3), step = (to - from) / grid;
  int best = 0;
  double least_loss = loss(at(from));
  for (int k = 1; k <= grid; ++k) {
    const double value = loss(at(from + k * step));
    if (value < least_loss) {
      best = k;
      least_loss = value;
    }
  }
  // golden section
  const double golden = (std::sqrt(5.0) - 1) / 2;
  double a = from + (best - 1) * step, b = from + (best + 1) * step;
  double c = b - golden * (b - a), d = a + golden * (b - a);
  double loss_c = loss(at(c)), loss_d = loss(at(d));
  for (int k = 0; k < 60; ++k) {
    if (loss_c < loss_d) {
      b = d;
      d = c;
      loss_d = loss_c;
      c = b - golden * (b - a);
      loss_c = loss(at(c));
    } else {
      a = c;
      c = d;
      loss_c = loss_d;
      d = a + golden * (b - a);
      loss_d = loss(at(d));
    }
  }
  const double theta = at((a + b) / 2);
  ParetoFit fit{mean, 0, 0};
  if (loss(theta) < 0) {
    fit.shape = shape_at(theta);
    fit.scale = fit.shape / theta * mean;
  }
  const StandardPareto law{fit.shape};
  const auto difference_at = [&](std::size_t i, double level) {
    return -std::expm1(law.log_beyond(excesses[i] / fit.scale)) - level;
  };
  if (weights.empty()) {
    fit.distance = 1 / (12 * n);
    for (std::size_t i = 0; i < excesses.size(); ++i) {
      const double difference = difference_at(i, (2 * static_cast<double>(i) + 1) / (2 * n));
      fit.distance += difference * difference;
    }
    return fit;
  }
  // the integral of (F_n - F)^2 dF_n's middle, times the rows that the weights are worth
  double below = 0;
  for (std::size_t i = 0; i < excesses.size(); ++i) {
    const double share = weights[i] / n, difference = difference_at(i, below + share / 2);
    fit.distance += share * (difference * difference + share * share / 12);
    below += share;
  }
  fit.distance *= n * n / squares;
  return fit;
}

}  // namespace sklar
