#include <algorithm>
#include <limits>

#include "addon/common/convert.hpp"
#include "addon/common/field_handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "model/field_bound.hpp"
#include "model/field_rows.hpp"

namespace sklar::addon {
namespace {

struct Call {
  FieldHandle source;
  SolverOptions options;
  std::size_t rows = 0;
  bool from_gaussian = false, to_gaussian = false;
  DeviceChoice device;

  std::size_t values() const { return product(rows, source->dim); }
  RowScale scale() const {
    return {source->cholesky.empty() ? nullptr : source->cholesky.data(), nullptr, from_gaussian,
            to_gaussian};
  }
};

Call to_call(const Napi::Value& handle, const Napi::Object& o) {
  Call call;
  call.source = to_field_handle(handle);
  SolverOptions& s = call.options;
  s.solver = parse_solver(to_string(field(o, "solver"), "solver"));
  s.clock = parse_clock(to_string(field(o, "clock"), "clock"));
  const Napi::Value nodes = field(o, "nodes");
  if (!is_array_of<double>(nodes)) throw Error("VALUE", "expected a Float64Array for nodes");
  s.nodes = to_vector<double>(nodes, "nodes", nodes.As<Napi::TypedArray>().ElementLength());
  s.adaptive = to_bool(field(o, "adaptive"), "adaptive");
  s.rtol = to_double(field(o, "rtol"), "rtol");
  s.atol = to_double(field(o, "atol"), "atol");
  s.eta = to_double(field(o, "eta"), "eta");
  s.corrector_steps = to_size(field(o, "correctorSteps"), "correctorSteps");
  s.corrector_size = to_double(field(o, "correctorSize"), "correctorSize");
  s.brownian = to_bool(field(o, "brownianTree"), "brownianTree") ? Brownian::tree : Brownian::steps;
  s.seed = to_uint64(field(o, "seed"), "seed");
  s.first_row = to_uint64(field(o, "firstRow"), "firstRow");
  call.rows = to_size(field(o, "rows"), "rows");
  call.from_gaussian = to_bool(field(o, "fromGaussian"), "fromGaussian");
  call.to_gaussian = to_bool(field(o, "toGaussian"), "toGaussian");
  call.device = to_device_choice(field(o, "device"));
  return call;
}

TraceEstimator to_trace(const Napi::Object& o, const SolverOptions& options) {
  const std::string kind = to_string(field(o, "trace"), "trace");
  TraceEstimator trace;
  trace.probes = to_size(field(o, "probes"), "probes");
  trace.seed = options.seed;
  trace.first_row = options.first_row;
  if (kind == "rademacher")
    trace.kind = TraceEstimator::Kind::rademacher;
  else if (kind == "gaussian")
    trace.kind = TraceEstimator::Kind::gaussian;
  else if (kind == "hutch++")
    trace.kind = TraceEstimator::Kind::hutchpp;
  else if (kind != "exact")
    throw Error("VALUE", "unknown trace \"" + kind + "\"");
  if (trace.columns() < 1 || (trace.kind == TraceEstimator::Kind::hutchpp && trace.probes % 3 != 0))
    throw Error("VALUE", "expected probes for an estimate of the trace, of hutch++ a multiple of 3");
  return trace;
}

// { values: Float64Array; ... } with what else belongs to it
template <class... Parts>
Job::Deliver deliver_values(std::vector<double> values, const SolverStatistics& s, Parts... parts) {
  const double rows = static_cast<double>(std::max<std::uint64_t>(s.rows, 1));
  return deliver("values", std::move(values), "evaluations", static_cast<double>(s.evaluations) / rows,
                 "mostEvaluations", s.most_evaluations, "accepted", static_cast<double>(s.accepted) / rows,
                 "rejected", static_cast<double>(s.rejected) / rows, std::move(parts)...);
}

Napi::Value reference(const Napi::CallbackInfo& info) {
  const FieldHandle source = to_field_handle(info[0]);
  return to_object(info.Env(), "process", name_of(source->process), "dim", source->dim, "reference",
                   source->reference, "scalar", source->in_float ? "float32" : "float64");
}

Napi::Value sample(const Napi::CallbackInfo& info) {
  const auto o = info[1].As<Napi::Object>();
  Call call = to_call(info[0], o);
  const auto knots =
      to_vector_or_empty<double>(field(o, "marginMaps"), "marginMaps", call.source->dim * MarginMaps::knots);
  const auto maps = knots.empty() ? nullptr : std::make_shared<const MarginMaps>(knots);
  auto start = to_vector_or_empty<double>(field(o, "start"), "start", call.values());
  return start_job(info, info[2],
                   [call = std::move(call), maps, start = std::move(start)](const CancelFlag& cancel,
                                                                            const Fraction& progress) {
                     std::vector<double> out(call.values());
                     SolverStatistics statistics;
                     RowScale scale = call.scale();
                     scale.maps = maps.get();
                     with_field(*call.source, call.device, cancel, [&](auto& backend, auto& field) {
                       statistics = sample_field(backend, field, call.options, scale,
                                                 start.empty() ? nullptr : start.data(), call.rows,
                                                 out.data(), cancel, progress);
                     });
                     return deliver_values(std::move(out), statistics);
                   });
}

Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  const auto o = info[1].As<Napi::Object>();
  Call call = to_call(info[0], o);
  auto x = to_vector<double>(field(o, "x"), "x", call.values());
  const TraceEstimator trace = to_trace(o, call.options);
  return start_job(
      info, info[2],
      [call = std::move(call), x = std::move(x), trace](const CancelFlag& cancel, const Fraction& progress) {
        std::vector<double> end(call.values()), density(call.rows), error(call.rows);
        SolverStatistics statistics;
        FlowLikelihood likelihood;
        likelihood.trace = trace;
        likelihood.end = end.data();
        likelihood.log_pdf = density.data();
        likelihood.standard_error = error.data();
        with_field(*call.source, call.device, cancel, [&](auto& backend, auto& field) {
          statistics = flow_log_pdf(backend, field, call.options, call.scale(), x.data(), call.rows,
                                    likelihood, cancel, progress);
        });
        return deliver_values(std::move(end), statistics, "logPdf", std::move(density), "standardError",
                              std::move(error));
      });
}

Napi::Value bound(const Napi::CallbackInfo& info) {
  const FieldHandle source = to_field_handle(info[0]);
  const std::size_t rows = to_size(info[3], "rows");
  const FieldBoundOptions options{
      source->reference,         source->cholesky,           to_bool(info[2], "fromGaussian"),
      to_size(info[4], "draws"), to_uint64(info[5], "seed"), to_uint64(info[6], "firstRow")};
  return start_job(info, info[8],
                   [source, options, rows, x = to_vector<double>(info[1], "x", product(rows, source->dim)),
                    device = to_device_choice(info[7])](const CancelFlag& cancel, const Fraction& progress) {
                     std::vector<double> out(rows);
                     with_field(*source, device, cancel, [&](auto& backend, auto& field) {
                       field_bound(backend, field, options, x.data(), rows, out.data(), cancel, progress);
                     });
                     return out;
                   });
}

Napi::Value potential(const Napi::CallbackInfo& info) {
  const FieldHandle source = to_field_handle(info[0]);
  const std::size_t rows = to_size(info[3], "rows");
  return start_job(info, info[6],
                   [source, rows, x = to_vector<double>(info[1], "x", product(rows, source->dim)),
                    from_gaussian = to_bool(info[2], "fromGaussian"), time = to_double(info[4], "time"),
                    device = to_device_choice(info[5])](const CancelFlag& cancel, const Fraction& progress) {
                     std::vector<double> out(rows);
                     const RowScale scale{source->cholesky.empty() ? nullptr : source->cholesky.data(),
                                          nullptr, from_gaussian, from_gaussian};
                     with_field(*source, device, cancel, [&](auto& backend, auto& field) {
                       potential_log_pdf(backend, field, time, scale, x.data(), rows, out.data(), cancel,
                                         progress);
                     });
                     return out;
                   });
}

Napi::Value margin_knots(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), dim = to_size(info[2], "dim");
  return start_job(info, [rows, dim, pilot = to_vector<double>(info[0], "pilot", product(rows, dim))](
                             const CancelFlag&) { return MarginMaps::estimate(pilot.data(), rows, dim); });
}

}  // namespace

void register_fields(Napi::Env env, Napi::Object exports) {
  export_function<reference>(env, exports, "fieldReference");
  export_function<sample>(env, exports, "fieldSample");
  export_function<log_pdf>(env, exports, "fieldLogPdf");
  export_function<bound>(env, exports, "fieldBound");
  export_function<potential>(env, exports, "fieldPotential");
  export_function<margin_knots>(env, exports, "marginKnots");
}

}  // namespace sklar::addon
