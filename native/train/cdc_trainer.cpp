#include "train/cdc_trainer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/philox.h"

namespace sklar {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr double seconds_between_reports = 0.5;

// validation noise must not follow training noise
constexpr std::uint64_t validation_seed = 0x9e3779b97f4a7c15ull;

}  // namespace

template <class T>
std::vector<T> initial_parameters(const std::vector<ParameterSlice>& slices, std::uint64_t seed,
                                  bool zero_head) {
  const PhiloxKey key = philox_key(seed);
  const std::size_t count = slices.back().offset + Network<T>::slice_size(slices.back());
  std::vector<T> values(count, T(0));
  for (std::size_t s = 0; s < slices.size() - (zero_head ? 2 : 0); ++s) {
    const double bound = 1 / std::sqrt(static_cast<double>(slices[s].fan_in));
    for (std::size_t i = 0; i < Network<T>::slice_size(slices[s]); ++i) {
      const std::size_t at = slices[s].offset + i;
      const PhiloxBlock block =
          philox(philox_counter(0, static_cast<std::uint32_t>(at / 4), 0, kTagInitialParameters), key);
      const std::uint32_t word[4] = {block.x, block.y, block.z, block.w};
      values[at] = static_cast<T>(bound * (2 * static_cast<double>(philox_uniform(word[at % 4])) - 1));
    }
  }
  return values;
}

template <class T>
CdcTrainer<T>::CdcTrainer(Backend<T>& backend, Network<T>& network, const OuLevels& levels,
                          const TrainOptions& options, const std::vector<T>& initial,
                          const std::vector<T>& covariance)
    : backend_(backend),
      network_(network),
      levels_(levels),
      options_(options),
      count_(network.parameter_count()),
      parameters_(backend.template buffer<T>(count_)),
      gradient_(backend.template buffer<T>(count_)),
      m_(backend.template buffer<T>(count_)),
      v_(backend.template buffer<T>(count_)),
      average_(backend.template buffer<T>(count_)),
      best_(backend.template buffer<T>(count_)),
      state_(backend.template buffer<TrainState>(1)),
      validation_state_(backend.template buffer<TrainState>(1)),
      objective_(backend, network, levels, options.batch, covariance) {
  if (initial.size() != count_)
    throw Error("SHAPE",
                "expected " + std::to_string(count_) + " parameters, got " + std::to_string(initial.size()));
  for (auto* to : {&parameters_, &average_, &best_})
    backend.upload(to->data(), initial.data(), count_ * sizeof(T));
  if (options.stratified_levels)
    objective_.use_stratified_levels(options.cross_entropy_weight);
  else
    objective_.use_published_levels(options.cross_entropy_weight);
}

template <class T>
void CdcTrainer<T>::set_data(MatrixView<const T> training, MatrixView<const T> validation) {
  data_ = training;
  validation_data_ = validation;
  if (validation.rows == 0) return;
  const std::size_t batch =
      std::min(std::max<std::size_t>(options_.batch, 8), validation.rows * options_.validation_draws);
  validation_ = std::make_unique<CdcObjective<T>>(backend_, network_, levels_, batch, std::vector<T>{});
  validation_->use_stratified_levels(options_.cross_entropy_weight);
}

template <class T>
void CdcTrainer<T>::differentiate() {
  network_.set_parameters(parameters_.data());
  objective_.differentiate(state_.data(), gradient_.data());
}

template <class T>
void CdcTrainer<T>::optimise() {
  backend_.adam(parameters_.data(), gradient_.data(), m_.data(), v_.data(), average_.data(), count_,
                options_.adam, state_.data());
}

template <class T>
void CdcTrainer<T>::step() {
  objective_.draw(data_, options_.seed, state_.data());
  differentiate();
  optimise();
}

template <class T>
double CdcTrainer<T>::validation_loss() {
  network_.set_parameters(averaged().data());
  const std::size_t batch = validation_->batch();
  const std::size_t draws = (validation_data_.rows * options_.validation_draws + batch - 1) / batch;
  double sum = 0;
  for (std::size_t i = 0; i < draws; ++i) {
    TrainState state{};
    state.step = i;  // the same rows, levels and noise at every look
    backend_.upload(validation_state_.data(), &state, sizeof state);
    validation_->draw(validation_data_, options_.seed ^ validation_seed, validation_state_.data());
    validation_->evaluate(validation_state_.data());
    backend_.download(&state, validation_state_.data(), sizeof state);
    sum += options_.cross_entropy_weight * state.cross_entropy + state.squared_error;
  }
  return sum / static_cast<double>(draws);
}

