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

Napi::Value slices(const Napi::CallbackInfo& info) {
  return to_array(info.Env(), residual_mlp_slices(to_shape(info[0])));
}

Napi::Value create(const Napi::CallbackInfo& info) {
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
  return to_external<Model>(info.Env(), std::move(model), cdc_tag, bytes);
}

Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
  const std::size_t rows = to_size(info[3], "rows");
  return start_job(
      info, info[6],
      [model, rows, x = to_vector<double>(info[1], "x", product(rows, model->definition.network.inputs)),
       from_gaussian = to_bool(info[2], "fromGaussian"), level = to_size(info[4], "level"),
       device = to_device_choice(info[5])](const CancelFlag& cancel, const Fraction& progress) {
        std::vector<double> out(rows);
        with_cdc(*model, device, cancel, [&](auto& cdc, auto&) {
          cdc.log_pdf(x.data(), from_gaussian, rows, level, out.data(), cancel, progress);
        });
        return out;
      });
}

Napi::Value gradient(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
  const std::size_t rows = to_size(info[2], "rows"), size = product(rows, model->definition.network.inputs);
  return start_job(
      info, [model, rows, size, z = to_vector<double>(info[1], "z", size), level = to_size(info[3], "level"),
             device = to_device_choice(info[4])](const CancelFlag& cancel) {
        std::vector<double> out(size);
        with_cdc(*model, device, cancel,
                 [&](auto& cdc, auto&) { cdc.field(z.data(), rows, level, out.data(), cancel); });
        return out;
      });
}

Napi::Value logits(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
  const std::size_t rows = to_size(info[2], "rows");
  return start_job(
      info,
      [model, rows, z = to_vector<double>(info[1], "z", product(rows, model->definition.network.inputs)),
       device = to_device_choice(info[3])](const CancelFlag& cancel) {
        std::vector<double> out(product(rows, model->definition.network.outputs));
        with_cdc(*model, device, cancel,
                 [&](auto& cdc, auto&) { cdc.logits(z.data(), rows, out.data(), cancel); });
        return out;
      });
}

Napi::Value field_of(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
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
}

Napi::Value sample_as_published(const Napi::CallbackInfo& info) {
  const CdcHandle model = to_cdc_handle(info[0]);
  const auto o = info[1].As<Napi::Object>();
  const bool noisy = to_bool(field(o, "noisy"), "noisy");
  const std::size_t rows = to_size(field(o, "rows"), "rows"),
                    size = product(rows, model->definition.network.inputs);
  const std::size_t steps = to_size(field(o, "steps"), "steps");
  const std::uint64_t seed = to_uint64(field(o, "seed"), "seed"),
                      first = to_uint64(field(o, "firstRow"), "firstRow");
  const bool to_gaussian = to_bool(field(o, "toGaussian"), "toGaussian");
  return start_job(info, info[3],
                   [=, start = to_vector_or_empty<double>(field(o, "start"), "start", size),
                    device = to_device_choice(info[2])](const CancelFlag& cancel, const Fraction& progress) {
                     std::vector<double> out(size);
                     with_cdc(*model, device, cancel, [&](auto& cdc, auto&) {
                       cdc.sample_as_published(
                           {noisy, steps, seed, first, to_gaussian, start.empty() ? nullptr : start.data()},
                           rows, out.data(), cancel, progress);
                     });
                     return out;
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
  return run_training({*backend, *network, objective, validation.get(), in.network.inputs, false, true}, call,
                      cancel, progress);
}

Napi::Value start_training(const Napi::CallbackInfo& info) {
  const auto o = info[0].As<Napi::Object>();
  TrainInput in;
  in.network = to_shape(field(o, "network"));
  in.times = to_vector<double>(field(o, "times"), "times", in.network.outputs);
  in.stratified_levels = to_bool(field(o, "stratifiedLevels"), "stratifiedLevels");
  in.cross_entropy_weight = to_double(field(o, "crossEntropyWeight"), "crossEntropyWeight");
  in.call = to_train_call(o, in.network.inputs);
  return start_training_job(info, std::move(in), train);
}

}  // namespace

CdcHandle to_cdc_handle(const Napi::Value& value) {
  return from_external<Model>(value, cdc_tag, "cdcCreate");
}

void register_cdc(Napi::Env env, Napi::Object exports) {
  export_function<slices>(env, exports, "cdcSlices");
  export_function<create>(env, exports, "cdcCreate");
  export_function<log_pdf>(env, exports, "cdcLogPdf");
  export_function<gradient>(env, exports, "cdcGradient");
  export_function<logits>(env, exports, "cdcLogits");
  export_function<field_of>(env, exports, "cdcFieldHandle");
  export_function<sample_as_published>(env, exports, "cdcSamplePublished");
  export_function<start_training>(env, exports, "cdcTrain");
}

}  // namespace sklar::addon
