#include "addon/common/train.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "addon/common/convert.hpp"
#include "core/check_rows.hpp"

namespace sklar::addon {
namespace {

constexpr std::size_t report_fields = 8;

std::array<double, report_fields> to_numbers(const TrainReport& r) {
  return {static_cast<double>(r.step), r.cross_entropy, r.squared_error, r.loss,
          r.validation_loss,           r.learning_rate, r.gradient_norm, r.seconds};
}

Napi::Object report_to_object(Napi::Env env, const TrainReport& r) {
  static constexpr std::array<const char*, report_fields> names = {
      "step",           "crossEntropy", "squaredError", "loss",
      "validationLoss", "learningRate", "gradientNorm", "seconds"};
  const auto numbers = to_numbers(r);
  Napi::Object o = Napi::Object::New(env);
  for (std::size_t i = 0; i < report_fields; ++i) o.Set(names[i], numbers[i]);
  return o;
}

// TrainSnapshot of lib/native/training.ts
Napi::Object snapshot_to_object(Napi::Env env, const TrainSnapshot<float>& s) {
  Napi::Object numbers = Napi::Object::New(env), tensors = Napi::Object::New(env);
  each_number(s, [&](const char* name, auto value) { numbers.Set(name, static_cast<double>(value)); });
  each_tensor(s, [&](const char* name, const auto& tensor) { tensors.Set(name, to_array(env, tensor)); });
  std::vector<double> history;
  for (const TrainReport& report : s.history)
    for (const double number : to_numbers(report)) history.push_back(number);
  return to_object(env, "numbers", numbers, "tensors", tensors, "history", history);
}

std::unique_ptr<TrainSnapshot<float>> to_snapshot(const Napi::Value& value) {
  if (value.IsNull() || value.IsUndefined()) return nullptr;
  const auto o = value.As<Napi::Object>();
  const auto numbers = field(o, "numbers").As<Napi::Object>(),
             tensors = field(o, "tensors").As<Napi::Object>();
  auto s = std::make_unique<TrainSnapshot<float>>();
  each_number(*s, [&](const char* name, auto& number) {
    using Number = std::remove_reference_t<decltype(number)>;
    if constexpr (std::is_same_v<Number, std::uint64_t>)
      number = to_size(field(numbers, name), name);
    else
      number = static_cast<Number>(to_double(field(numbers, name), name));
  });
  each_tensor(*s, [&](const char* name, auto& tensor) {
    tensor = to_vector_or_empty<float>(field(tensors, name), name);
  });
  const auto history = to_vector<double>(field(o, "history"), "history");
  if (history.size() % report_fields) throw Error("SHAPE", "history of a snapshot has a broken record");
  for (std::size_t i = 0; i < history.size(); i += report_fields) {
    const double* h = &history[i];
    if (!(h[0] >= 0 && h[0] <= 9007199254740991.0)) throw Error("VALUE", "history of a snapshot has no step");
    s->history.push_back({static_cast<std::uint64_t>(h[0]), h[1], h[2], h[3], h[4], h[5], h[6], h[7], true});
  }
  return s;
}

}  // namespace

Napi::Value to_array(Napi::Env env, const std::vector<ParameterSlice>& slices) {
  return to_array(env, slices, [env](const ParameterSlice& s) {
    return to_object(env, "name", s.name, "offset", s.offset, "rows", s.rows, "columns", s.columns);
  });
}

LevelBlocks to_level_blocks(const Napi::Value& value, std::size_t dim) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() != dim)
    throw Error("SHAPE", "expected blocks of every column");
  LevelBlocks blocks;
  for (std::uint32_t j = 0; j < dim; ++j)
    blocks.push_back(to_vector_or_empty<double>(value.As<Napi::Array>().Get(j), "blocks"));
  return blocks;
}

std::size_t TrainCall::validation_batch() const {
  return std::min(std::max<std::size_t>(batch, 8), validation_rows * options.validation_draws);
}

AdamOptions to_adam(const Napi::Object& o) {
  AdamOptions adam{};
  adam.rate.peak = to_double(field(o, "learningRate"), "learningRate");
  adam.rate.final_fraction = to_double(field(o, "finalLearningRate"), "finalLearningRate");
  adam.rate.warmup = to_size(field(o, "warmup"), "warmup");
  adam.rate.total = to_size(field(o, "steps"), "steps");
  adam.beta1 = to_double(field(o, "beta1"), "beta1");
  adam.beta2 = to_double(field(o, "beta2"), "beta2");
  adam.epsilon = to_double(field(o, "epsilon"), "epsilon");
  adam.clip_norm = to_double(field(o, "clipNorm"), "clipNorm");
  adam.weight_decay = to_double(field(o, "weightDecay"), "weightDecay");
  adam.ema_decay = to_double(field(o, "emaDecay"), "emaDecay");
  return adam;
}

