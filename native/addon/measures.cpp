#include "statistics/measures.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/field_handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "model/field_bound.hpp"

namespace sklar::addon {
namespace {

using Measure = std::vector<double>(std::size_t, const double*, std::size_t, std::size_t, const CancelFlag&);

// (x: Float64Array, rows: number, dim: number, threads: number): NativeJob<Float64Array>
template <Measure measure>
Napi::Value matrix(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
    return Job::start(info.Env(), info.Env().Undefined(),
                      [rows, dim, x = to_vector<double>(info[0], "x", product(rows, dim)),
                       threads = to_size(info[3], "threads")](const CancelFlag& cancel,
                                                              const Job::Progress&) -> Job::Deliver {
                        auto values = measure(threads, x.data(), rows, dim, cancel);
                        return [values = std::move(values)](Napi::Env env) { return to_array(env, values); };
                      });
  });
}

// kendallVariance(x: Float64Array, rows: number, dim: number, threads: number): NativeJob<{ pairs:
// Float64Array; mean: number
// }>
Napi::Value variance(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
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
  });
}

// tailCurves(x: Float64Array, rows: number, dim: number, q: Float64Array, threads: number):
// NativeJob<NativeTailCurves>
Napi::Value tails(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
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
  });
}

// fieldBound(field: FieldHandle, x: Float64Array, fromGaussian: boolean, rows: number, draws: number, seed:
// bigint, firstRow: bigint, device: NativeDevice, onProgress?: (fraction: number) => void):
// NativeJob<Float64Array>
Napi::Value bound(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const FieldHandle source = to_field_handle(info[0]);
    const std::size_t rows = to_size(info[3], "rows");
    const FieldBoundOptions options{
        source->reference,         source->cholesky,           to_bool(info[2], "fromGaussian"),
        to_size(info[4], "draws"), to_uint64(info[5], "seed"), to_uint64(info[6], "firstRow")};
    return Job::start(info.Env(), info[8],
                      [source, options, rows, x = to_vector<double>(info[1], "x", product(rows, source->dim)),
                       device = to_device_choice(info[7])](const CancelFlag& cancel,
                                                           const Job::Progress& progress) -> Job::Deliver {
                        std::vector<double> out(rows);
                        with_field(*source, device, cancel, [&](auto& backend, auto& field) {
                          field_bound(backend, field, options, x.data(), rows, out.data(), cancel,
                                      to_fraction(progress));
                        });
                        return [out = std::move(out)](Napi::Env env) { return to_array(env, out); };
                      });
  });
}

}  // namespace

void register_measures(Napi::Env env, Napi::Object exports) {
  exports.Set("kendallTau", Napi::Function::New(env, matrix<kendall_tau>));
  exports.Set("kendallVariance", Napi::Function::New(env, variance));
  exports.Set("spearmanRho", Napi::Function::New(env, matrix<spearman_rho>));
  exports.Set("blomqvistBeta", Napi::Function::New(env, matrix<blomqvist_beta>));
  exports.Set("tailCurves", Napi::Function::New(env, tails));
  exports.Set("fieldBound", Napi::Function::New(env, bound));
}

}  // namespace sklar::addon
