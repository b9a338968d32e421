#include "margins/pareto.hpp"

#include <cmath>

#include "core/error.hpp"
#include "margins/margin.hpp"

namespace sklar {
namespace {

// log(1 + shape y) / shape, of a y in scales; y itself at shape 0.
double stretched(double y, double shape) {
  return std::fabs(shape) < 1e-12 ? y : std::log1p(shape * y) / shape;
}

bool inside(double y, const ParetoTail& tail) { return 1 + tail.shape * y / tail.scale > 0; }

// The share of excesses above y.
double beyond(double y, const ParetoTail& tail) {
  return inside(y, tail) ? std::exp(-stretched(y / tail.scale, tail.shape)) : 0;
}

// The excess that this share exceeds.
double excess(double share, const ParetoTail& tail) {
  const double log = -std::log(share);
  return tail.scale * (std::fabs(tail.shape) < 1e-12 ? log : std::expm1(tail.shape * log) / tail.shape);
}

double log_pdf_of(double y, const ParetoTail& tail) {
  return inside(y, tail) ? -std::log(tail.scale) - (1 + tail.shape) * stretched(y / tail.scale, tail.shape)
                         : -INFINITY;
}

class ParetoTails final : public Margin {
 public:
  ParetoTails(SharedMargin body, Support support, const ParetoTail* lower, const ParetoTail* upper)
      : body_(std::move(body)), support_(support) {
    if (lower) lower_ = {*lower, body_->cdf(lower->threshold)};
    if (upper) upper_ = {*upper, body_->survival(upper->threshold)};
  }

  Support support() const override { return support_; }
  bool has_atoms() const override { return body_->has_atoms(); }
  bool is_atom(double x) const override {
    return x >= lower_.law.threshold && x <= upper_.law.threshold && body_->is_atom(x);
  }
  Unit level(double x) const override { return in_tail(x) ? level_in_tail(x) : body_->level(x); }
  Unit level_before(double x) const override {
    return in_tail(x) ? level_in_tail(x) : body_->level_before(x);
  }

  double inverse(Unit level) const override {
    if (level.p >= 0 && level.p < lower_.mass)
      return std::max(support_.first, lower_.law.threshold - excess(level.p / lower_.mass, lower_.law));
    if (level.q >= 0 && level.q < upper_.mass)
      return std::min(support_.second, upper_.law.threshold + excess(level.q / upper_.mass, upper_.law));
    return body_->inverse(level);
  }

  double log_pdf(double x) const override {
    if (x > upper_.law.threshold)
      return std::log(upper_.mass) + log_pdf_of(x - upper_.law.threshold, upper_.law);
    if (x < lower_.law.threshold)
      return std::log(lower_.mass) + log_pdf_of(lower_.law.threshold - x, lower_.law);
    return body_->log_pdf(x);
  }

 private:
  bool in_tail(double x) const { return x > upper_.law.threshold || x < lower_.law.threshold; }
  Unit level_in_tail(double x) const {
    if (x > upper_.law.threshold)
      return unit_above(upper_.mass * beyond(x - upper_.law.threshold, upper_.law));
    return unit_of(lower_.mass * beyond(lower_.law.threshold - x, lower_.law));
  }

  struct Side {
    ParetoTail law;
    double mass;
  };
  SharedMargin body_;
  Support support_;
  // without a tail: beyond an infinite threshold nothing lies
  Side lower_{{-INFINITY, 1, 0}, 0}, upper_{{INFINITY, 1, 0}, 0};
};

// The sum of log(1 + c y) for excesses y and |c| of at most 1000 over their mean, 1 + c y at least 1e-6.
// Every y is at most n means, so that products of eight factors stay in range and save seven logarithms.
double sum_log1p(const std::vector<double>& y, double c) {
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

ParetoFit fit_pareto(const std::vector<double>& excesses, double least_shape) {
  if (excesses.empty()) throw Error("SHAPE", "expected an excess at least");
  const auto n = static_cast<double>(excesses.size());
  double mean = 0, most = 0;
  for (const double y : excesses) {
    mean += y / n;
    most = std::max(most, y);
  }
  const auto shape_at = [&](double theta) { return sum_log1p(excesses, theta / mean) / n; };
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
  fit.distance = 1 / (12 * n);
  const ParetoTail tail{0, fit.scale, fit.shape};
  for (std::size_t i = 0; i < excesses.size(); ++i) {
    const double level = (2 * static_cast<double>(i) + 1) / (2 * n);
    const double difference = 1 - beyond(excesses[i], tail) - level;
    fit.distance += difference * difference;
  }
  return fit;
}

}  // namespace sklar
