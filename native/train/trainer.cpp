#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/philox.h"

namespace sklar {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr double seconds_between_reports = 0.5;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// validation noise must not follow training noise
constexpr std::uint64_t validation_seed = 0x9e3779b97f4a7c15ull;

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
      validation_state_(backend.template buffer<TrainState>(1)),
      run_{{0, 0, unknown, 0, 0, false},
           unknown,
           0,
           0,
           options.steps,
           options.adam.rate.peak,
           false,
           options.adam.rate,
           0,
           0} {
  if (initial.size() != count_)
    throw Error("SHAPE",
                "expected " + std::to_string(count_) + " parameters, got " + std::to_string(initial.size()));
  for (auto* to : {&parameters_, &average_, &best_})
    backend.upload(to->data(), initial.data(), count_ * sizeof(T));
  options_.adam.gradient_scale = objective.gradient_scale();
  if (options.anneal) best_run_ = backend.template buffer<T>(3 * count_);
}

template <class T>
void Trainer<T>::set_data(MatrixView<const T> training, MatrixView<const T> validation) {
  data_ = training;
  validation_data_ = validation;
}

template <class T>
void Trainer<T>::differentiate() {
  network_.set_parameters(parameters_.data());
  objective_.differentiate(state_.data(), gradient_.data());
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
void Trainer<T>::optimise() {
  const AdamUpdate<T> own = update();
  backend_.adam({&own, 1}, count_);
}

template <class T>
void Trainer<T>::step() {
  Trainer* const self = this;
  step_together({&self, 1});
}

// The first one keeps the record.
template <class T>
void Trainer<T>::step_together(std::span<Trainer* const> trainers) {
  Trainer& first = *trainers[0];
  first.backend_.replay(first.step_, [&] {
    std::vector<TrainedModel<T>> models;
    std::vector<AdamUpdate<T>> updates;
    for (const Trainer* t : trainers) {
      models.push_back(t->model());
      updates.push_back(t->update());
    }
    if (!first.objective_.draw_and_differentiate(models))
      for (Trainer* t : trainers) {
        t->objective_.draw(t->data_, t->options_.seed, t->state_.data());
        t->differentiate();
      }
    first.backend_.adam(updates, first.count_);
  });
}

template <class T>
double Trainer<T>::validation_loss() {
  network_.set_parameters(averaged().data());
  const std::size_t batch = validation_->batch();
  const std::size_t draws = (validation_data_.rows * options_.validation_draws + batch - 1) / batch;
  double sum = 0;
  for (std::size_t i = 0; i < draws; ++i) {
    TrainState state{};
    state.step = i;  // the same rows, times and noise at every look
    backend_.upload(validation_state_.data(), &state, sizeof state);
    validation_->draw(validation_data_, options_.seed ^ validation_seed, validation_state_.data());
    validation_->evaluate(validation_state_.data());
    backend_.download(&state, validation_state_.data(), sizeof state);
    sum += validation_->loss(state);
  }
  return sum / static_cast<double>(draws);
}

// The latest look decides what is kept and, when it has not been better for long, how the run ends.
template <class T>
void Trainer<T>::look_at_validation(const TrainState& now) {
  TrainResult& result = run_.result;
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
      together[0]->step_.reset();
    }
    if (checkpoint_seconds > 0 && (cancel.cancelled() || seconds_since(last_snapshot) > checkpoint_seconds)) {
      for (const std::size_t i : going) trainers[i]->send_snapshot(seconds_since(start), watches[i]);
      last_snapshot = Clock::now();
    }
    cancel.check();
    const auto began = Clock::now();
    std::uint64_t steps = together[0]->steps_to_next_look();
    for (const Trainer* t : together) steps = std::min(steps, t->steps_to_next_look());
    for (std::uint64_t i = 0; i < steps; ++i) step_together(together);
    std::vector<TrainState> states;
    for (Trainer* t : together) states.push_back(t->state());
    const double seconds = seconds_since(began);
    for (std::size_t k = 0; k < going.size(); ++k) {
      Trainer& t = *together[k];
      t.run_.result.step_seconds += seconds;
      const bool annealed = t.run_.annealing;
      t.look(steps, states[k], seconds_since(start), watches[going[k]]);
      if (t.validates()) count_saturated(t);
      if (t.run_.annealing != annealed) together[0]->step_.reset();
    }
  }
}

