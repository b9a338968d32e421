#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "addon/common/cdc_model.hpp"
#include "addon/common/convert.hpp"
#include "addon/common/register.hpp"
#include "monte_carlo/cdc_path.hpp"
#include "monte_carlo/conditional.hpp"
#include "monte_carlo/normaliser.hpp"

namespace sklar::addon {
namespace {

SmcOptions to_smc_options(const Napi::Object& o) {
  SmcOptions options;
  options.particles = to_size(field(o, "particles"), "particles");
  options.islands = to_size(field(o, "islands"), "islands");
  options.moves = to_size(field(o, "moves"), "moves");
  options.final_moves = to_size(field(o, "finalMoves"), "finalMoves");
  options.least_share = to_double(field(o, "leastShare"), "leastShare");
  options.target_acceptance = to_double(field(o, "targetAcceptance"), "targetAcceptance");
  options.seed = to_uint64(field(o, "seed"), "seed");
  if (product(options.particles, options.islands) == 0 || options.particles * options.islands > 1u << 30)
    throw Error("VALUE", "expected 1 to 2^30 particles");
  return options;
}

Napi::Array to_stages(Napi::Env env, const std::vector<SmcStage>& stages) {
  Napi::Array list = Napi::Array::New(env, stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    Napi::Object o = Napi::Object::New(env);
    o.Set("level", static_cast<double>(stages[i].level));
    o.Set("effective", stages[i].effective);
    o.Set("acceptance", stages[i].acceptance);
    list.Set(static_cast<std::uint32_t>(i), o);
  }
  return list;
}

Napi::Object to_estimate(Napi::Env env, const NormaliserEstimate& estimate) {
  Napi::Object o = Napi::Object::New(env);
  o.Set("logZ", estimate.log_z);
  o.Set("standardError", estimate.standard_error);
  o.Set("effective", estimate.effective);
  return o;
}

Napi::Value normaliser(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
  return Job::start(
      info.Env(), info[3],
      [model, options = to_smc_options(info[1].As<Napi::Object>()), device = to_device_choice(info[2])](
          const CancelFlag& cancel, const Job::Progress& progress) -> Job::Deliver {
        Normaliser result;
        with_cdc(*model, device, cancel, [&]<class T>(Cdc<T>& cdc, Backend<T>& backend) {
          CdcPath<T> path(cdc, cancel);
          result = estimate_normaliser<T>(backend, path, options, cancel, to_fraction(progress));
        });
        return [result = std::move(result)](Napi::Env env) -> Napi::Value {
          Napi::Object o = Napi::Object::New(env);
          o.Set("smc", to_estimate(env, result.smc));
          o.Set("monteCarlo", to_estimate(env, result.monte_carlo));
          o.Set("bennett", to_estimate(env, result.bennett));
          o.Set("stages", to_stages(env, result.stages));
          return o;
        };
      });
}

Napi::Value conditional(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
  const auto o = info[1].As<Napi::Object>();
  const auto columns = to_vector<std::int32_t>(field(o, "columns"), "columns");
  const CdcDefinition& definition = model->definition;
  const Condition condition(definition.cholesky, definition.network.inputs,
                            std::vector<std::size_t>(columns.begin(), columns.end()),
                            to_vector<double>(field(o, "values"), "values", columns.size()));
  const std::size_t rows = to_size(field(o, "rows"), "rows");
  product(rows, definition.network.inputs);
  const std::string method = to_string(field(o, "method"), "method");
  const SmcOptions options = to_smc_options(o);
  const Polish polish{to_size(field(o, "polish"), "polish"), options.target_acceptance};
  ReplacementOptions replacement;
  replacement.loops = std::max<std::size_t>(1, to_size(field(o, "loops"), "loops"));
  replacement.polish = polish;
  replacement.seed = options.seed;
  TwistedOptions twisted;
  twisted.particles = options.particles;
  twisted.islands = options.islands;
  twisted.least_share = options.least_share;
  twisted.exact_steps = to_bool(field(o, "exactSteps"), "exactSteps");
  twisted.polish = polish;
  twisted.seed = options.seed;
  if (method != "smc" && method != "twisted" && method != "replacement")
    throw Error("VALUE", "expected smc, twisted or replacement for method, got " + method);
  return Job::start(info.Env(), info[3],
                    [=, device = to_device_choice(info[2])](const CancelFlag& cancel,
                                                            const Job::Progress& progress) -> Job::Deliver {
                      ConditionalSample result;
                      with_cdc(*model, device, cancel, [&]<class T>(Cdc<T>& cdc, Backend<T>& backend) {
                        CdcPath<T> path(cdc, cancel);
                        const Fraction fraction = to_fraction(progress);
                        if (method == "smc")
                          result =
                              conditional_smc<T>(backend, path, condition, options, rows, cancel, fraction);
                        else if (method == "twisted")
                          result = conditional_twisted<T>(backend, path, cdc.levels(), condition, twisted,
                                                          rows, cancel, fraction);
                        else
                          result = conditional_replacement<T>(backend, path, cdc.levels(), condition,
                                                              replacement, rows, cancel, fraction);
                      });
                      return [result = std::move(result)](Napi::Env env) -> Napi::Value {
                        Napi::Object r = Napi::Object::New(env);
                        r.Set("values", to_array(env, result.z));
                        r.Set("logMarginal", result.log_marginal);
                        r.Set("standardError", result.standard_error);
                        r.Set("effective", result.effective);
                        r.Set("ancestors", static_cast<double>(result.ancestors));
                        r.Set("acceptance", result.acceptance);
                        r.Set("rHat", result.mixing.r_hat);
                        r.Set("movesEffective", result.mixing.effective);
                        return r;
                      };
                    });
}

}  // namespace

void register_smc(Napi::Env env, Napi::Object exports) {
  export_function<normaliser>(env, exports, "cdcNormaliser");
  export_function<conditional>(env, exports, "cdcConditional");
}

}  // namespace sklar::addon
