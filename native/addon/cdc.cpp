#include "model/cdc.hpp"

#include <memory>

#include "addon/common/cdc_model.hpp"
#include "addon/common/convert.hpp"
#include "addon/common/field_handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "addon/common/train.hpp"
#include "core/check_rows.hpp"
#include "integrate/steps/clock.hpp"
#include "train/cdc_objective.hpp"

namespace sklar::addon {
namespace {

constexpr napi_type_tag cdc_tag = {0x7e1f5a3c9b2d4e60, 0x8a4c1d7e3f5b6902};

using Model = CdcModel;
using Handle = CdcHandle;

ResidualMlpShape to_shape(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("VALUE", "expected an object for network");
  const auto o = value.As<Napi::Object>();
  ResidualMlpShape shape{};
  shape.inputs = to_size(field(o, "inputDim"), "inputDim");
  shape.hidden = to_size(field(o, "hiddenDim"), "hiddenDim");
  shape.depth = to_size(field(o, "depth"), "depth");
  shape.outputs = to_size(field(o, "outputDim"), "outputDim");
  shape.activation = to_string(field(o, "activation"), "activation") == "published" ? Activation::published
                                                                                    : Activation::silu;
  for (const std::size_t n : {shape.inputs, shape.hidden, shape.depth, shape.outputs})
    if (n < 1 || n > 65536) throw Error("VALUE", "network: every size must lie between 1 and 65536");
  return shape;
}

Handle to_handle(const Napi::Value& value) { return to_cdc_handle(value); }

// body(Cdc<T>&) with a backend of the precision of the parameters
template <class Body>
void with_model(const Model& model, const DeviceChoice& device, const CancelFlag& cancel, Body&& body) {
  with_cdc(model, device, cancel, [&](auto& cdc, auto&) { body(cdc); });
}

// cdcSlices(network: NetworkShape): ParameterSlice[]
Napi::Value slices(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return to_array(info.Env(), residual_mlp_slices(to_shape(info[0])));
  });
}

// cdcCreate(definition: CdcNativeDefinition): CdcHandle
Napi::Value create(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto o = info[0].As<Napi::Object>();
    auto model = std::make_shared<Model>();
    CdcDefinition& d = model->definition;
    d.network = to_shape(field(o, "network"));
    d.times = to_vector<double>(field(o, "times"), "times", d.network.outputs);
    OuLevels checked(d.times);
    const std::size_t square = d.network.inputs * d.network.inputs;
    d.cholesky = to_vector_or_empty<double>(field(o, "cholesky"), "cholesky", square);
    d.correlation = to_vector_or_empty<double>(field(o, "correlation"), "correlation", square);
    const auto last = residual_mlp_slices(d.network).back();
    const std::size_t count = last.offset + Network<float>::slice_size(last);
    const Napi::Value parameters = field(o, "parameters");
    in_precision_of(parameters,
                    [&]<class T>() { model->parameters = to_vector<T>(parameters, "parameters", count); });
    const auto bytes =
        static_cast<std::int64_t>(count * (is_array_of<double>(parameters) ? 8 : 4) + 16 * square);
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), bytes);
    auto external = Napi::External<Handle>::New(info.Env(), new Handle(std::move(model)),
                                                [bytes](Napi::Env env, Handle* h) {
                                                  delete h;
                                                  Napi::MemoryManagement::AdjustExternalMemory(env, -bytes);
                                                });
    external.TypeTag(&cdc_tag);
    return external;
  });
}

// cdcLogPdf(handle: CdcHandle, x: Float64Array, fromGaussian: boolean, rows: number, level: number, device:
// NativeDevice,
//           onProgress?: (fraction: number) => void): NativeJob<Float64Array>
Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Handle model = to_handle(info[0]);
    const std::size_t rows = to_size(info[3], "rows");
    return Job::start(
        info.Env(), info[6],
        [model, rows, x = to_vector<double>(info[1], "x", product(rows, model->definition.network.inputs)),
         from_gaussian = to_bool(info[2], "fromGaussian"), level = to_size(info[4], "level"),
         device = to_device_choice(info[5])](const CancelFlag& cancel,
                                             const Job::Progress& progress) -> Job::Deliver {
          std::vector<double> out(rows);
          with_model(*model, device, cancel, [&](auto& cdc) {
            cdc.log_pdf(x.data(), from_gaussian, rows, level, out.data(), cancel, to_fraction(progress));
          });
          return [out = std::move(out)](Napi::Env env) { return to_array(env, out); };
        });
  });
}