TrainCall to_train_call(const Napi::Object& o, std::size_t dim) {
  TrainCall call;
  call.rows = to_size(field(o, "rows"), "rows");
  call.validation_rows = to_size(field(o, "validationRows"), "validationRows");
  const auto models = field(o, "models").As<Napi::Array>();
  for (std::uint32_t i = 0; i < models.Length(); ++i) {
    const auto m = models.Get(i).As<Napi::Object>();
    TrainCall::Model model;
    const auto rows_of = [&](const char* name, const char* numbers, std::size_t rows,
                             std::span<const std::uint32_t>& chosen) -> std::span<const double> {
      const Napi::Value given = field(m, numbers), values = field(m, name);
      if (given.IsNull() || given.IsUndefined())
        return rows == 0 ? std::span<const double>{} : to_span<double>(values, name, product(rows, dim));
      chosen = to_span<std::uint32_t>(given, numbers, rows);
      const auto all = to_span<double>(values, name);
      for (const std::uint32_t row : chosen)
        if (row >= all.size() / dim) throw Error("SHAPE", "expected numbers of rows that there are");
      return all;
    };
    model.training = rows_of("training", "trainingRows", call.rows, model.training_rows);
    model.validation = rows_of("validation", "validationRows", call.validation_rows, model.validation_rows);
    model.cholesky = to_vector_or_empty<double>(field(m, "cholesky"), "cholesky", product(dim, dim));
    model.completion = to_vector_or_empty<double>(field(m, "completion"), "completion", product(dim, dim));
    model.seed = to_uint64(field(m, "seed"), "seed");
    model.initial = to_vector_or_empty<float>(field(m, "initial"), "initial");
    model.snapshot = to_snapshot(field(m, "snapshot"));
    call.models.push_back(std::move(model));
  }
  const Napi::Value ties = field(o, "ties");
  if (ties.IsObject()) {
    const auto t = ties.As<Napi::Object>();
    call.blocks = to_level_blocks(field(t, "blocks"), dim);
    call.settling_sweeps = to_size(field(t, "settlingSweeps"), "settlingSweeps");
    call.sweeps = to_size(field(t, "sweeps"), "sweeps");
  }
  call.device = to_device_choice(field(o, "device"));
  call.batch = to_size(field(o, "batch"), "batch");
  TrainOptions& options = call.options;
  options.steps = to_size(field(o, "steps"), "steps");
  options.adam = to_adam(field(o, "adam").As<Napi::Object>());
  options.validate_every = to_size(field(o, "validateEvery"), "validateEvery");
  options.patience = to_size(field(o, "patience"), "patience");
  options.anneal = to_size(field(o, "anneal"), "anneal");
  options.validation_draws = to_size(field(o, "validationDraws"), "validationDraws");
  options.report_every = to_size(field(o, "reportEvery"), "reportEvery");
  options.checkpoint_seconds = to_double(field(o, "checkpointSeconds"), "checkpointSeconds");
  options.watch_steps = to_bool(field(o, "watchSteps"), "watchSteps");
  options.look_first = to_bool(field(o, "lookFirst"), "lookFirst");
  if (call.models.empty() || call.rows == 0 || call.batch == 0 || options.report_every == 0 ||
      options.validation_draws == 0)
    throw Error("VALUE", "models, rows, batch, reportEvery and validationDraws must be at least 1");
  return call;
}

// Rows on the copula scale in the network's coordinates; few at a time, so that they are not held twice, and
// without the column of ones of states.
static Matrix<float> prepare(const Training& training, const TrainCall::Model& model, const HostRows& rows,
                             std::size_t n) {
  const std::size_t d = training.dim;
  Matrix<float> y = training.backend.matrix(n, d),
                part = training.backend.matrix(std::min(rows_of_part, n), d + 1);
  for (std::size_t first = 0; first < n; first += rows_of_part) {
    const std::size_t count = std::min(rows_of_part, n - first);
    const std::vector<double> levels = rows.gather(first, count, d);
    for (std::size_t i = 0; i < count; ++i)
      check_training_rows(&levels[i * d], 1, d, rows.numbers ? rows.numbers[first + i] : first + i);
    if (training.reads_levels)
      training.backend.to_cube(part.first(count), levels.data(), false);
    else
      training.backend.whiten(part.first(count), levels.data(), false,
                              model.cholesky.empty() ? nullptr : model.cholesky.data(), nullptr);
    training.backend.copy_rows({y.data() + first * y.stride(), count, d, y.stride()}, nullptr,
                               {part.data(), count, d, part.stride()}, nullptr, count);
  }
  return y;
}

