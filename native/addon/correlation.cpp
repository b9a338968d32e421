#include "core/linear/symmetric.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "addon/common/train.hpp"
#include "classical/gaussian.hpp"
#include "core/normal.h"

namespace sklar::addon {
namespace {

template <double (*function)(double)>
Napi::Value map(const Napi::CallbackInfo& info) {
  std::vector<double> values = to_vector<double>(info[0], "values");
  for (double& value : values) value = function(value);
  return to_array(info.Env(), values);
}

Napi::Value cholesky_factor(const Napi::CallbackInfo& info) {
  const std::size_t dim = to_size(info[1], "dim");
  return to_array(info.Env(), cholesky(to_vector<double>(info[0], "matrix", product(dim, dim)), dim));
}

Napi::Value correlation(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim"),
                    threads = to_size(info[3], "threads");
  return start_job(info, [u = to_span<double>(info[0], "u", product(rows, dim)), rows, dim,
                          weights = to_vector_or_empty<double>(info[4], "weights", rows),
                          threads](const CancelFlag& cancel) {
    return normal_scores_correlation(threads, u.data(), data_or_null(weights), rows, dim, cancel);
  });
}

Napi::Value correlation_of_ties(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim"),
                    threads = to_size(info[4], "threads");
  const auto o = info[3].As<Napi::Object>();
  const std::size_t rounds = to_size(field(o, "rounds"), "rounds");
  if (rounds < 2) throw Error("VALUE", "expected at least 2 rounds");
  return start_job(info, [u = to_vector<double>(info[0], "u", product(rows, dim)),
                          blocks = to_level_blocks(field(o, "blocks"), dim), rows, rounds,
                          shrinkage = to_double(field(o, "shrinkage"), "shrinkage"),
                          seed = to_uint64(field(o, "seed"), "seed"), threads](const CancelFlag& cancel) {
    return tied_correlation(threads, blocks, u.data(), rows, rounds, shrinkage, seed, cancel);
  });
}

Napi::Value levels_of_ties(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim"),
                    threads = to_size(info[4], "threads");
  const auto o = info[3].As<Napi::Object>();
  return start_job(info, [u = to_vector<double>(info[0], "u", product(rows, dim)),
                          blocks = to_level_blocks(field(o, "blocks"), dim), rows,
                          factor = to_vector<double>(field(o, "factor"), "factor", product(dim, dim)),
                          sweeps = to_size(field(o, "sweeps"), "sweeps"),
                          seed = to_uint64(field(o, "seed"), "seed"), threads](const CancelFlag& cancel) {
    return tied_levels(threads, blocks, u.data(), rows, factor, sweeps, seed, cancel);
  });
}

}  // namespace

void register_correlation(Napi::Env env, Napi::Object exports) {
  export_function<map<normal_cdf>>(env, exports, "normalCdf");
  export_function<map<normal_quantile>>(env, exports, "normalQuantile");
  export_function<cholesky_factor>(env, exports, "cholesky");
  export_function<correlation>(env, exports, "normalScoresCorrelation");
  export_function<correlation_of_ties>(env, exports, "tiedCorrelation");
  export_function<levels_of_ties>(env, exports, "tiedLevels");
}

}  // namespace sklar::addon
