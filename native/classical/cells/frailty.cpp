#include "classical/cells/frailty.hpp"

#include <cmath>

namespace sklar {

Unit RowDraws::next() {
  const bool fresh = taken_ % 2 == 0;
  if (fresh) bits_ = philox(philox_counter(row_, taken_ / 2, 0, kTagClassicalMixing), key_);
  ++taken_;
  return fresh ? uniform53(bits_.x, bits_.y) : uniform53(bits_.z, bits_.w);
}

double RowDraws::log_gamma(double shape) {
  // below one: Gamma(shape + 1) U^(1/shape)
  const double boost = shape < 1 ? next().log_p() / shape : 0;
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal_of(next()), root = 1 + c * x;
    const double log_u = next().log_p();
    if (root <= 0) continue;
    const double v = root * root * root;
    if (log_u < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v) + boost;
  }
}

double RowDraws::log_stable(double alpha) {
  if (alpha == 1) return 0;
  const double angle = M_PI * next().p, log_exponential = std::log(-next().log_p());
  return std::log(std::sin(alpha * angle)) - std::log(std::sin(angle)) / alpha +
         (1 - alpha) / alpha * (std::log(std::sin((1 - alpha) * angle)) - log_exponential);
}

double RowDraws::log_logarithmic(double theta) {
  const double log_share = -theta * next().p, log_q = log1m_exp(log_share);
  if (log_share < -37) return std::log(-next().log_p()) - log_share;  // far out whole numbers are dense
  return std::log(std::fmax(1, std::floor(1 + next().log_p() / log_q)));
}

double RowDraws::log_sibuya(double alpha) {
  const Unit u = next();
  if (u.p <= alpha) return 0;
  const double log_above = u.log_q(), log_gamma = std::lgamma(1 - alpha);
  const double log_v = -(log_above + log_gamma) / alpha;  // P(> v) ~ v^-alpha / Gamma(1 - alpha)
  if (log_v > 14) return log_v;
  const double v = std::fmax(1, std::floor(std::exp(log_v)));
  const double log_tail = std::lgamma(v + 1 - alpha) - std::lgamma(v + 1) - log_gamma;
  return std::log(log_tail > log_above ? v + 1 : v);
}

double RowDraws::log_geometric(double theta) {
  if (theta == 0) return 0;
  return std::log(std::fmax(1, std::ceil(next().log_p() / std::log(theta))));
}

}  // namespace sklar
