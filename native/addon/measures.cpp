#include "statistics/measures.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"

namespace sklar::addon {
namespace {

using Measure = std::vector<double>(std::size_t, const double*, std::size_t, std::size_t, const CancelFlag&);

template <Measure measure>
Napi::Value matrix(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_array_job(info, [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim)),
                                threads = to_size(info[3], "threads")](const CancelFlag& cancel) {
    return measure(threads, x.data(), rows, dim, cancel);
  });
}

Napi::Value variance(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return Job::start(info.Env(), info.Env().Undefined(),
                    [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim)),
                     threads = to_size(info[3], "threads")](const CancelFlag& cancel,
                                                            const Job::Progress&) -> Job::Deliver {
                      auto found = kendall_variance(threads, x.data(), rows, dim, cancel);
                      return [found = std::move(found)](Napi::Env env) -> Napi::Value {
                        Napi::Object result = Napi::Object::New(env);
                        result.Set("pairs", to_array(env, found.pairs));
                        result.Set("mean", found.mean);
                        return result;
                      };
                    });
}

Napi::Value tails(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return Job::start(info.Env(), info.Env().Undefined(),
                    [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim)),
                     q = to_vector<double>(info[3], "q"), threads = to_size(info[4], "threads")](
                        const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                      auto curves = tail_curves(threads, x.data(), rows, dim, q, cancel);
                      return [curves = std::move(curves)](Napi::Env env) -> Napi::Value {
                        Napi::Object result = Napi::Object::New(env);
                        result.Set("lower", to_array(env, curves.lower));
                        result.Set("lowerError", to_array(env, curves.lower_error));
                        result.Set("upper", to_array(env, curves.upper));
                        result.Set("upperError", to_array(env, curves.upper_error));
                        return result;
                      };
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
