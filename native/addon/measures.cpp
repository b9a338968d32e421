#include "statistics/measures.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"

namespace sklar::addon {
namespace {

using Measure = std::vector<double>(std::size_t, const double*, const double*, std::size_t, std::size_t,
                                    const CancelFlag&);

template <Measure measure>
Napi::Value matrix(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_job(info, [rows, dim, x = to_span<double>(info[0], "x", product(rows, dim)),
                          weights = to_vector_or_empty<double>(info[4], "weights", rows),
                          threads = to_size(info[3], "threads")](const CancelFlag& cancel) {
    return measure(threads, x.data(), data_or_null(weights), rows, dim, cancel);
  });
}

Napi::Value variance(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_job(info, [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim)),
                          weights = to_vector_or_empty<double>(info[4], "weights", rows),
                          threads = to_size(info[3], "threads")](const CancelFlag& cancel) {
    auto found = kendall_variance(threads, x.data(), data_or_null(weights), rows, dim, cancel);
    return deliver("pairs", std::move(found.pairs), "mean", found.mean);
  });
}

Napi::Value tails(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_job(info, [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim)),
                          q = to_vector<double>(info[3], "q"),
                          weights = to_vector_or_empty<double>(info[5], "weights", rows),
                          threads = to_size(info[4], "threads")](const CancelFlag& cancel) {
    auto curves = tail_curves(threads, x.data(), data_or_null(weights), rows, dim, q, cancel);
    return deliver("lower", std::move(curves.lower), "lowerError", std::move(curves.lower_error), "upper",
                   std::move(curves.upper), "upperError", std::move(curves.upper_error));
  });
}

}  // namespace

void register_measures(Napi::Env env, Napi::Object exports) {
  export_function<matrix<kendall_tau>>(env, exports, "kendallTau");
  export_function<variance>(env, exports, "kendallVariance");
  export_function<matrix<spearman_rho>>(env, exports, "spearmanRho");
  export_function<matrix<blomqvist_beta>>(env, exports, "blomqvistBeta");
  export_function<tails>(env, exports, "tailCurves");
}

}  // namespace sklar::addon
