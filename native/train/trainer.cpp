#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/random/philox.h"

namespace sklar {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr double seconds_between_reports = 0.5;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

}  // namespace

template <class T>
std::vector<T> initial_parameters(const std::vector<ParameterSlice>& slices, std::uint64_t seed,
                                  bool zero_head, std::size_t members) {
  const PhiloxKey key = philox_key(seed);
  const std::size_t count = slices.back().offset + Network<T>::slice_size(slices.back());
  std::vector<T> values(count, T(0));
  const std::size_t each = slices.size() / members;
  for (std::size_t s = 0; s < slices.size(); ++s) {
    if (zero_head && s % each + 2 >= each) continue;
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
Trainer<T>::Trainer(Backend<T>& backend, Network<T>& network, Objective<T>& objective,
                    Objective<T>* validation, const TrainOptions& options, const std::vector<T>& initial)
    : backend_(backend),
      network_(network),
      objective_(objective),
      validation_(validation),
      options_(options),
      count_(network.parameter_count()),
      parameters_(backend.template buffer<T>(count_)),
      gradient_(backend.template buffer<T>(count_)),
      m_(backend.template buffer<T>(count_)),
      v_(backend.template buffer<T>(count_)),
      average_(backend.template buffer<T>(count_)),
      best_(backend.template buffer<T>(count_)),
      state_(backend.template buffer<TrainState>(1)),
      run_{{0, 0, unknown, 0, 0, false},
           unknown,
           0,
           0,
           options.steps,
           options.adam.rate.peak,
           false,
           options.adam.rate} {
  if (initial.size() != count_)
    throw Error("SHAPE",
                "expected " + std::to_string(count_) + " parameters, got " + std::to_string(initial.size()));
  for (auto* to : {&parameters_, &average_, &best_})
    backend.upload(to->data(), initial.data(), count_ * sizeof(T));
  options_.adam.gradient_scale = objective.gradient_scale();
  if (options.anneal)
    for (auto* buffer : {&best_parameters_, &best_m_, &best_v_}) *buffer = backend.template buffer<T>(count_);
}

template <class T>
void Trainer<T>::set_data(MatrixView<const T> training, MatrixView<const T> validation) {
  data_ = training;
  validation_data_ = validation;
  if (!validates()) return;
  const std::size_t batch = validation_->batch();
  std::vector<TrainState> states((validation.rows * options_.validation_draws + batch - 1) / batch);
  // the same rows, times and noise at every look
  for (std::size_t i = 0; i < states.size(); ++i) states[i].step = i;
  validation_states_ = backend_.template buffer<TrainState>(states.size());
  backend_.upload(validation_states_.data(), states.data(), states.size() * sizeof(TrainState));
}

template <class T>
TrainedModel<T> Trainer<T>::model() const {
  return {data_, options_.seed, parameters_.data(), gradient_.data(), state_.data()};
}

template <class T>
AdamUpdate<T> Trainer<T>::update() const {
  return {parameters_.data(), gradient_.data(), m_.data(),    v_.data(),
          average_.data(),    options_.adam,    state_.data()};
}

template <class T>
void Trainer<T>::step() {
  Trainer* const self = this;
  steps_together({&self, 1}, 1);
}

// The first one keeps the records: of one step, and of several.
template <class T>
void Trainer<T>::steps_together(std::span<Trainer* const> trainers, std::uint64_t steps) {
  Trainer& first = *trainers[0];
  const std::uint64_t several = first.backend_.steps_of_recording();
  for (; several > 1 && steps >= several; steps -= several)
    first.backend_.replay(first.several_steps_, [&] {
      for (std::uint64_t i = 0; i < several; ++i) step_together(trainers);
    });
  for (; steps > 0; --steps) first.backend_.replay(first.step_, [&] { step_together(trainers); });
}

template <class T>
void Trainer<T>::forget_recordings() {
  step_.reset();
  several_steps_.reset();
}

template <class T>
void Trainer<T>::step_together(std::span<Trainer* const> trainers) {
  Trainer& first = *trainers[0];
  std::vector<TrainedModel<T>> models;
  std::vector<AdamUpdate<T>> updates;
  for (const Trainer* t : trainers) {
    models.push_back(t->model());
    updates.push_back(t->update());
    if (t->fresh_) first.backend_.draw_tied(*t->fresh_);
  }
  if (!first.objective_.draw_and_differentiate(models))
    for (Trainer* t : trainers) {
      t->objective_.draw(t->data_, t->options_.seed, t->state_.data());
      t->network_.set_parameters(t->parameters_.data());
      t->objective_.differentiate(t->state_.data(), t->gradient_.data());
    }
  first.backend_.adam(updates, first.count_);
}

// Whether a look at the validation rows follows so many more steps.
template <class T>
bool Trainer<T>::validates_after(std::uint64_t steps) const {
  const std::uint64_t done = run_.result.steps + steps;
  return validates() && (done == run_.end || done % options_.validate_every == 0);
}

// The losses of the averaged parameters, one batch after the other.
template <class T>
void Trainer<T>::evaluate_validation() {
  network_.set_parameters(averaged().data());
  for (std::size_t i = 0; i < validation_states_.size(); ++i) {
    TrainState* const state = validation_states_.data() + i;
    validation_->draw(validation_data_, options_.seed ^ validation_seed, state);
    validation_->evaluate(state);
  }
}

// The same of all trainers and batches in a few operations; false where the device has none.
template <class T>
bool Trainer<T>::evaluate_together(std::span<Trainer* const> trainers) {
  std::vector<TrainedModel<T>> batches;
  for (const Trainer* t : trainers)
    for (std::size_t i = 0; i < t->validation_states_.size(); ++i)
      batches.push_back({t->validation_data_, t->options_.seed ^ validation_seed, t->averaged().data(),
                         nullptr, t->validation_states_.data() + i});
  for (std::size_t i = 0; i < batches.size(); i += most_models)
    if (!trainers[0]->validation_->draw_and_differentiate(
            {&batches[i], std::min(most_models, batches.size() - i)}))
      return false;
  return true;
}

template <class T>
double Trainer<T>::validation_loss() {
  double sum = 0;
  for (const TrainState& state : host(validation_states_)) sum += validation_->loss(state);
  return sum / static_cast<double>(validation_states_.size());
}

// The latest look decides what is kept and, when it has not been better for long, how the run ends.
template <class T>
void Trainer<T>::validate(const TrainState& now, bool evaluated) {
  TrainResult& result = run_.result;
  if (!evaluated) evaluate_validation();
  run_.validation = validation_loss();
  if (!(run_.validation >= result.best_validation)) {  // also when there is no best one yet
    result.best_validation = run_.validation;
    result.best_step = result.steps;
    run_.best_rate = now.learning_rate;
    run_.looks_without_gain = 0;
    remember_best();
    return;
  }
  if (!options_.patience || run_.annealing || ++run_.looks_without_gain < options_.patience) return;
  result.stopped_early = true;
  const std::uint64_t length = std::min(options_.anneal, options_.steps - result.steps);
  run_.annealing = length > 0;
  if (!run_.annealing) return;
  // what was lost since the best look is not worth keeping; a falling learning rate gets more out of it
  return_to_best();
  options_.adam.rate = run_.rate = {run_.best_rate, options_.adam.rate.final_fraction, 0, length, now.step};
  run_.end = result.steps + length;
}

template <class T>
TrainResult Trainer<T>::run(const CancelFlag& cancel, const Watch& watch) {
  Trainer* const self = this;
  return run_together({&self, 1}, cancel, {&watch, 1})[0];
}

template <class T>
std::vector<TrainResult> Trainer<T>::run_together(std::span<Trainer* const> trainers,
                                                  const CancelFlag& cancel, std::span<const Watch> watches) {
  const auto start = Clock::now();
  Backend<T>& backend = trainers[0]->backend_;
  const double checkpoint_seconds = trainers[0]->options_.checkpoint_seconds;
  // a step that was cut short could not be resumed
  backend.watch(checkpoint_seconds > 0 ? nullptr : &cancel);
  // what operations that know no model add to the backend's count is the trainer's that they were done for
  std::uint64_t counted = backend.saturated();
  const auto count_saturated = [&](Trainer& t) {
    const std::uint64_t now = backend.saturated();
    t.run_.result.saturated += now - counted;
    counted = now;
  };

  for (std::size_t i = 0; i < trainers.size(); ++i) {
    trainers[i]->look_at_start(seconds_since(start), watches[i]);
    count_saturated(*trainers[i]);
  }
  std::vector<TrainResult> results(trainers.size());
  std::vector<std::size_t> going(trainers.size());
  std::iota(going.begin(), going.end(), std::size_t{0});
  std::vector<Trainer*> together;
  auto last_snapshot = start;
  for (;;) {
    std::erase_if(going, [&](std::size_t i) {
      Trainer& t = *trainers[i];
      if (t.goes_on()) return false;
      count_saturated(t);
      results[i] = t.end(seconds_since(start), watches[i]);
      return true;
    });
    if (going.empty()) return results;
    if (going.size() != together.size()) {
      together.clear();
      for (const std::size_t i : going) together.push_back(trainers[i]);
      together[0]->forget_recordings();
    }
    if (checkpoint_seconds > 0 && (cancel.cancelled() || seconds_since(last_snapshot) > checkpoint_seconds)) {
      for (const std::size_t i : going) {
        count_saturated(*trainers[i]);
        trainers[i]->send_snapshot(seconds_since(start), watches[i]);
      }
      last_snapshot = Clock::now();
    }
    cancel.check();
    const auto began = Clock::now();
    std::uint64_t steps = together[0]->steps_to_next_stop();
    for (const Trainer* t : together) steps = std::min(steps, t->steps_to_next_stop());
    steps_together(together, steps);
    std::vector<TrainState> states;
    for (Trainer* t : together) states.push_back(t->state());
    const double seconds = seconds_since(began);
    std::vector<Trainer*> validating;
    for (Trainer* t : together)
      if (t->validates_after(steps)) validating.push_back(t);
    const bool evaluated = !validating.empty() && evaluate_together(validating);
    for (std::size_t k = 0; k < going.size(); ++k) {
      Trainer& t = *together[k];
      t.run_.result.step_seconds += seconds;
      const bool annealed = t.run_.annealing;
      t.after_steps(steps, states[k], evaluated, seconds_since(start), watches[going[k]]);
      if (t.validates()) count_saturated(t);
      if (t.run_.annealing != annealed) together[0]->forget_recordings();
    }
  }
}

// Before the first step.
template <class T>
void Trainer<T>::look_at_start(double seconds, const Watch& watch) {
  if (!options_.look_first || !validates() || run_.result.steps > 0) return;
  validate(state(), false);
  run_.best_rate = options_.adam.rate.peak;  // no step had a rate yet
  tell_step({}, run_.validation, seconds, watch);
}

template <class T>
void Trainer<T>::tell_step(const TrainState& now, double validation_loss, double seconds,
                           const Watch& watch) {
  if (!options_.watch_steps || !watch.step) return;
  watch.step({run_.result.steps, now.cross_entropy, now.squared_error, objective_.loss(now), validation_loss,
              now.learning_rate, now.gradient_norm, seconds_before_ + seconds, false});
}

// After so many more steps.
template <class T>
void Trainer<T>::after_steps(std::uint64_t steps, const TrainState& now, bool evaluated, double seconds,
                             const Watch& watch) {
  TrainResult& result = run_.result;
  const bool validating = validates_after(steps);
  result.steps += steps;
  run_.since_report += steps;
  if (!std::isfinite(now.cross_entropy_sum) || !std::isfinite(now.squared_error_sum) ||
      !std::isfinite(now.gradient_norm)) {
    tell_step(now, unknown, seconds, watch);
    throw Error("DIVERGED", "the training loss is not finite at step " + std::to_string(result.steps) +
                                " (learning rate " + std::to_string(now.learning_rate) + ")");
  }
  const bool last = result.steps == run_.end;
  if (validating) validate(now, evaluated);
  tell_step(now, validating ? run_.validation : unknown, seconds, watch);
  const bool scheduled = last || result.steps % options_.report_every == 0;
  if (!scheduled && seconds - last_report_ <= seconds_between_reports) return;
  TrainState mean = now;
  mean.cross_entropy = now.cross_entropy_sum / static_cast<double>(run_.since_report);
  mean.squared_error = now.squared_error_sum / static_cast<double>(run_.since_report);
  const TrainReport report{result.steps,          mean.cross_entropy,        mean.squared_error,
                           objective_.loss(mean), run_.validation,           now.learning_rate,
                           now.gradient_norm,     seconds_before_ + seconds, scheduled};
  last_report_ = seconds;
  if (scheduled) {
    history_.push_back(report);
    clear_sums();
    run_.since_report = 0;
  }
  if (watch.report) watch.report(report);
}

template <class T>
TrainResult Trainer<T>::end(double seconds, const Watch& watch) {
  TrainResult& result = run_.result;
  if (!validates()) {
    backend_.copy(best_.data(), averaged().data(), count_ * sizeof(T));
    result.best_step = result.steps;
  }
  result.seconds = seconds_before_ + seconds;
  // what comes after training may be killed too
  if (options_.checkpoint_seconds > 0) send_snapshot(seconds, watch);
  TrainResult all = result;
  all.saturated = saturated();
  return all;
}

// With what the device has counted since the start or the resumption.
template <class T>
std::uint64_t Trainer<T>::saturated() {
  std::uint64_t count = run_.result.saturated + state().saturated;
  for (const TrainState& batch : host(validation_states_)) count += batch.saturated;
  return count;
}

template <class T>
bool Trainer<T>::validates() const {
  return validation_ && validation_data_.rows > 0 && options_.validate_every > 0;
}

// What happens at a step of its own (a look at the validation rows, a report, the end) is met exactly.
template <class T>
std::uint64_t Trainer<T>::steps_to_next_stop() const {
  const std::uint64_t done = run_.result.steps;
  std::uint64_t steps = std::min<std::uint64_t>(run_.end - done, backend_.steps_between_waits());
  if (options_.watch_steps) return 1;
  steps = std::min(steps, options_.report_every - done % options_.report_every);
  if (validates()) steps = std::min(steps, options_.validate_every - done % options_.validate_every);
  return steps;
}

template <class T>
void Trainer<T>::clear_sums() {
  TrainState now = state();
  now.cross_entropy_sum = now.squared_error_sum = 0;
  backend_.upload(state_.data(), &now, sizeof now);
}

template <class T>
void Trainer<T>::remember_best() {
  backend_.copy(best_.data(), averaged().data(), count_ * sizeof(T));
  if (!options_.anneal) return;
  backend_.copy(best_parameters_.data(), parameters_.data(), count_ * sizeof(T));
  backend_.copy(best_m_.data(), m_.data(), count_ * sizeof(T));
  backend_.copy(best_v_.data(), v_.data(), count_ * sizeof(T));
}

template <class T>
void Trainer<T>::return_to_best() {
  backend_.copy(parameters_.data(), best_parameters_.data(), count_ * sizeof(T));
  backend_.copy(m_.data(), best_m_.data(), count_ * sizeof(T));
  backend_.copy(v_.data(), best_v_.data(), count_ * sizeof(T));
  backend_.copy(average_.data(), best_.data(), count_ * sizeof(T));
}

template <class T>
TrainState Trainer<T>::state() {
  TrainState state;
  backend_.download(&state, state_.data(), sizeof state);
  return state;
}

template <class T>
std::vector<T> Trainer<T>::best_parameters() {
  return host(best_);
}

template class Trainer<float>;
template std::vector<float> initial_parameters(const std::vector<ParameterSlice>&, std::uint64_t, bool,
                                               std::size_t);
template std::vector<double> initial_parameters(const std::vector<ParameterSlice>&, std::uint64_t, bool,
                                                std::size_t);

}  // namespace sklar