// cdcField(handle: CdcHandle, z: Float64Array, rows: number, level: number, device: NativeDevice):
// NativeJob<Float64Array>
Napi::Value cdc_field(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Handle model = to_handle(info[0]);
    const std::size_t rows = to_size(info[2], "rows"), size = product(rows, model->definition.network.inputs);
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [model, rows, size, z = to_vector<double>(info[1], "z", size), level = to_size(info[3], "level"),
         device = to_device_choice(info[4])](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
          std::vector<double> out(size);
          with_model(*model, device, cancel,
                     [&](auto& cdc) { cdc.field(z.data(), rows, level, out.data(), cancel); });
          return [out = std::move(out)](Napi::Env env) { return to_array(env, out); };
        });
  });
}

// cdcLogits(handle: CdcHandle, z: Float64Array, rows: number, device: NativeDevice): NativeJob<Float64Array>
Napi::Value logits(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Handle model = to_handle(info[0]);
    const std::size_t rows = to_size(info[2], "rows");
    return Job::start(
        info.Env(), info.Env().Undefined(),
        [model, rows, z = to_vector<double>(info[1], "z", product(rows, model->definition.network.inputs)),
         device = to_device_choice(info[3])](const CancelFlag& cancel, const Job::Progress&) -> Job::Deliver {
          std::vector<double> out(product(rows, model->definition.network.outputs));
          with_model(*model, device, cancel,
                     [&](auto& cdc) { cdc.logits(z.data(), rows, out.data(), cancel); });
          return [out = std::move(out)](Napi::Env env) { return to_array(env, out); };
        });
  });
}

// cdcFieldHandle(handle: CdcHandle): FieldHandle
Napi::Value field_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Handle model = to_handle(info[0]);
    auto source = std::make_shared<FieldSource>();
    source->process = Process::ou;
    source->dim = model->definition.network.inputs;
    source->reference = OuProcess::angle(model->definition.times.back());
    source->cholesky = model->definition.cholesky;
    if (std::holds_alternative<std::vector<float>>(model->parameters))
      source->in_float = [model](Backend<float>& backend) {
        return make_cdc_field(backend, model->definition, std::get<std::vector<float>>(model->parameters));
      };
    else
      source->in_double = [model](Backend<double>& backend) {
        return make_cdc_field(backend, model->definition, std::get<std::vector<double>>(model->parameters));
      };
    return to_external(info.Env(), std::move(source));
  });
}

// cdcSamplePublished(handle: CdcHandle, options: CdcNativePublishedOptions, device: NativeDevice,
// onProgress?: (fraction: number) => void): NativeJob<{values: Float64Array; evaluations: number; clamped:
// number }>
Napi::Value sample_as_published(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Handle model = to_handle(info[0]);
    const auto o = info[1].As<Napi::Object>();
    const bool noisy = to_bool(field(o, "noisy"), "noisy");
    const std::size_t rows = to_size(field(o, "rows"), "rows"),
                      size = product(rows, model->definition.network.inputs);
    const std::size_t steps = to_size(field(o, "steps"), "steps");
    const std::uint64_t seed = to_uint64(field(o, "seed"), "seed"),
                        first = to_uint64(field(o, "firstRow"), "firstRow");
    const bool to_gaussian = to_bool(field(o, "toGaussian"), "toGaussian");
    return Job::start(info.Env(), info[3],
                      [=, start = to_vector_or_empty<double>(field(o, "start"), "start", size),
                       device = to_device_choice(info[2])](const CancelFlag& cancel,
                                                           const Job::Progress& progress) -> Job::Deliver {
                        std::vector<double> out(size);
                        PublishedStatistics statistics;
                        with_model(*model, device, cancel, [&](auto& cdc) {
                          typename std::decay_t<decltype(cdc)>::PublishedOptions options{
                              noisy, steps, seed, first, to_gaussian, start.empty() ? nullptr : start.data()};
                          statistics = cdc.sample_as_published(options, rows, out.data(), cancel,
                                                               to_fraction(progress));
                        });
                        return [out = std::move(out), statistics](Napi::Env env) -> Napi::Value {
                          Napi::Object result = Napi::Object::New(env);
                          result.Set("values", to_array(env, out));
                          result.Set("evaluations", static_cast<double>(statistics.evaluations));
                          result.Set("clamped", static_cast<double>(statistics.clamped));
                          return result;
                        };
                      });
  });
}

