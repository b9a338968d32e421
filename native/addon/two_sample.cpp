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

Napi::Value scores(const Napi::CallbackInfo& info) {
  const std::size_t base_rows = to_size(info[1], "baseRows"), rows = to_size(info[3], "rows"),
                    dim = to_size(info[4], "dim");
  return start_job(info,
                   [base_rows, rows, dim, base = to_vector<double>(info[0], "base", product(base_rows, dim)),
                    x = to_vector<double>(info[2], "x", product(rows, dim)),
                    threads = to_size(info[5], "threads")](const CancelFlag& cancel) {
                     return normal_scores(threads, base.data(), base_rows, x.data(), rows, dim, cancel);
                   });
}

Napi::Value nearest(const Napi::CallbackInfo& info) {
  const std::size_t base_rows = to_size(info[1], "baseRows"), rows = to_size(info[3], "rows"),
                    dim = to_size(info[4], "dim");
  return start_job(
      info, [base_rows, rows, dim, base = to_vector<double>(info[0], "base", product(base_rows, dim)),
             x = to_vector<double>(info[2], "x", product(rows, dim)),
             labels = to_vector<std::uint32_t>(info[5], "labels", dim),
             threads = to_size(info[6], "threads")](const CancelFlag& cancel) {
        return nearest_distances(threads, base.data(), base_rows, x.data(), rows, dim, labels, cancel);
      });
}

Napi::Value margins(const Napi::CallbackInfo& info) {
  return start_job(info, [s = to_samples(info)](const CancelFlag& cancel) {
    auto distances = margin_distances(s.threads, s.x.data(), s.rows, s.first, s.dim, cancel);
    return deliver("kolmogorov", std::move(distances.kolmogorov), "cramer", std::move(distances.cramer));
  });
}

Napi::Value pairs(const Napi::CallbackInfo& info) {
  return start_job(info, info[8],
                   [s = to_samples(info), bandwidths = to_vector<double>(info[5], "bandwidths"),
                    relabellings = to_size(info[6], "relabellings"),
                    seed = to_uint64(info[7], "seed")](const CancelFlag& cancel, const Fraction& progress) {
                     auto sums = pair_sums(s.threads, s.x.data(), s.rows, s.first, s.dim, bandwidths,
                                           relabellings, seed, cancel, progress);
                     return deliver("toFirst", std::move(sums.to_first), "toSecond",
                                    std::move(sums.to_second), "withinFirst", std::move(sums.within_first),
                                    "between", std::move(sums.between));
                   });
}

Napi::Value median(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_job(
      info, [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim))](const CancelFlag& cancel) {
        return median_distance(x.data(), rows, dim, cancel);
      });
}

Napi::Value sliced(const Napi::CallbackInfo& info) {
  return start_job(
      info, info[8],
      [s = to_samples(info), directions = to_size(info[5], "directions"), order = to_size(info[6], "order"),
       seed = to_uint64(info[7], "seed")](const CancelFlag& cancel, const Fraction& progress) {
        return sliced_wasserstein(s.threads, s.x.data(), s.rows, s.first, s.dim, directions, order, seed,
                                  cancel, progress);
      });
}

Napi::Value classifier(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_job(info, [rows, dim, z = to_vector<double>(info[0], "z", product(rows, dim)),
                          labels = to_vector<std::int32_t>(info[3], "labels", rows),
                          folds = to_vector<std::int32_t>(info[4], "folds", rows),
                          count = to_size(info[5], "foldCount"), ridge = to_double(info[6], "ridge"),
                          neighbours = to_size(info[7], "neighbours"),
                          threads = to_size(info[8], "threads")](const CancelFlag& cancel) {
    return classifier_scores(threads, z.data(), rows, dim, labels, folds, count, ridge, neighbours, cancel);
  });
}

}  // namespace

void register_two_sample(Napi::Env env, Napi::Object exports) {
  export_function<scores>(env, exports, "normalScores");
  export_function<nearest>(env, exports, "nearestDistances");
  export_function<margins>(env, exports, "marginDistances");
  export_function<pairs>(env, exports, "pairSums");
  export_function<median>(env, exports, "medianDistance");
  export_function<sliced>(env, exports, "slicedWasserstein");
  export_function<classifier>(env, exports, "classifierScores");
}

}  // namespace sklar::addon
