#include "integrate/steps/step_control.hpp"

#include <algorithm>
#include <cmath>

namespace sklar {
namespace {

constexpr double safety = 0.9, smallest_factor = 0.2, largest_factor = 10;
constexpr double least_error = 1e-10;    // of a step that is judged, so that powers stay finite
constexpr double shortest_step = 1e-12;  // of the whole way
constexpr std::uint64_t most_attempts = 100000;

}  // namespace

StepControl::StepControl(std::size_t rows, double start, double end, double first_step, const Gains& gains)
    : end_(end),
      span_(std::abs(end - start)),
      gains_(gains),
      running_(start == end ? 0 : rows),
      at_(rows, start),
      size_(rows, std::min(std::abs(first_step), span_)),
      before_(rows, 1.0),
      before_that_(rows, 1.0),
      attempts_(rows, 0),
      stuck_(rows, 0) {}

double StepControl::next(std::size_t i) const {
  const double left = std::abs(end_ - at_[i]);
  // a remainder too short for a step of its own is taken along
  if (size_[i] >= left * (1 - 1e-9)) return end_;
  return at_[i] + std::copysign(size_[i], end_ - at_[i]);
}

bool StepControl::judge(std::size_t i, double error) {
  ++attempts_[i];
  const bool finite = std::isfinite(error), good = finite && error < 1;
  double factor = smallest_factor;
  if (finite) {
    error = std::max(error, least_error);
    const auto& g = gains_;
    factor = safety * std::pow(error, -(g.proportional + g.integral + g.derivative) / g.order) *
             std::pow(before_[i], (g.proportional + 2 * g.derivative) / g.order) *
             std::pow(before_that_[i], -g.derivative / g.order);
    factor = std::clamp(factor, smallest_factor, good ? largest_factor : 1.0);
    // what was rejected must get shorter
    if (!good) factor = std::min(factor, safety);
  }
  const double tried = std::abs(step(i));
  if (good) {
    at_[i] = next(i);
    before_that_[i] = before_[i];
    before_[i] = error;
    if (done(i)) --running_;
  }
  size_[i] = tried * factor;
  if (!done(i) && (size_[i] < shortest_step * span_ || attempts_[i] >= most_attempts)) stuck_[i] = 1;
  return good;
}

void StepControl::keep(const std::vector<std::uint32_t>& rows) {
  auto pick = [&](auto& values) {
    for (std::size_t k = 0; k < rows.size(); ++k) values[k] = values[rows[k]];
    values.resize(rows.size());
  };
  pick(at_);
  pick(size_);
  pick(before_);
  pick(before_that_);
  pick(attempts_);
  pick(stuck_);
}

}  // namespace sklar