// After so many more steps.
template <class T>
void Trainer<T>::look(std::uint64_t steps, const TrainState& now, double seconds, const Watch& watch) {
  TrainResult& result = run_.result;
  result.steps += steps;
  run_.since_report += steps;
  if (!std::isfinite(now.cross_entropy_sum) || !std::isfinite(now.squared_error_sum) ||
      !std::isfinite(now.gradient_norm))
    throw Error("DIVERGED", "the training loss is not finite at step " + std::to_string(result.steps) +
                                " (learning rate " + std::to_string(now.learning_rate) + ")");
  const bool last = result.steps == run_.end;
  if (validates() && (last || result.steps % options_.validate_every == 0)) look_at_validation(now);
  const bool scheduled = last || result.steps % options_.report_every == 0;
  if (!scheduled && seconds - run_.last_report <= seconds_between_reports) return;
  TrainState mean = now;
  mean.cross_entropy = now.cross_entropy_sum / static_cast<double>(run_.since_report);
  mean.squared_error = now.squared_error_sum / static_cast<double>(run_.since_report);
  const TrainReport report{
      result.steps,    mean.cross_entropy, mean.squared_error, objective_.loss(mean),
      run_.validation, now.learning_rate,  now.gradient_norm,  run_.seconds_before + seconds,
      scheduled};
  run_.last_report = seconds;
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
  result.saturated += state().saturated;
  result.seconds = run_.seconds_before + seconds;
  // what comes after training may be killed too
  if (options_.checkpoint_seconds > 0) send_snapshot(seconds, watch);
  return result;
}

template <class T>
void Trainer<T>::send_snapshot(double seconds, const Watch& watch) {
  run_.result.seconds = run_.seconds_before + seconds;
  if (watch.snapshot) watch.snapshot(snapshot());
}

template <class T>
bool Trainer<T>::validates() const {
  return validation_ && validation_data_.rows > 0 && options_.validate_every > 0;
}

// What happens at a step of its own (a look at the validation rows, a report, the end) is met exactly.
template <class T>
std::uint64_t Trainer<T>::steps_to_next_look() const {
  const std::uint64_t done = run_.result.steps;
  std::uint64_t steps = std::min<std::uint64_t>(run_.end - done, backend_.steps_between_looks());
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
  const Buffer<T>* parts[] = {&parameters_, &m_, &v_};
  for (std::size_t i = 0; i < 3; ++i)
    backend_.copy(best_run_.data() + i * count_, parts[i]->data(), count_ * sizeof(T));
}

template <class T>
void Trainer<T>::return_to_best() {
  Buffer<T>* parts[] = {&parameters_, &m_, &v_};
  for (std::size_t i = 0; i < 3; ++i)
    backend_.copy(parts[i]->data(), best_run_.data() + i * count_, count_ * sizeof(T));
  backend_.copy(average_.data(), best_.data(), count_ * sizeof(T));
}

