#pragma once

#include <cstdint>
#include <vector>

#include "backend/operations/state.h"

namespace sklar {

struct TrainReport {
  std::uint64_t step;
  double cross_entropy, squared_error, loss;  // means over the steps since the last report
  double validation_loss;                     // of the latest look, NaN before the first
  double learning_rate, gradient_norm;
  double seconds;  // since the start
  bool scheduled;  // at a multiple of report_every; the others keep a watcher informed
};

struct TrainResult {
  std::uint64_t steps;           // done
  std::uint64_t best_step;       // whose parameters were kept
  double best_validation;        // NaN without validation rows
  double seconds, step_seconds;  // in all; in steps alone
  bool stopped_early;
  std::uint64_t saturated = 0;  // see Backend::saturated and TrainState
};

// What the loop of a training run remembers between steps.
struct TrainProgress {
  TrainResult result;
  double validation;               // of the latest look
  std::uint64_t since_report = 0;  // steps
  std::uint64_t looks_without_gain = 0;
  std::uint64_t end;  // steps after which it is over
  double best_rate;   // at the best look
  bool annealing = false;
  LearningRate rate;
};

// Everything a run has that its options have not: training goes on from it to the result it would have had.
template <class T>
struct TrainSnapshot {
  TrainProgress progress{};
  std::uint64_t step = 0;  // of TrainState, as the sums
  double cross_entropy_sum = 0, squared_error_sum = 0;
  std::vector<T> parameters, m, v, average, best;
  std::vector<T> best_parameters, best_m, best_v;  // at the best look; empty without an ending
  std::vector<TrainReport> history;
};

// body(name, member) for every number of a snapshot, and for every tensor.
template <class Snapshot, class Body>
void each_number(Snapshot& s, Body&& body) {
  auto& p = s.progress;
  body("step", s.step);
  body("crossEntropySum", s.cross_entropy_sum);
  body("squaredErrorSum", s.squared_error_sum);
  body("steps", p.result.steps);
  body("bestStep", p.result.best_step);
  body("bestValidation", p.result.best_validation);
  body("seconds", p.result.seconds);
  body("stepSeconds", p.result.step_seconds);
  body("stoppedEarly", p.result.stopped_early);
  body("saturated", p.result.saturated);
  body("validation", p.validation);
  body("sinceReport", p.since_report);
  body("looksWithoutGain", p.looks_without_gain);
  body("end", p.end);
  body("bestRate", p.best_rate);
  body("annealing", p.annealing);
  body("peakRate", p.rate.peak);
  body("finalFraction", p.rate.final_fraction);
  body("warmup", p.rate.warmup);
  body("decaySteps", p.rate.total);
  body("rateStart", p.rate.start);
}
template <class Snapshot, class Body>
void each_tensor(Snapshot& s, Body&& body) {
  body("parameters", s.parameters);
  body("m", s.m);
  body("v", s.v);
  body("average", s.average);
  body("best", s.best);
  body("best_parameters", s.best_parameters);
  body("best_m", s.best_m);
  body("best_v", s.best_v);
}

}  // namespace sklar
