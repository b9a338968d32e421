#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/threads/cancel.hpp"
#include "nn/network.hpp"
#include "train/objective.hpp"
#include "train/snapshot.hpp"
#include "train/tied_rows.hpp"

namespace sklar {

// Draws for the validation rows must not follow those for the training rows: their seed is `seed ^` this.
constexpr std::uint64_t validation_seed = 0x9e3779b97f4a7c15ull;

struct TrainOptions {
  std::uint64_t steps = 0;
  std::uint64_t seed = 0;
  AdamOptions adam{};
  std::uint64_t validate_every = 0;  // steps between looks at the validation rows; 0: never
  std::uint64_t patience = 0;        // looks without improvement after which training ends; 0: never
  // steps of the ending: from the best look on, with the learning rate falling to its end
  std::uint64_t anneal = 0;
  std::size_t validation_draws = 1;  // times every validation row is noised
  std::uint64_t report_every = 1;
  double checkpoint_seconds = 0;  // between two snapshots; 0: none, not even when cancelled
  bool watch_steps = false;       // tell of every step, for which the host waits after each
  bool look_first = false;  // at the validation rows before the first step: initial parameters may be best
};

// Trains the parameters of a network: batches, Adam, the running average, early stopping. What it returns is
// the average of the parameters at its best look at the validation rows (at the end, without validation
// rows).
template <class T>
class Trainer {
 public:
  // objective and validation (null: none) belong to the network and outlive the trainer, as the data do
  Trainer(Backend<T>& backend, Network<T>& network, Objective<T>& objective, Objective<T>* validation,
          const TrainOptions& options, const std::vector<T>& initial_parameters);

  // rows x dim, in the network's coordinates, backend memory
  void set_data(MatrixView<const T> training, MatrixView<const T> validation);

  // Rows of the training data whose recurring values get fresh levels in every step.
  void set_tied_rows(const TiedRows<T>& rows) { fresh_ = rows.of_step(state_.data()); }

  void step();
  struct Watch {
    std::function<void(const TrainReport&)> report;
    std::function<void(TrainSnapshot<T>)> snapshot;
    // losses of one step's batch; the validation loss is NaN where no look followed it
    std::function<void(const TrainReport&)> step;
  };
  TrainResult run(const CancelFlag& cancel, const Watch& watch);
  // Runs trainers that differ in parameters, data and seed alone, in lock step, each to an end of its own: a
  // step of all is one operation where the device has one for the objective, which, like network and
  // validation, is the first one's. The results are those of each alone.
  static std::vector<TrainResult> run_together(std::span<Trainer* const> trainers, const CancelFlag& cancel,
                                               std::span<const Watch> watches);
  void resume(const TrainSnapshot<T>& from);  // before run

  TrainSnapshot<T> snapshot();
  std::vector<T> best_parameters();  // what training is for
  const std::vector<TrainReport>& history() const { return history_; }

 private:
  template <class U>
  std::vector<U> host(const Buffer<U>& b) {
    std::vector<U> values(b.size());
    if (b) backend_.download(values.data(), b.data(), values.size() * sizeof(U));
    return values;
  }
  static void step_together(std::span<Trainer* const> trainers);
  static void steps_together(std::span<Trainer* const> trainers, std::uint64_t steps);
  void forget_recordings();
  TrainedModel<T> model() const;
  AdamUpdate<T> update() const;
  bool validates() const;
  bool goes_on() const { return run_.result.steps < run_.end && !ended_early(); }
  bool ended_early() const { return run_.result.stopped_early && !run_.annealing; }
  std::uint64_t steps_to_next_stop() const;
  bool validates_after(std::uint64_t steps) const;
  static bool evaluate_together(std::span<Trainer* const> trainers);
  void evaluate_validation();
  void after_steps(std::uint64_t steps, const TrainState& now, bool evaluated, double seconds,
                   const Watch& watch);
  TrainResult end(double seconds, const Watch& watch);
  void send_snapshot(double seconds, const Watch& watch);
  void clear_sums();
  void validate(const TrainState& now, bool evaluated);
  double validation_loss();
  void look_at_start(double seconds, const Watch& watch);
  void tell_step(const TrainState& now, double validation_loss, double seconds, const Watch& watch);
  void remember_best();
  void return_to_best();
  TrainState state();
  std::uint64_t saturated();
  std::array<const Buffer<T>*, 8> kept() const;
  const Buffer<T>& averaged() const { return options_.adam.ema_decay > 0 ? average_ : parameters_; }

  Backend<T>& backend_;
  Network<T>& network_;
  Objective<T>& objective_;
  Objective<T>* validation_;
  TrainOptions options_;
  std::size_t count_;
  Buffer<T> parameters_, gradient_, m_, v_, average_, best_;
  Buffer<T> best_parameters_, best_m_, best_v_;   // at the best look, for the ending
  Buffer<TrainState> state_, validation_states_;  // of each batch of a look
  std::unique_ptr<Recording> step_, several_steps_;
  MatrixView<const T> data_, validation_data_;
  std::optional<TiedDraw<T>> fresh_;
  TrainProgress run_;
  double seconds_before_ = 0, last_report_ = 0;  // of earlier runs; since the start of this one
  std::vector<TrainReport> history_;
};

// Uniform within +-1/sqrt(fan in) for every layer, from the seed; `zero_head` leaves the last layer at zero,
// so that an untrained model is the independence (or, guided, the Gaussian) copula. The slices are those of
// `members` networks of one shape.
template <class T>
std::vector<T> initial_parameters(const std::vector<ParameterSlice>& slices, std::uint64_t seed,
                                  bool zero_head, std::size_t members = 1);

}  // namespace sklar
