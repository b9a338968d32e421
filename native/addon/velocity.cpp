#include "fields/velocity_field.hpp"

#include <cmath>
#include <utility>

#include "addon/common/convert.hpp"
#include "addon/common/field_handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "addon/common/train.hpp"
#include "train/velocity_objective.hpp"

namespace sklar::addon {
namespace {

VelocityDefinition to_definition(const Napi::Object& o) {
  VelocityDefinition d;
  d.process = process_of(to_string(field(o, "process"), "process"));
  d.published = to_bool(field(o, "published"), "published");
  d.potential = to_bool(field(o, "potential"), "potential");
  d.dim = to_size(field(o, "dim"), "dim");
  d.frequencies = to_size(field(o, "frequencies"), "frequencies");
  d.hidden = to_size(field(o, "hiddenDim"), "hiddenDim");
  d.depth = to_size(field(o, "depth"), "depth");
  d.activation = to_string(field(o, "activation"), "activation") == "published" ? Activation::published
                                                                                : Activation::silu;
  d.members = to_size(field(o, "members"), "members");
  d.cholesky = to_vector_or_empty<double>(field(o, "cholesky"), "cholesky", product(d.dim, d.dim));
  if (d.members < 1 || d.members > 64)
    throw Error("VALUE", "velocity head: members must lie between 1 and 64");
  for (const std::size_t n : {d.dim, d.hidden, d.depth})
    if (n < 1 || n > 65536) throw Error("VALUE", "velocity head: every size must lie between 1 and 65536");
  if (d.frequencies > 64 || (d.frequencies > 0) != velocity_lifts(d.head()))
    throw Error("VALUE", "velocity head: frequencies belong to processes on the cube, between 1 and 64");
  if (on_cube(d.process) && !d.cholesky.empty())
    throw Error("VALUE", "velocity head: a process on the cube has no guide");
  if (d.potential && (on_cube(d.process) || d.activation == Activation::published))
    throw Error("VALUE", "velocity head: a potential belongs to the Ornstein-Uhlenbeck process and to silu");
  if (d.published && d.process != Process::reflection)
    throw Error("VALUE", "velocity head: the published network belongs to the reflection process");
  return d;
}

std::size_t parameter_count(const VelocityDefinition& d) {
  const auto last = d.slices().back();
  return last.offset + Network<float>::slice_size(last);
}

Napi::Value slices(const Napi::CallbackInfo& info) {
  return to_array(info.Env(), to_definition(info[0].As<Napi::Object>()).slices());
}

Napi::Value create(const Napi::CallbackInfo& info) {
  const VelocityDefinition d = to_definition(info[0].As<Napi::Object>());
  FieldSource source;
  source.process = d.process;
  source.dim = d.dim;
  source.reference = to_double(info[2], "reference");
  source.cholesky = d.cholesky;
  const auto take = [&]<class T>(std::function<std::shared_ptr<Field<T>>(Backend<T>&)>& make) {
    const auto parameters =
        std::make_shared<const std::vector<T>>(to_vector<T>(info[1], "parameters", parameter_count(d)));
    make = [d, parameters](Backend<T>& backend) {
      return std::make_unique<VelocityField<T>>(backend, d, *parameters);
    };
  };
  if (is_array_of<double>(info[1]))
    take(source.in_double);
  else
    take(source.in_float);
  return to_external(info.Env(), std::make_shared<const FieldSource>(std::move(source)));
}

TimeLaw to_law(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("VALUE", "expected an object for timeLaw");
  const auto o = value.As<Napi::Object>();
  const std::string kind = to_string(field(o, "kind"), "timeLaw.kind");
  TimeLaw law{TimeLaw::Kind::uniform, to_double(field(o, "low"), "timeLaw.low"),
              to_double(field(o, "high"), "timeLaw.high")};
  if (kind == "quartic")
    law.kind = TimeLaw::Kind::quartic;
  else if (kind == "logarithmic")
    law.kind = TimeLaw::Kind::logarithmic;
  else if (kind == "log-sine")
    law.kind = TimeLaw::Kind::log_sine;
  else if (kind != "uniform")
    throw Error("VALUE", "unknown law of times \"" + kind + "\"");
  const bool logarithmic = kind == "logarithmic" || kind == "log-sine";
  if (!(law.low >= 0 && law.high > law.low && std::isfinite(law.high)) || (logarithmic && !(law.low > 0)))
    throw Error("VALUE", "law of times: expected 0 <= low < high (0 < low for a logarithmic one)");
  return law;
}

struct TrainInput {
  VelocityDefinition definition;
  TimeLaw law;
  double slope_weight;
  TrainCall call;
};

Job::Deliver train(const TrainInput& in, const CancelFlag& cancel, const Job::Progress& progress) {
  const TrainCall& call = in.call;
  const auto backend = make_backend<float>(call.device);
  backend->watch(&cancel);
  const VelocityDefinition& definition = in.definition;
  const auto network = make_velocity_network<float>(*backend, definition);
  VelocityObjective<float> objective(*backend, *network, definition.head(), in.law,
                                     call.batch * definition.members, in.slope_weight);
  std::unique_ptr<VelocityObjective<float>> validation;
  if (call.validation_rows)
    validation = std::make_unique<VelocityObjective<float>>(*backend, *network, definition.head(), in.law,
                                                            call.validation_batch(), in.slope_weight);
  return run_training({*backend, *network, objective, validation.get(), definition.dim,
                       on_cube(definition.process), !definition.published, definition.members},
                      call, cancel, progress);
}

Napi::Value start_training(const Napi::CallbackInfo& info) {
  const auto o = info[0].As<Napi::Object>();
  TrainInput in;
  in.definition = to_definition(field(o, "definition").As<Napi::Object>());
  in.law = to_law(field(o, "timeLaw"));
  in.slope_weight = to_double(field(o, "slopeWeight"), "slopeWeight");
  in.call = to_train_call(o, in.definition.dim);
  return start_training_job(info, std::move(in), train);
}

}  // namespace

void register_velocity(Napi::Env env, Napi::Object exports) {
  export_function<slices>(env, exports, "velocitySlices");
  export_function<create>(env, exports, "velocityFieldHandle");
  export_function<start_training>(env, exports, "velocityTrain");
}

}  // namespace sklar::addon