Job::Deliver run_training(const Training& training, const TrainCall& call, const CancelFlag& cancel,
                          const Job::Progress& progress) {
  const std::size_t count = call.models.size();
  if (count > 1 && !training.objective.draw_and_differentiate({}))
    return [](Napi::Env env) { return env.Null(); };

  std::vector<Matrix<float>> rows;
  std::vector<std::unique_ptr<TiedRows<float>>> tied;
  std::vector<std::unique_ptr<Trainer<float>>> trainers;
  std::vector<Trainer<float>*> all;
  for (const TrainCall::Model& model : call.models) {
    TrainOptions options = call.options;
    options.seed = model.seed;
    // tied rows have levels of their own each time that they are noised
    if (!call.blocks.empty()) options.validation_draws = 1;
    auto trainer = std::make_unique<Trainer<float>>(
        training.backend, training.network, training.objective, training.validation, options,
        model.initial.empty() ? initial_parameters<float>(training.network.slices(), model.seed,
                                                          training.zero_head, training.members)
                              : model.initial);
    const auto prepared = [&](const HostRows& u, std::size_t n,
                              std::uint64_t seed) -> MatrixView<const float> {
      if (n == 0) return {};
      rows.push_back(prepare(training, model, u, n));
      const MatrixView<float> view = rows.back();
      if (!call.blocks.empty()) {
        tied.push_back(std::make_unique<TiedRows<float>>(
            training.backend, call.blocks, u, view, RowCoordinates{model.cholesky, training.reads_levels},
            call.sweeps, training.objective.batch(), seed));
        tied.back()->complete_by(model.completion);
        tied.back()->settle(call.settling_sweeps, 0);
      }
      return view;
    };
    const auto learned = prepared({model.training.data(), model.training_rows.data()}, call.rows, model.seed);
    if (!tied.empty()) trainer->set_tied_rows(*tied.back());
    std::vector<std::uint32_t> looked_at;
    for (std::size_t i = 0; i < call.options.validation_draws / options.validation_draws; ++i)
      for (std::size_t row = 0; row < call.validation_rows; ++row)
        looked_at.push_back(model.validation_rows.empty() ? static_cast<std::uint32_t>(row)
                                                          : model.validation_rows[row]);
    trainer->set_data(learned, prepared({model.validation.data(), looked_at.data()}, looked_at.size(),
                                        model.seed ^ validation_seed));
    if (model.snapshot) trainer->resume(*model.snapshot);
    all.push_back(trainer.get());
    trainers.push_back(std::move(trainer));
  }

  struct News {
    bool fresh = false;
    TrainReport report{};
    std::unique_ptr<TrainSnapshot<float>> snapshot;
    std::vector<double> steps;  // report_fields of each
  };
  struct Pending {
    std::mutex lock;
    std::vector<News> news;
  };
  // Of the closures that are passed on only the latest may run: each delivers whatever waits, of all models.
  const auto pending = std::make_shared<Pending>();
  pending->news.resize(count);
  const auto send = [&] {
    progress([pending](Napi::Env env) -> Napi::Value {
      std::vector<News> all(pending->news.size());
      {
        const std::lock_guard<std::mutex> hold(pending->lock);
        all.swap(pending->news);
      }
      Napi::Array list = Napi::Array::New(env);
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (!all[i].fresh) continue;
        Napi::Object o = report_to_object(env, all[i].report);
        o.Set("model", static_cast<double>(i));
        if (all[i].snapshot) o.Set("snapshot", snapshot_to_object(env, *all[i].snapshot));
        if (!all[i].steps.empty()) o.Set("watched", to_array(env, all[i].steps));
        list.Set(list.Length(), o);
      }
      return list;
    });
  };
  std::vector<Trainer<float>::Watch> watches(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto tell = [&pending, &send, i](const auto& change) {
      {
        const std::lock_guard<std::mutex> hold(pending->lock);
        pending->news[i].fresh = true;
        change(pending->news[i]);
      }
      send();
    };
    watches[i].report = [tell](const TrainReport& report) {
      tell([&](News& news) { news.report = report; });
    };
    watches[i].step = [tell](const TrainReport& report) {
      tell([&](News& news) {
        const auto numbers = to_numbers(report);
        news.steps.insert(news.steps.end(), numbers.begin(), numbers.end());
      });
    };
    watches[i].snapshot = [tell](TrainSnapshot<float> snapshot) {
      tell([&](News& news) { news.snapshot = std::make_unique<TrainSnapshot<float>>(std::move(snapshot)); });
    };
  }
  struct Outcome {
    TrainResult result;
    std::vector<TrainReport> history;
    std::vector<float> parameters;
  };
  std::vector<Outcome> outcomes;
  const std::vector<TrainResult> results = Trainer<float>::run_together(all, cancel, watches);
  for (std::size_t i = 0; i < count; ++i)
    outcomes.push_back({results[i], all[i]->history(), all[i]->best_parameters()});
  return [outcomes = std::move(outcomes)](Napi::Env env) {
    return to_array(env, outcomes, [env](const Outcome& outcome) {
      const auto& [result, history, parameters] = outcome;
      return to_object(
          env, "parameters", parameters, "steps", result.steps, "bestStep", result.best_step,
          "bestValidation", result.best_validation, "seconds", result.seconds, "stepSeconds",
          result.step_seconds, "stoppedEarly", result.stopped_early, "saturated", result.saturated, "history",
          to_array(env, history, [env](const TrainReport& report) { return report_to_object(env, report); }));
    });
  };
}

}  // namespace sklar::addon
