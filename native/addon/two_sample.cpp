#include "statistics/two_sample.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "statistics/two_sample_classifier.hpp"

namespace sklar::addon {
namespace {

// Both samples in one array, the first `first` rows one of them.
struct Samples {
  std::vector<double> x;
  std::size_t rows, first, dim, threads;
};

// (x: Float64Array, rows: number, first: number, dim: number, threads: number, ...)
Samples to_samples(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[3], "dim");
  return {to_vector<double>(info[0], "x", product(rows, dim)), rows, to_size(info[2], "first"), dim,
          to_size(info[4], "threads")};
}

Job::Deliver deliver(std::vector<double> values) {
  return [values = std::move(values)](Napi::Env env) { return to_array(env, values); };
}

// normalScores(base: Float64Array, baseRows: number, x: Float64Array, rows: number, dim: number, threads:
// number): NativeJob<Float64Array>
Napi::Value scores(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t base_rows = to_size(info[1], "baseRows"), rows = to_size(info[3], "rows"),
                      dim = to_size(info[4], "dim");
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [base_rows, rows, dim, base = to_vector<double>(info[0], "base", product(base_rows, dim)),
         x = to_vector<double>(info[2], "x", product(rows, dim)),
         threads = to_size(info[5], "threads")](const CancelFlag& cancel, const Job::Progress&) {
          return deliver(normal_scores(threads, base.data(), base_rows, x.data(), rows, dim, cancel));
        });
  });
}

// marginDistances(...samples: NativeSamples): NativeJob<{kolmogorov: Float64Array; cramer: Float64Array }>
Napi::Value margins(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(info.Env(), info.Env().Undefined(),
                      [s = to_samples(info)](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        auto distances =
                            margin_distances(s.threads, s.x.data(), s.rows, s.first, s.dim, cancel);
                        return [distances = std::move(distances)](Napi::Env env) -> Napi::Value {
                          Napi::Object result = Napi::Object::New(env);
                          result.Set("kolmogorov", to_array(env, distances.kolmogorov));
                          result.Set("cramer", to_array(env, distances.cramer));
                          return result;
                        };
                      });
  });
}

// pairSums(...call: [...samples: NativeSamples, bandwidths: Float64Array, relabellings: number, seed: bigint,
// onProgress?: (fraction: number) => void]): NativeJob<NativePairSums>
Napi::Value pairs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(info.Env(), info[8],
                      [s = to_samples(info), bandwidths = to_vector<double>(info[5], "bandwidths"),
                       relabellings = to_size(info[6], "relabellings"), seed = to_uint64(info[7], "seed")](
                          const CancelFlag& cancel, const Job::Progress& progress) -> Job::Deliver {
                        auto sums = pair_sums(s.threads, s.x.data(), s.rows, s.first, s.dim, bandwidths,
                                              relabellings, seed, cancel, to_fraction(progress));
                        return [sums = std::move(sums)](Napi::Env env) -> Napi::Value {
                          Napi::Object result = Napi::Object::New(env);
                          result.Set("toFirst", to_array(env, sums.to_first));
                          result.Set("toSecond", to_array(env, sums.to_second));
                          result.Set("withinFirst", to_array(env, sums.within_first));
                          result.Set("between", to_array(env, sums.between));
                          return result;
                        };
                      });
  });
}

// medianDistance(x: Float64Array, rows: number, dim: number): NativeJob<number>
Napi::Value median(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
    return Job::start(info.Env(), info.Env().Undefined(),
                      [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim))](
                          const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        const double value = median_distance(x.data(), rows, dim, cancel);
                        return [value](Napi::Env env) { return Napi::Number::New(env, value); };
                      });
  });
}

// slicedWasserstein(...call: [...samples: NativeSamples, directions: number, order: number, seed: bigint,
// onProgress?: (fraction: number) => void]): NativeJob<Float64Array>
Napi::Value sliced(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Job::start(
        info.Env(), info[8],
        [s = to_samples(info), directions = to_size(info[5], "directions"), order = to_size(info[6], "order"),
         seed = to_uint64(info[7], "seed")](const CancelFlag& cancel, const Job::Progress& progress) {
          return deliver(sliced_wasserstein(s.threads, s.x.data(), s.rows, s.first, s.dim, directions, order,
                                            seed, cancel, to_fraction(progress)));
        });
  });
}

// classifierScores(z: Float64Array, rows: number, dim: number, labels: Int32Array, folds: Int32Array,
// foldCount: number, ridge: number, neighbours: number, threads: number): NativeJob<Float64Array>
Napi::Value classifier(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [rows, dim, z = to_vector<double>(info[0], "z", product(rows, dim)),
         labels = to_vector<std::int32_t>(info[3], "labels", rows),
         folds = to_vector<std::int32_t>(info[4], "folds", rows), count = to_size(info[5], "foldCount"),
         ridge = to_double(info[6], "ridge"), neighbours = to_size(info[7], "neighbours"),
         threads = to_size(info[8], "threads")](const CancelFlag& cancel, const Job::Progress&) {
          return deliver(classifier_scores(threads, z.data(), rows, dim, labels, folds, count, ridge,
                                           neighbours, cancel));
        });
  });
}

}  // namespace

void register_two_sample(Napi::Env env, Napi::Object exports) {
  exports.Set("normalScores", Napi::Function::New(env, scores));
  exports.Set("marginDistances", Napi::Function::New(env, margins));
  exports.Set("pairSums", Napi::Function::New(env, pairs));
  exports.Set("medianDistance", Napi::Function::New(env, median));
  exports.Set("slicedWasserstein", Napi::Function::New(env, sliced));
  exports.Set("classifierScores", Napi::Function::New(env, classifier));
}

}  // namespace sklar::addon
