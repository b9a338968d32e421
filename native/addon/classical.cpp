#include "addon/common/convert.hpp"
#include "addon/common/job.hpp"
#include "addon/common/register.hpp"
#include "classical/cells/pair_likelihood.hpp"
#include "classical/pairs/kernel_estimate.hpp"
#include "classical/rows.hpp"
#include "monte_carlo/conditional.hpp"

namespace sklar::addon {
namespace {

// ClassicalDefinition of lib/native.ts
ClassicalDefinition to_definition(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("VALUE", "expected the definition of a classical copula");
  const Napi::Object o = value.As<Napi::Object>();
  ClassicalDefinition definition;
  definition.family = to_string(field(o, "family"), "family");
  definition.dim = to_size(field(o, "dim"), "dim");
  if (definition.dim < 1 || definition.dim > 65536)
    throw Error("VALUE", "expected a dimension between 1 and 65536");
  definition.parameters = to_vector<double>(field(o, "parameters"), "parameters");
  definition.rotation = static_cast<int>(to_size(field(o, "rotation"), "rotation"));
  definition.factor =
      to_vector_or_empty<double>(field(o, "factor"), "factor", product(definition.dim, definition.dim));
  definition.table = to_vector_or_empty<double>(field(o, "table"), "table");
  const bool transform = definition.family == "gaussian" || definition.family == "student";
  if (transform && definition.factor.empty()) throw Error("VALUE", "expected the factor of the correlation");
  return definition;
}

Napi::Value log_pdf(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[3], "rows"), threads = to_size(info[4], "threads");
  const auto x = to_span<double>(info[1], "x", product(rows, definition.dim));
  return start_job(
      info, [definition = std::move(definition), x, from_gaussian = to_bool(info[2], "fromGaussian"), rows,
             threads](const CancelFlag& cancel) {
        return classical_log_pdf(definition, x, from_gaussian, rows, threads, cancel);
      });
}

Napi::Value cdf(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[2], "rows"), threads = to_size(info[3], "threads");
  auto u = to_vector<double>(info[1], "u", product(rows, definition.dim));
  return start_job(
      info, [definition = std::move(definition), u = std::move(u), rows, threads](const CancelFlag& cancel) {
        return classical_cdf(definition, u, rows, threads, cancel);
      });
}

Napi::Value log_cells(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[4], "rows"), threads = to_size(info[5], "threads"),
                    size = product(rows, definition.dim);
  return start_job(
      info, [definition = std::move(definition), lower = to_span<double>(info[1], "lower", size),
             upper = to_span<double>(info[2], "upper", size),
             from_gaussian = to_bool(info[3], "fromGaussian"), rows, threads](const CancelFlag& cancel) {
        return classical_log_cells(definition, lower, upper, from_gaussian, rows, threads, cancel);
      });
}

Napi::Value sample(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[1], "rows"), threads = to_size(info[5], "threads");
  product(rows, definition.dim);
  return start_job(info, [definition = std::move(definition), rows, seed = to_uint64(info[2], "seed"),
                          first = to_uint64(info[3], "firstRow"),
                          to_gaussian = to_bool(info[4], "toGaussian"), threads](const CancelFlag& cancel) {
    return classical_sample(definition, rows, seed, first, to_gaussian, threads, cancel);
  });
}

Napi::Value rosenblatt(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[4], "rows"), threads = to_size(info[5], "threads");
  auto x = to_vector<double>(info[1], "x", product(rows, definition.dim));
  return start_job(
      info, [definition = std::move(definition), x = std::move(x), gaussian = to_bool(info[2], "gaussian"),
             inverse = to_bool(info[3], "inverse"), rows, threads](const CancelFlag& cancel) {
        return classical_rosenblatt(definition, x, gaussian, inverse, rows, threads, cancel);
      });
}

Napi::Value conditional(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[2], "rows"), threads = to_size(info[4], "threads");
  product(rows, definition.dim);
  return start_job(info, [definition = std::move(definition), given = to_vector<double>(info[1], "given"),
                          rows, seed = to_uint64(info[3], "seed"), threads](const CancelFlag& cancel) {
    return classical_conditional(definition, given, rows, seed, threads, cancel);
  });
}

Napi::Value kernel(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[1], "rows"), threads = to_size(info[5], "threads");
  return start_job(
      info, [u = to_vector<double>(info[0], "u", product(rows, 2)), rows,
             nodes = to_vector<double>(info[2], "nodes"), correlation = to_double(info[3], "correlation"),
             scale = to_double(info[4], "scale"), threads](const CancelFlag& cancel) {
        return kernel_density(u, rows, nodes, correlation, scale, threads, cancel);
      });
}