template <class T>
TrainSnapshot<T> Trainer<T>::snapshot() {
  TrainSnapshot<T> s;
  const Buffer<T>* whole[] = {&parameters_, &m_, &v_, &average_, &best_};
  for (std::size_t i = 0; i < 5; ++i) s.tensors[i] = host(*whole[i]);
  if (options_.anneal) {
    const std::vector<T> run = host(best_run_);
    for (std::size_t i = 0; i < 3; ++i)
      s.tensors[5 + i].assign(run.begin() + static_cast<std::ptrdiff_t>(i * count_),
                              run.begin() + static_cast<std::ptrdiff_t>((i + 1) * count_));
  }
  const TrainState now = state();
  const TrainResult& r = run_.result;
  auto number = [](auto value) { return static_cast<double>(value); };
  s.scalars = {number(now.step),
               number(r.steps),
               number(r.best_step),
               r.best_validation,
               r.seconds,
               r.step_seconds,
               number(r.stopped_early),
               run_.validation,
               now.cross_entropy_sum,
               now.squared_error_sum,
               number(run_.since_report),
               number(run_.looks_without_gain),
               number(run_.end),
               run_.best_rate,
               number(run_.annealing),
               run_.rate.peak,
               run_.rate.final_fraction,
               number(run_.rate.warmup),
               number(run_.rate.total),
               number(run_.rate.start)};
  s.history = history_;
  return s;
}

template <class T>
void Trainer<T>::resume(const TrainSnapshot<T>& from) {
  const std::vector<double>& s = from.scalars;
  bool fits = s.size() == 20;
  for (std::size_t i = 0; i < from.tensors.size(); ++i)
    fits = fits && from.tensors[i].size() == (i < 5 || options_.anneal ? count_ : 0);
  if (!fits) throw Error("SHAPE", "the snapshot belongs to a run with other options");
  Buffer<T>* whole[] = {&parameters_, &m_, &v_, &average_, &best_};
  for (std::size_t i = 0; i < 5; ++i)
    backend_.upload(whole[i]->data(), from.tensors[i].data(), count_ * sizeof(T));
  for (std::size_t i = 5; i < from.tensors.size() && options_.anneal; ++i)
    backend_.upload(best_run_.data() + (i - 5) * count_, from.tensors[i].data(), count_ * sizeof(T));
  auto whole_number = [](double value) { return static_cast<std::uint64_t>(value); };
  TrainState now{};
  now.step = whole_number(s[0]);
  now.cross_entropy_sum = s[8];
  now.squared_error_sum = s[9];
  backend_.upload(state_.data(), &now, sizeof now);
  run_.result = {whole_number(s[1]), whole_number(s[2]), s[3], s[4], s[5], s[6] != 0};
  run_.seconds_before = run_.result.seconds;
  run_.validation = s[7];
  run_.since_report = whole_number(s[10]);
  run_.looks_without_gain = whole_number(s[11]);
  run_.end = whole_number(s[12]);
  run_.best_rate = s[13];
  run_.annealing = s[14] != 0;
  run_.rate = {s[15], s[16], whole_number(s[17]), whole_number(s[18]), whole_number(s[19])};
  step_.reset();
  options_.adam.rate = run_.rate;
  history_ = from.history;
}

template <class T>
TrainState Trainer<T>::state() {
  TrainState state;
  backend_.download(&state, state_.data(), sizeof state);
  return state;
}

template <class T>
std::vector<T> Trainer<T>::host(const Buffer<T>& b) {
  std::vector<T> values(b.size());
  backend_.download(values.data(), b.data(), values.size() * sizeof(T));
  return values;
}
template <class T>
std::vector<T> Trainer<T>::gradient() {
  std::vector<T> values = host(gradient_);
  for (T& g : values) g = static_cast<T>(static_cast<double>(g) / options_.adam.gradient_scale);
  return values;
}
template <class T>
std::vector<T> Trainer<T>::parameters() {
  return host(parameters_);
}
template <class T>
std::vector<T> Trainer<T>::best_parameters() {
  return host(best_);
}

template class Trainer<float>;
template class Trainer<double>;
template std::vector<float> initial_parameters(const std::vector<ParameterSlice>&, std::uint64_t, bool,
                                               std::size_t);
template std::vector<double> initial_parameters(const std::vector<ParameterSlice>&, std::uint64_t, bool,
                                                std::size_t);

}  // namespace sklar
