#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "addon/common/cdc_model.hpp"
#include "addon/common/convert.hpp"
#include "addon/common/field_handle.hpp"
#include "addon/common/register.hpp"
#include "backend/rows/cube.h"
#include "core/normal.h"
#include "monte_carlo/cdc_path.hpp"
#include "monte_carlo/conditional.hpp"
#include "monte_carlo/field_path.hpp"
#include "monte_carlo/normaliser.hpp"

namespace sklar::addon {
namespace {

void expect_particles(std::size_t particles, std::size_t islands) {
  if (product(particles, islands) == 0 || particles * islands > 1u << 30)
    throw Error("VALUE", "expected 1 to 2^30 particles");
}

SmcOptions to_smc_options(const Napi::Object& o) {
  SmcOptions options;
  options.particles = to_size(field(o, "particles"), "particles");
  options.islands = to_size(field(o, "islands"), "islands");
  options.moves = to_size(field(o, "moves"), "moves");
  options.final_moves = to_size(field(o, "finalMoves"), "finalMoves");
  options.least_share = to_double(field(o, "leastShare"), "leastShare");
  options.target_acceptance = to_double(field(o, "targetAcceptance"), "targetAcceptance");
  options.seed = to_uint64(field(o, "seed"), "seed");
  expect_particles(options.particles, options.islands);
  return options;
}

// Values are on the Gaussian scale; on_cube: they become those of the cube.
Condition to_condition(const Napi::Object& o, const std::vector<double>& cholesky, std::size_t dim,
                       bool on_cube = false) {
  const auto columns = to_vector<std::int32_t>(field(o, "columns"), "columns");
  auto values = to_vector<double>(field(o, "values"), "values", columns.size());
  if (on_cube)
    for (double& value : values) value = normal_cdf(value);
  return {cholesky, dim, std::vector<std::size_t>(columns.begin(), columns.end()), values};
}

Job::Deliver deliver_sample(ConditionalSample result) {
  return deliver("values", std::move(result.z), "logMarginal", result.log_marginal, "standardError",
                 result.standard_error, "effective", result.effective, "ancestors", result.ancestors,
                 "acceptance", result.acceptance, "rHat", result.mixing.r_hat, "movesEffective",
                 result.mixing.effective);
}

auto to_value(const NormaliserEstimate& e) {
  return [e](Napi::Env env) {
    return to_object(env, "logZ", e.log_z, "standardError", e.standard_error, "effective", e.effective);
  };
}
auto to_value(std::vector<SmcStage> stages) {
  return [stages = std::move(stages)](Napi::Env env) {
    return to_array(env, stages, [env](const SmcStage& s) {
      return to_object(env, "level", s.level, "effective", s.effective, "acceptance", s.acceptance);
    });
  };
}

// Where a model has the densities of a path, and how it makes it: with(device, cancel, body),
// body(LevelPath<T>&, Backend<T>&).
template <class With>
struct PathOf {
  std::vector<double> cholesky, times;
  std::size_t dim;
  With with;
};

auto cdc_path(const Napi::Value& handle) {
  const CdcHandle model = to_cdc_handle(handle);
  const auto with = [model](const DeviceChoice& device, const CancelFlag& cancel, auto&& body) {
    with_cdc(*model, device, cancel, [&]<class T>(Cdc<T>& cdc, Backend<T>& backend) {
      CdcPath<T> path(cdc, cancel);
      body(static_cast<LevelPath<T>&>(path), backend);
    });
  };
  const CdcDefinition& d = model->definition;
  return PathOf<decltype(with)>{d.cholesky, d.times, d.network.inputs, with};
}

// Of a field that is a potential's, at times of the Ornstein-Uhlenbeck process, 0 first.
auto potential_path(const Napi::Value& handle, const std::vector<double>& times) {
  const FieldHandle source = to_field_handle(handle);
  if (source->process != Process::ou) throw Error("VALUE", "a potential has no densities on the cube");
  std::vector<double> angles;
  for (const double t : OuLevels(times).time) angles.push_back(OuProcess::angle(t));
  const auto with = [source, angles](const DeviceChoice& device, const CancelFlag& cancel, auto&& body) {
    with_field(*source, device, cancel, [&]<class T>(Backend<T>& backend, Field<T>& field) {
      FieldPath<T> path(backend, field, angles, cancel);
      body(static_cast<LevelPath<T>&>(path), backend);
    });
  };
  return PathOf<decltype(with)>{source->cholesky, times, source->dim, with};
}

template <class Path>
Napi::Value start_normaliser(const Napi::CallbackInfo& info, const Path& source, const Napi::Value& options,
                             const Napi::Value& device, const Napi::Value& on_progress) {
  return start_job(info, on_progress,
                   [source, options = to_smc_options(options.As<Napi::Object>()),
                    device = to_device_choice(device)](const CancelFlag& cancel, const Fraction& progress) {
                     Normaliser result;
                     source.with(device, cancel, [&]<class T>(LevelPath<T>& path, Backend<T>& backend) {
                       result = estimate_normaliser<T>(backend, path, options, cancel, progress);
                     });
                     return deliver("smc", to_value(result.smc), "monteCarlo", to_value(result.monte_carlo),
                                    "bennett", to_value(result.bennett), "stages",
                                    to_value(std::move(result.stages)));
                   });
}

Napi::Value normaliser(const Napi::CallbackInfo& info) {
  return start_normaliser(info, cdc_path(info[0]), info[1], info[2], info[3]);
}

Napi::Value potential_normaliser(const Napi::CallbackInfo& info) {
  return start_normaliser(info, potential_path(info[0], to_vector<double>(info[1], "times")), info[2],
                          info[3], info[4]);
}

template <class Path>
Napi::Value start_conditional(const Napi::CallbackInfo& info, const Path& source, const Napi::Value& given,
                              const Napi::Value& device, const Napi::Value& on_progress) {
  const auto o = given.As<Napi::Object>();
  const Condition condition = to_condition(o, source.cholesky, source.dim);
  const std::size_t rows = to_size(field(o, "rows"), "rows");
  product(rows, source.dim);
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
  return start_job(
      info, on_progress,
      [=, device = to_device_choice(device)](const CancelFlag& cancel, const Fraction& progress) {
        ConditionalSample result;
        const OuLevels levels(source.times);
        source.with(device, cancel, [&]<class T>(LevelPath<T>& path, Backend<T>& backend) {
          if (method == "smc")
            result = conditional_smc<T>(backend, path, condition, options, rows, cancel, progress);
          else if (method == "twisted")
            result =
                conditional_twisted<T>(backend, path, levels, condition, twisted, rows, cancel, progress);
          else
            result = conditional_replacement<T>(backend, path, levels, condition, replacement, rows, cancel,
                                                progress);
        });
        return deliver_sample(std::move(result));
      });
}

Napi::Value conditional(const Napi::CallbackInfo& info) {
  return start_conditional(info, cdc_path(info[0]), info[1], info[2], info[3]);
}

Napi::Value potential_conditional(const Napi::CallbackInfo& info) {
  return start_conditional(info, potential_path(info[0], to_vector<double>(info[1], "times")), info[2],
                           info[3], info[4]);
}

// Of any field, by the reverse SDE of its process.
Napi::Value field_conditional(const Napi::CallbackInfo& info) {
  const FieldHandle source = to_field_handle(info[0]);
  const auto o = info[1].As<Napi::Object>();
  const auto times = to_vector<double>(field(o, "times"), "times");
  const ReverseLevels levels = ReverseLevels::of(source->process, times);
  const Condition condition = to_condition(o, source->cholesky, source->dim, levels.folded);
  const std::size_t rows = to_size(field(o, "rows"), "rows");
  product(rows, source->dim);
  TwistedOptions options;
  options.particles = to_size(field(o, "particles"), "particles");
  options.islands = to_size(field(o, "islands"), "islands");
  options.least_share = to_double(field(o, "leastShare"), "leastShare");
  options.exact_steps = false;
  options.seed = to_uint64(field(o, "seed"), "seed");
  expect_particles(options.particles, options.islands);
  return start_job(
      info, info[3],
      [=, device = to_device_choice(info[2])](const CancelFlag& cancel, const Fraction& progress) {
        ConditionalSample result;
        with_field(*source, device, cancel, [&]<class T>(Backend<T>& backend, Field<T>& field) {
          FieldPath<T> path(backend, field, times, cancel);
          result = conditional_twisted<T>(backend, path, levels, condition, options, rows, cancel, progress);
        });
        if (levels.folded)
          for (double& z : result.z) z = rows::cube_value(z, true, false, [](double x) { return x; });
        return deliver_sample(std::move(result));
      });
}

}  // namespace

void register_smc(Napi::Env env, Napi::Object exports) {
  export_function<normaliser>(env, exports, "cdcNormaliser");
  export_function<conditional>(env, exports, "cdcConditional");
  export_function<potential_normaliser>(env, exports, "potentialNormaliser");
  export_function<potential_conditional>(env, exports, "potentialConditional");
  export_function<field_conditional>(env, exports, "fieldConditional");
}

}  // namespace sklar::addon
