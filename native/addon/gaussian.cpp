#include "classical/gaussian.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "monte_carlo/conditional.hpp"

namespace sklar::addon {
namespace {

Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[3], "rows"), dim = to_size(info[4], "dim"),
                    threads = to_size(info[5], "threads");
  return start_array_job(
      info, [l = to_vector<double>(info[0], "factor", product(dim, dim)),
             x = to_vector<double>(info[1], "x", product(rows, dim)),
             from_gaussian = to_bool(info[2], "fromGaussian"), rows, dim, threads](const CancelFlag& cancel) {
        std::vector<double> out(rows);
        gaussian_log_pdf(threads, l, x.data(), from_gaussian, rows, dim, out.data(), cancel);
        return out;
      });
}

Napi::Value sample(const Napi::CallbackInfo& info) {
  const std::size_t dim = to_size(info[1], "dim"), rows = to_size(info[2], "rows"),
                    threads = to_size(info[6], "threads");
  return start_array_job(
      info,
      [l = to_vector<double>(info[0], "factor", product(dim, dim)), dim, rows, size = product(rows, dim),
       seed = to_uint64(info[3], "seed"), first = to_uint64(info[4], "firstRow"),
       to_gaussian = to_bool(info[5], "toGaussian"), threads](const CancelFlag& cancel) {
        std::vector<double> out(size);
        gaussian_sample(threads, l, dim, rows, seed, first, to_gaussian, out.data(), cancel);
        return out;
      });
}

Napi::Value conditional(const Napi::CallbackInfo& info) {
  const std::size_t dim = to_size(info[1], "dim"), rows = to_size(info[4], "rows");
  const auto columns = to_vector<std::int32_t>(info[2], "columns");
  product(rows, dim);
  const Condition condition(to_vector<double>(info[0], "factor", product(dim, dim)), dim,
                            std::vector<std::size_t>(columns.begin(), columns.end()),
                            to_vector<double>(info[3], "values", columns.size()));
  return Job::start(info.Env(), info.Env().Undefined(),
                    [=, seed = to_uint64(info[5], "seed"), threads = to_size(info[6], "threads")](
                        const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
                      auto z = gaussian_conditional(threads, condition, rows, seed, cancel);
                      return [z = std::move(z), log_marginal = condition.log_reference](Napi::Env env) {
                        Napi::Object r = Napi::Object::New(env);
                        r.Set("values", to_array(env, z));
                        r.Set("logMarginal", log_marginal);
                        return r;
                      };
                    });
}

}  // namespace

void register_gaussian(Napi::Env env, Napi::Object exports) {
  export_function<log_pdf>(env, exports, "gaussianLogPdf");
  export_function<sample>(env, exports, "gaussianSample");
  export_function<conditional>(env, exports, "gaussianConditional");
}

}  // namespace sklar::addon
