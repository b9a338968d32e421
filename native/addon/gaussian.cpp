#include "classical/gaussian.hpp"
#include "core/linear/symmetric.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "addon/common/train.hpp"
#include "core/normal.h"

namespace sklar::addon {
namespace {

// normalCdf(values: Float64Array): Float64Array
// normalQuantile(values: Float64Array): Float64Array
template <double (*function)(double)>
Napi::Value map(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::vector<double> values = to_vector<double>(info[0], "values");
    for (double& value : values) value = function(value);
    return to_array(info.Env(), values);
  });
}

// cholesky(matrix: Float64Array, dim: number): { factor: Float64Array; logDeterminant: number }
Napi::Value cholesky_factor(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t dim = to_size(info[1], "dim");
    const auto factor = cholesky(to_vector<double>(info[0], "matrix", product(dim, dim)), dim);
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("factor", to_array(info.Env(), factor));
    result.Set("logDeterminant", 2 * half_log_determinant(factor.data(), dim));
    return result;
  });
}

// normalScoresCorrelation(u: Float64Array, rows: number, dim: number, threads: number):
// NativeJob<Float64Array>
Napi::Value correlation(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim"),
                      threads = to_size(info[3], "threads");
    return Job::start(info.Env(), info.Env().Undefined(),
                      [u = to_vector<double>(info[0], "u", product(rows, dim)), rows, dim, threads](
                          const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        auto r = normal_scores_correlation(threads, u.data(), rows, dim, cancel);
                        return [r = std::move(r)](Napi::Env env) { return to_array(env, r); };
                      });
  });
}

// tiedCorrelation(u: Float64Array, rows: number, dim: number, options: {blocks: LevelBlocks; rounds: number;
// shrinkage: number; seed: bigint }, threads: number): NativeJob<Float64Array>
Napi::Value correlation_of_ties(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim"),
                      threads = to_size(info[4], "threads");
    const auto o = info[3].As<Napi::Object>();
    const std::size_t rounds = to_size(field(o, "rounds"), "rounds");
    if (rounds < 2) throw Error("VALUE", "expected at least 2 rounds");
    return Job::start(info.Env(), info.Env().Undefined(),
                      [u = to_vector<double>(info[0], "u", product(rows, dim)),
                       blocks = to_level_blocks(field(o, "blocks"), dim), rows, rounds,
                       shrinkage = to_double(field(o, "shrinkage"), "shrinkage"),
                       seed = to_uint64(field(o, "seed"), "seed"),
                       threads](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        auto r = tied_correlation(threads, blocks, u.data(), rows, rounds, shrinkage, seed,
                                                  cancel);
                        return [r = std::move(r)](Napi::Env env) { return to_array(env, r); };
                      });
  });
}

// tiedLevels(u: Float64Array, rows: number, dim: number, options: { blocks: LevelBlocks; factor:
// Float64Array; sweeps: number; seed: bigint }, threads: number): NativeJob<Float64Array>
Napi::Value levels_of_ties(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim"),
                      threads = to_size(info[4], "threads");
    const auto o = info[3].As<Napi::Object>();
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [u = to_vector<double>(info[0], "u", product(rows, dim)),
         blocks = to_level_blocks(field(o, "blocks"), dim), rows,
         factor = to_vector<double>(field(o, "factor"), "factor", product(dim, dim)),
         sweeps = to_size(field(o, "sweeps"), "sweeps"), seed = to_uint64(field(o, "seed"), "seed"),
         threads](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
          auto levels = tied_levels(threads, blocks, u.data(), rows, factor, sweeps, seed, cancel);
          return [levels = std::move(levels)](Napi::Env env) { return to_array(env, levels); };
        });
  });
}

// gaussianLogPdf(factor: Float64Array, x: Float64Array, fromGaussian: boolean, rows: number, dim: number,
//                threads: number): NativeJob<Float64Array>
Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[3], "rows"), dim = to_size(info[4], "dim"),
                      threads = to_size(info[5], "threads");
    return Job::start(info.Env(), info.Env().Undefined(),
                      [l = to_vector<double>(info[0], "factor", product(dim, dim)),
                       x = to_vector<double>(info[1], "x", product(rows, dim)),
                       from_gaussian = to_bool(info[2], "fromGaussian"), rows, dim,
                       threads](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        std::vector<double> out(rows);
                        gaussian_log_pdf(threads, l, x.data(), from_gaussian, rows, dim, out.data(), cancel);
                        return [out = std::move(out)](Napi::Env env) { return to_array(env, out); };
                      });
  });
}

// gaussianSample(factor: Float64Array, dim: number, rows: number, seed: bigint, firstRow: bigint, toGaussian:
// boolean,
//                threads: number): NativeJob<Float64Array>
Napi::Value sample(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t dim = to_size(info[1], "dim"), rows = to_size(info[2], "rows"),
                      threads = to_size(info[6], "threads");
    return Job::start(info.Env(), info.Env().Undefined(),
                      [l = to_vector<double>(info[0], "factor", product(dim, dim)), dim, rows,
                       size = product(rows, dim), seed = to_uint64(info[3], "seed"),
                       first = to_uint64(info[4], "firstRow"), to_gaussian = to_bool(info[5], "toGaussian"),
                       threads](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                        std::vector<double> out(size);
                        gaussian_sample(threads, l, dim, rows, seed, first, to_gaussian, out.data(), cancel);
                        return [out = std::move(out)](Napi::Env env) { return to_array(env, out); };
                      });
  });
}

}  // namespace

void register_gaussian(Napi::Env env, Napi::Object exports) {
  exports.Set("normalCdf", Napi::Function::New(env, map<normal_cdf>));
  exports.Set("normalQuantile", Napi::Function::New(env, map<normal_quantile>));
  exports.Set("cholesky", Napi::Function::New(env, cholesky_factor));
  exports.Set("normalScoresCorrelation", Napi::Function::New(env, correlation));
  exports.Set("tiedCorrelation", Napi::Function::New(env, correlation_of_ties));
  exports.Set("tiedLevels", Napi::Function::New(env, levels_of_ties));
  exports.Set("gaussianLogPdf", Napi::Function::New(env, log_pdf));
  exports.Set("gaussianSample", Napi::Function::New(env, sample));
}

}  // namespace sklar::addon