PairFunction to_pair_function(const Napi::Value& value) {
  const std::string name = to_string(value, "function");
  if (name == "hfunc1") return PairFunction::h1;
  if (name == "hfunc2") return PairFunction::h2;
  if (name == "hinv1") return PairFunction::inverse1;
  if (name == "hinv2") return PairFunction::inverse2;
  throw Error("VALUE", "expected hfunc1, hfunc2, hinv1 or hinv2, got " + name);
}

Napi::Value pair(const Napi::CallbackInfo& info) {
  auto definition = to_definition(info[0]);
  const std::size_t rows = to_size(info[4], "rows"), threads = to_size(info[5], "threads");
  auto x = to_vector<double>(info[2], "x", product(rows, 2));
  return start_job(
      info, [definition = std::move(definition), function = to_pair_function(info[1]), x = std::move(x),
             gaussian = to_bool(info[3], "gaussian"), rows, threads](const CancelFlag& cancel) {
        return classical_pair(definition, function, x, gaussian, rows, threads, cancel);
      });
}

Napi::Value dependence(const Napi::CallbackInfo& info) {
  const auto [tau, tails] = classical_dependence(to_definition(info[0]));
  const auto [ll, lu, ul, uu] = tails;
  return to_object(info.Env(), "tau", tau, "tails", std::vector<double>{ll, lu, ul, uu});
}

Napi::Value fit(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[4], "rows"), dim = to_size(info[5], "dim");
  return start_job(info, [degrees = to_double(info[0], "degrees"),
                          correlation = to_vector<double>(info[1], "correlation", product(dim, dim)),
                          shrinkage = to_double(info[2], "shrinkage"),
                          u = to_vector<double>(info[3], "u", product(rows, dim)), rows, dim,
                          weights = to_vector_or_empty<double>(info[7], "weights", rows),
                          threads = to_size(info[6], "threads")](const CancelFlag& cancel) {
    StudentFit fitted =
        fit_student(degrees, correlation, shrinkage, u, data_or_null(weights), rows, dim, threads, cancel);
    return deliver("correlation", std::move(fitted.correlation), "logLikelihood", fitted.log_likelihood);
  });
}

Napi::Value fit_pairs_of(const Napi::CallbackInfo& info) {
  const std::size_t rows = to_size(info[7], "rows"), dim = to_size(info[8], "dim"), size = product(rows, dim);
  return start_job(
      info, [degrees = to_double(info[0], "degrees"),
             correlation = to_vector<double>(info[1], "correlation", product(dim, dim)),
             search = to_bool(info[2], "search"), most = to_double(info[3], "most"),
             lower = to_span<double>(info[4], "lower", size), upper = to_span<double>(info[5], "upper", size),
             pairs = to_vector<std::uint32_t>(info[6], "pairs"), rows, dim,
             weights = to_vector_or_empty<double>(info[10], "weights", rows),
             threads = to_size(info[9], "threads")](const CancelFlag& cancel) {
        PairFits fits = fit_pairs(degrees, correlation, search, most, lower, upper, data_or_null(weights),
                                  pairs, rows, dim, threads, cancel);
        return deliver("correlation", std::move(fits.correlation), "logLikelihood",
                       std::move(fits.log_likelihood), "information", std::move(fits.information));
      });
}

Napi::Value gaussian_given(const Napi::CallbackInfo& info) {
  const std::size_t dim = to_size(info[1], "dim"), rows = to_size(info[4], "rows");
  const auto columns = to_vector<std::int32_t>(info[2], "columns");
  product(rows, dim);
  const Condition condition(to_vector<double>(info[0], "factor", product(dim, dim)), dim,
                            std::vector<std::size_t>(columns.begin(), columns.end()),
                            to_vector<double>(info[3], "values", columns.size()));
  return start_job(info, [=, seed = to_uint64(info[5], "seed"),
                          threads = to_size(info[6], "threads")](const CancelFlag& cancel) {
    auto z = gaussian_conditional(threads, condition, rows, seed, cancel);
    return deliver("values", std::move(z), "logMarginal", condition.log_reference);
  });
}

}  // namespace

void register_classical(Napi::Env env, Napi::Object exports) {
  export_function<log_pdf>(env, exports, "classicalLogPdf");
  export_function<cdf>(env, exports, "classicalCdf");
  export_function<log_cells>(env, exports, "classicalLogCells");
  export_function<sample>(env, exports, "classicalSample");
  export_function<rosenblatt>(env, exports, "classicalRosenblatt");
  export_function<pair>(env, exports, "classicalPair");
  export_function<conditional>(env, exports, "classicalConditional");
  export_function<gaussian_given>(env, exports, "gaussianConditional");
  export_function<kernel>(env, exports, "classicalKernel");
  export_function<dependence>(env, exports, "classicalDependence");
  export_function<fit_pairs_of>(env, exports, "classicalFitPairs");
  export_function<fit>(env, exports, "classicalFitStudent");
}

}  // namespace sklar::addon
