#include "closed_form/closed_form.hpp"

#include "addon/common/convert.hpp"
#include "addon/common/field_handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "backend/backend.hpp"
#include "core/check_rows.hpp"

namespace sklar::addon {
namespace {

constexpr napi_type_tag closed_form_tag = {0x3b92d4170ce85fa6, 0xc1708f5e26ad934b};

using Handle = std::shared_ptr<const ClosedForm>;

Handle to_handle(const Napi::Value& value) {
  return from_external<ClosedForm>(value, closed_form_tag, "closedFormCreate");
}

std::size_t to_dim(const Napi::Object& o) {
  const std::size_t dim = to_size(field(o, "dim"), "dim");
  if (dim < 2 || dim > 65536) throw Error("VALUE", "expected a dimension between 2 and 65536");
  return dim;
}

Handle to_mixture(const Napi::Object& o, std::size_t dim) {
  const auto weights = to_vector<double>(field(o, "weights"), "weights");
  const std::size_t square = product(dim, dim);
  const auto all =
      to_vector<double>(field(o, "correlations"), "correlations", product(weights.size(), square));
  std::vector<std::vector<double>> correlations;
  for (std::size_t m = 0; m < weights.size(); ++m)
    correlations.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(m * square),
                              all.begin() + static_cast<std::ptrdiff_t>((m + 1) * square));
  return make_mixture(weights, correlations, dim);
}

Handle to_cosine(const Napi::Object& o, std::size_t dim) {
  const auto amplitudes = to_vector<double>(field(o, "amplitudes"), "amplitudes");
  const auto given =
      to_vector<std::int32_t>(field(o, "frequencies"), "frequencies", product(amplitudes.size(), dim));
  for (const std::int32_t k : given)
    if (k < 0) throw Error("VALUE", "expected frequencies of at least 0");
  return make_cosine(dim, amplitudes, std::vector<std::uint32_t>(given.begin(), given.end()));
}

Handle to_copula(const Napi::Object& o) {
  const std::string family = to_string(field(o, "family"), "family");
  const std::size_t dim = to_dim(o);
  if (family == "mixture") return to_mixture(o, dim);
  if (family == "fgm") {
    const auto columns = to_vector<std::int32_t>(field(o, "columns"), "columns");
    return make_fgm(dim, to_double(field(o, "theta"), "theta"),
                    std::vector<std::size_t>(columns.begin(), columns.end()));
  }
  if (family == "cosine") return to_cosine(o, dim);
  throw Error("VALUE", "unknown family \"" + family + "\"");
}

Napi::Value create(const Napi::CallbackInfo& info) {
  return to_external(info.Env(), to_copula(info[0].As<Napi::Object>()), closed_form_tag);
}

Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  const Handle copula = to_handle(info[0]);
  const std::size_t rows = to_size(info[3], "rows"), threads = to_size(info[4], "threads");
  return start_job(info,
                   [copula, rows, threads, x = to_vector<double>(info[1], "x", product(rows, copula->dim())),
                    from_gaussian = to_bool(info[2], "fromGaussian")](const CancelFlag& cancel) {
                     check_rows(x.data(), from_gaussian, rows, copula->dim());
                     std::vector<double> out(rows);
                     closed_form_log_pdf(*copula, threads, x.data(), from_gaussian, rows, out.data(), cancel);
                     return out;
                   });
}

Napi::Value sample(const Napi::CallbackInfo& info) {
  const Handle copula = to_handle(info[0]);
  const std::size_t rows = to_size(info[1], "rows"), size = product(rows, copula->dim());
  return start_job(
      info, [copula, rows, size, seed = to_uint64(info[2], "seed"), first = to_uint64(info[3], "firstRow"),
             to_gaussian = to_bool(info[4], "toGaussian"),
             threads = to_size(info[5], "threads")](const CancelFlag& cancel) {
        std::vector<double> out(size);
        closed_form_sample(*copula, threads, rows, seed, first, to_gaussian, out.data(), cancel);
        return out;
      });
}

Napi::Value make_field(const Napi::CallbackInfo& info) {
  const Handle copula = to_handle(info[0]);
  auto source = std::make_shared<FieldSource>();
  source->process = process_of(to_string(info[1], "process"));
  copula->expect(source->process);
  source->dim = copula->dim();
  source->reference = to_double(info[2], "reference");
  // in double alone: it is the truth that others are held against
  source->in_double = [copula, process = source->process](Backend<double>& backend) {
    return make_closed_form_field<double>(backend, copula, process);
  };
  return to_external(info.Env(), source);
}

}  // namespace

void register_closed_form(Napi::Env env, Napi::Object exports) {
  export_function<create>(env, exports, "closedFormCreate");
  export_function<log_pdf>(env, exports, "closedFormLogPdf");
  export_function<sample>(env, exports, "closedFormSample");
  export_function<make_field>(env, exports, "closedFormFieldHandle");
}

}  // namespace sklar::addon