template <class T>
TrainResult CdcTrainer<T>::run(const CancelFlag& cancel,
                               const std::function<void(const TrainReport&)>& report) {
  const auto start = Clock::now();
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  TrainResult result{0, 0, unknown, 0, 0, false};
  double validation = unknown, entropy = 0, squares = 0;
  std::uint64_t since_report = 0, looks_without_gain = 0;
  auto last_report = start;
  std::uint64_t end = options_.steps;
  double best_rate = options_.adam.rate.peak;
  bool annealing = false;
  while (result.steps < end) {
    cancel.check();
    const auto began = Clock::now();
    step();
    result.step_seconds += seconds_since(began);
    ++result.steps;
    ++since_report;
    const TrainState now = state();
    entropy += now.cross_entropy;
    squares += now.squared_error;
    if (!std::isfinite(now.cross_entropy) || !std::isfinite(now.squared_error) ||
        !std::isfinite(now.gradient_norm))
      throw Error("DIVERGED", "the training loss is not finite at step " + std::to_string(result.steps) +
                                  " (learning rate " + std::to_string(now.learning_rate) + ")");
    const bool last = result.steps == end;
    if (validation_ && options_.validate_every && (last || result.steps % options_.validate_every == 0)) {
      validation = validation_loss();
      if (!(validation >= result.best_validation)) {  // also when there is no best one yet
        result.best_validation = validation;
        result.best_step = result.steps;
        best_rate = now.learning_rate;
        looks_without_gain = 0;
        remember_best();
      } else if (options_.patience && !annealing && ++looks_without_gain >= options_.patience) {
        result.stopped_early = true;
        const std::uint64_t length = std::min(options_.anneal, options_.steps - result.steps);
        annealing = length > 0;
        if (annealing) {
          // what was lost since the best look is not worth keeping; a falling learning rate gets more out of
          // it
          return_to_best();
          options_.adam.rate = {best_rate, options_.adam.rate.final_fraction, 0, length, now.step};
          end = result.steps + length;
        }
      }
    }
    const bool scheduled = last || result.steps % options_.report_every == 0;
    if (scheduled || seconds_since(last_report) > seconds_between_reports) {
      const double n = static_cast<double>(since_report);
      if (report)
        report({result.steps, entropy / n, squares / n,
                (options_.cross_entropy_weight * entropy + squares) / n, validation, now.learning_rate,
                now.gradient_norm, seconds_since(start), scheduled});
      last_report = Clock::now();
      if (scheduled) {
        entropy = squares = 0;
        since_report = 0;
      }
    }
    if (result.stopped_early && !annealing) break;
  }
  if (!validation_ || !options_.validate_every) {
    backend_.copy(best_.data(), averaged().data(), count_ * sizeof(T));
    result.best_step = result.steps;
  }
  result.seconds = seconds_since(start);
  return result;
}

template <class T>
void CdcTrainer<T>::remember_best() {
  backend_.copy(best_.data(), averaged().data(), count_ * sizeof(T));
  if (!options_.anneal) return;
  if (!best_run_) best_run_ = backend_.template buffer<T>(3 * count_);
  const Buffer<T>* parts[] = {&parameters_, &m_, &v_};
  for (std::size_t i = 0; i < 3; ++i)
    backend_.copy(best_run_.data() + i * count_, parts[i]->data(), count_ * sizeof(T));
}

template <class T>
void CdcTrainer<T>::return_to_best() {
  Buffer<T>* parts[] = {&parameters_, &m_, &v_};
  for (std::size_t i = 0; i < 3; ++i)
    backend_.copy(parts[i]->data(), best_run_.data() + i * count_, count_ * sizeof(T));
  backend_.copy(average_.data(), best_.data(), count_ * sizeof(T));
}

template <class T>
TrainState CdcTrainer<T>::state() {
  TrainState state;
  backend_.download(&state, state_.data(), sizeof state);
  return state;
}

template <class T>
std::vector<T> CdcTrainer<T>::host(const Buffer<T>& b) {
  std::vector<T> values(b.size());
  backend_.download(values.data(), b.data(), values.size() * sizeof(T));
  return values;
}
template <class T>
std::vector<T> CdcTrainer<T>::gradient() {
  return host(gradient_);
}
template <class T>
std::vector<T> CdcTrainer<T>::parameters() {
  return host(parameters_);
}
template <class T>
std::vector<T> CdcTrainer<T>::best_parameters() {
  return host(best_);
}

template class CdcTrainer<float>;
template class CdcTrainer<double>;
template std::vector<float> initial_parameters(const std::vector<ParameterSlice>&, std::uint64_t, bool);
template std::vector<double> initial_parameters(const std::vector<ParameterSlice>&, std::uint64_t, bool);

}  // namespace sklar
