// The gradient of one training step, in one operation or pass by pass; several models trained together.
#pragma once

#include "core/normal.h"
#include "device_support.hpp"
#include "nn/network.hpp"
#include "train/tied_rows.hpp"
#include "train/trainer.hpp"

namespace device_support {

struct Derivative {
  bool done = true;
  std::vector<double> gradient;
  double loss = 0, cross_entropy = 0;
  std::uint32_t saturated = 0;
  bool operator==(const Derivative&) const = default;
};

// Of the batch of step 3 at these parameters; whole: by draw_and_differentiate, if the device can.
template <class T>
Derivative derivative_of(Backend<T>& backend, Network<T>& network, Objective<T>& objective,
                         const std::vector<T>& at, MatrixView<const T> data, bool whole) {
  const std::size_t count = at.size();
  const auto parameters = backend.template buffer<T>(count), gradient = backend.template buffer<T>(count);
  backend.upload(parameters.data(), at.data(), count * sizeof(T));
  std::vector<T> values(count, std::numeric_limits<T>::quiet_NaN());
  backend.upload(gradient.data(), values.data(), count * sizeof(T));
  TrainState now{};
  now.step = 3;
  now.cross_entropy = now.squared_error = NAN;
  const auto state = backend.template buffer<TrainState>(1);
  backend.upload(state.data(), &now, sizeof now);
  Derivative result;
  if (whole) {
    const TrainedModel<T> model{data, 5, parameters.data(), gradient.data(), state.data()};
    result.done = objective.draw_and_differentiate({&model, 1});
    CHECK_EQUAL(objective.draw_and_differentiate({}), result.done);
  } else {
    objective.draw(data, 5, state.data());
    network.set_parameters(parameters.data());
    objective.differentiate(state.data(), gradient.data());
  }
  backend.download(values.data(), gradient.data(), count * sizeof(T));
  backend.download(&now, state.data(), sizeof now);
  for (const T v : values) result.gradient.push_back(static_cast<double>(v) / objective.gradient_scale());
  result.loss = objective.loss(now);
  result.cross_entropy = now.cross_entropy;
  result.saturated = now.saturated;
  return result;
}

// The loss of the same batch in one operation that leaves the gradient out; NaN if the device has none.
inline double loss_alone(Backend<float>& backend, Objective<float>& objective, const std::vector<float>& at,
                         MatrixView<const float> data) {
  const auto parameters = backend.buffer<float>(at.size());
  backend.upload(parameters.data(), at.data(), at.size() * sizeof(float));
  TrainState now{};
  now.step = 3;
  const auto state = backend.buffer<TrainState>(1);
  backend.upload(state.data(), &now, sizeof now);
  const TrainedModel<float> model{data, 5, parameters.data(), nullptr, state.data()};
  if (!objective.draw_and_differentiate({&model, 1})) return NAN;
  backend.download(&now, state.data(), sizeof now);
  return objective.loss(now);
}

// Training that ends early, at a step that depends on the seed.
inline TrainOptions some_options(std::uint64_t seed) {
  TrainOptions options;
  options.seed = seed;
  options.steps = 24;
  options.report_every = 3;
  options.validate_every = 2;
  options.patience = 1;
  options.anneal = 5;
  options.adam = {{2e-2, 0.1, 2, 24}, 0.9, 0.999, 1e-8, 1.0, 0.1, 0.5};
  return options;
}

// Rows of which some have recurring values, in a network's coordinates.
struct Ties {
  LevelBlocks blocks;
  std::vector<double> cholesky;  // of the whitening; empty: none
  bool levels = false;           // on the copula scale
};

// On a backend, with what draws their levels.
struct TiedData {
  Matrix<float> data;
  std::unique_ptr<TiedRows<float>> tied;