struct TrainInput {
  ResidualMlpShape network;
  std::vector<double> times;
  bool stratified_levels;
  double cross_entropy_weight;
  TrainCall call;
};

Job::Deliver train(const TrainInput& in, const CancelFlag& cancel, const Job::Progress& progress) {
  const TrainCall& call = in.call;
  const auto backend = make_backend<float>(call.device);
  backend->watch(&cancel);
  const auto network = make_residual_mlp<float>(*backend, in.network);
  const OuLevels levels(in.times);
  CdcObjective<float> objective(*backend, *network, levels, call.batch);
  if (in.stratified_levels)
    objective.use_stratified_levels(in.cross_entropy_weight);
  else
    objective.use_published_levels(in.cross_entropy_weight);
  std::unique_ptr<CdcObjective<float>> validation;
  if (call.validation_rows) {
    validation = std::make_unique<CdcObjective<float>>(*backend, *network, levels, call.validation_batch());
    validation->use_stratified_levels(in.cross_entropy_weight);
  }
  const auto whitened = [&](const TrainCall::Model& model, const std::vector<double>& u, std::size_t rows) {
    check_training_rows(u.data(), rows, in.network.inputs);
    Matrix<float> y = backend->matrix(rows, in.network.inputs + 1);
    backend->whiten(y, u.data(), false, model.cholesky.empty() ? nullptr : model.cholesky.data(), nullptr);
    return y;
  };
  const auto initial = [&](std::uint64_t seed) {
    return initial_parameters<float>(network->slices(), seed, true);
  };
  return run_training({*backend, *network, objective, validation.get(), whitened, false, initial}, call,
                      cancel, progress);
}

// cdcTrain(options: CdcNativeTrainOptions, onReport?: (reports: NativeTrainReport[]) => void):
// NativeJob<NativeTrainResult[] | null>
Napi::Value start_training(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto o = info[0].As<Napi::Object>();
    TrainInput in;
    in.network = to_shape(field(o, "network"));
    in.times = to_vector<double>(field(o, "times"), "times", in.network.outputs);
    in.stratified_levels = to_bool(field(o, "stratifiedLevels"), "stratifiedLevels");
    in.cross_entropy_weight = to_double(field(o, "crossEntropyWeight"), "crossEntropyWeight");
    in.call = to_train_call(o, in.network.inputs);
    return start_training_job(info, std::move(in), train);
  });
}

}  // namespace

CdcHandle to_cdc_handle(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<Handle>>().CheckTypeTag(&cdc_tag))
    throw Error("VALUE", "expected a handle made by cdcCreate");
  return *value.As<Napi::External<Handle>>().Data();
}

void register_cdc(Napi::Env env, Napi::Object exports) {
  exports.Set("cdcSlices", Napi::Function::New(env, slices));
  exports.Set("cdcCreate", Napi::Function::New(env, create));
  exports.Set("cdcLogPdf", Napi::Function::New(env, log_pdf));
  exports.Set("cdcField", Napi::Function::New(env, cdc_field));
  exports.Set("cdcLogits", Napi::Function::New(env, logits));
  exports.Set("cdcFieldHandle", Napi::Function::New(env, field_of));
  exports.Set("cdcSamplePublished", Napi::Function::New(env, sample_as_published));
  exports.Set("cdcTrain", Napi::Function::New(env, start_training));
}

}  // namespace sklar::addon