  TiedData(Backend<float>& backend, const Ties& ties, std::size_t rows, std::size_t batch, std::uint64_t seed)
      : data(backend.matrix(rows, ties.blocks.size() + 1)) {
    const std::size_t dim = ties.blocks.size();
    std::vector<double> u;
    for (const float z : normals(rows * dim, seed + 10 * rows))
      u.push_back(normal_cdf(static_cast<double>(z)));
    if (ties.levels)
      backend.upload_matrix(view(), std::vector<float>(u.begin(), u.end()).data());
    else
      backend.whiten(data, u.data(), false, ties.cholesky.empty() ? nullptr : ties.cholesky.data(), nullptr);
    tied = std::make_unique<TiedRows<float>>(backend, ties.blocks, u.data(), view(),
                                             RowCoordinates{ties.cholesky, ties.levels}, 2, batch, seed);
    tied->complete_by(ties.cholesky);
    tied->settle(5, 0);
  }
  MatrixView<float> view() { return {data.data(), data.rows(), data.columns() - 1, data.stride()}; }
};

// One model alone or several together: what came out of each.
struct Trained {
  TrainResult result;
  std::vector<float> raw, best;
  std::vector<std::vector<double>> history;
  TrainSnapshot<float> middle;  // after the first look
};

// Models with seeds 1, 2, ... of one network: model k learns from `rows` of `data` from k on, or from rows of
// its own with ties. Those that have a snapshot go on from it.
inline std::vector<Trained> train_models(Backend<float>& backend, Network<float>& network,
                                         Objective<float>& objective, MatrixView<const float> data,
                                         std::size_t rows, const std::vector<std::uint64_t>& seeds,
                                         const std::vector<const TrainSnapshot<float>*>& from = {},
                                         const Ties* ties = nullptr) {
  std::vector<std::unique_ptr<TiedData>> tied;
  std::vector<std::unique_ptr<Trainer<float>>> trainers;
  std::vector<Trainer<float>*> all;
  std::vector<Trainer<float>::Watch> watches(seeds.size());
  std::vector<Trained> out(seeds.size());
  for (std::size_t k = 0; k < seeds.size(); ++k) {
    TrainOptions options = some_options(seeds[k]);
    options.checkpoint_seconds = 1e-9;
    trainers.push_back(
        std::make_unique<Trainer<float>>(backend, network, objective, &objective, options,
                                         initial_parameters<float>(network.slices(), seeds[k], false)));
    if (ties) {
      for (const std::size_t count : {rows, rows / 2})
        tied.push_back(std::make_unique<TiedData>(backend, *ties, count, objective.batch(), seeds[k]));
      trainers[k]->set_tied_rows(*tied[2 * k]->tied);
      trainers[k]->set_data(tied[2 * k]->view(), tied[2 * k + 1]->view());
    } else {
      const MatrixView<const float> own{data.row(seeds[k]), rows, data.columns, data.stride};
      trainers[k]->set_data(own, own.first(rows / 2));
    }
    if (k < from.size() && from[k]) trainers[k]->resume(*from[k]);
    all.push_back(trainers[k].get());
    watches[k].snapshot = [&to = out[k]](TrainSnapshot<float> s) {
      if (to.middle.parameters.empty() && s.progress.result.steps > 4) to.middle = std::move(s);
    };
  }
  const auto results = Trainer<float>::run_together(all, {}, watches);
  for (std::size_t k = 0; k < seeds.size(); ++k) {
    out[k].result = results[k];
    out[k].raw = trainers[k]->snapshot().parameters;
    out[k].best = trainers[k]->best_parameters();
    for (const TrainReport& r : trainers[k]->history())
      out[k].history.push_back({static_cast<double>(r.step), r.cross_entropy, r.squared_error, r.loss,
                                r.learning_rate, r.gradient_norm});
  }
  return out;
}

inline void check_same(const Trained& got, const Trained& expected) {
  CHECK_EQUAL(got.result.steps, expected.result.steps);
  CHECK_EQUAL(got.result.best_step, expected.result.best_step);
  CHECK_EQUAL(got.result.best_validation, expected.result.best_validation);
  CHECK_EQUAL(got.result.stopped_early, expected.result.stopped_early);
  CHECK_EQUAL(got.result.saturated, expected.result.saturated);
  CHECK(got.raw == expected.raw);
  CHECK(got.best == expected.best);
  CHECK(got.history == expected.history);
}

// Together each model is what it is alone, to the bit, also where one goes on from a snapshot; they end at
// steps of their own.
inline void check_together(Backend<float>& backend, Network<float>& network, Objective<float>& objective,
                           MatrixView<const float> data, const Ties* ties = nullptr) {
  const std::size_t rows = data.rows - 4;
  const std::vector<std::uint64_t> seeds = {1, 2, 3};
  std::vector<Trained> alone;
  for (const std::uint64_t seed : seeds)
    alone.push_back(train_models(backend, network, objective, data, rows, {seed}, {}, ties)[0]);
  bool different_ends = false;
  for (const Trained& t : alone) different_ends |= t.result.steps != alone[0].result.steps;
  CHECK(different_ends);
  CHECK(std::any_of(alone.begin(), alone.end(), [](const Trained& t) { return t.result.stopped_early; }));
  const auto together = train_models(backend, network, objective, data, rows, seeds, {}, ties);
  const auto resumed = train_models(backend, network, objective, data, rows, seeds,
                                    {nullptr, &together[1].middle, &alone[2].middle}, ties);
  for (std::size_t k = 0; k < seeds.size(); ++k) {
    CHECK(!alone[k].middle.parameters.empty());
    check_same(together[k], alone[k]);
    check_same(resumed[k], alone[k]);
  }
}

// How training on rows with ties goes: losses and parameters.
inline void keep_training(Bench& b, Network<float>& network, Objective<float>& objective, const Ties& ties,
                          const std::vector<float>& parameters) {
  TiedData rows(b.backend, ties, 50, objective.batch(), 6),
      looked_at(b.backend, ties, 20, objective.batch(), 7);
  TrainOptions options;
  options.seed = 5;
  options.steps = 6;
  options.report_every = 2;
  options.validate_every = 3;
  options.adam = {{3e-3, 0.1, 2, 6}, 0.9, 0.999, epsilon_above_rounding, 1.0, 0.1, 0.9};
  Trainer<float> trainer(b.backend, network, objective, &objective, options, parameters);
  trainer.set_tied_rows(*rows.tied);
  trainer.set_data(rows.view(), looked_at.view());
  b.kept.push_back(trainer.run({}, {}).best_validation);
  for (const auto& report : trainer.history())
    for (double v : {report.cross_entropy, report.squared_error, report.loss, report.gradient_norm})
      b.kept.push_back(v);
  for (const auto snapshot = trainer.snapshot(); const float v : snapshot.parameters)
    b.kept.push_back(static_cast<double>(v));
  b.keep(rows.view());
}

// Blocks of three columns, of which one has none.
inline const LevelBlocks three_columns = {{0, 0.4, 0.4, 1}, {}, {0.2, 0.5, 0.7, 1}};
inline const std::vector<double> factor_of_three = {1, 0, 0, 0.6, 0.8, 0, 0.5, 0, 0.75};

}  // namespace device_support
