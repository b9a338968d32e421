#include <optional>

#include "addon/common/convert.hpp"
#include "addon/common/handle.hpp"
#include "addon/common/job.hpp"
#include "addon/common/margin_handle.hpp"
#include "addon/common/register.hpp"
#include "margins/pareto.hpp"

namespace sklar::addon {
namespace {

constexpr napi_type_tag margin_tag = {0x5d0f6a37e1c84b92, 0x94e2b7c1f03d586a};

Support to_support(const Napi::Value& value) {
  const auto ends = to_vector<double>(value, "support", 2);
  return {ends[0], ends[1]};
}

std::vector<double> doubles(const Napi::Object& o, const char* name) {
  return to_vector<double>(field(o, name), name);
}

KdeGrid to_grid(const Napi::Object& o) {
  const auto number = [&](const char* name) { return to_double(field(o, name), name); };
  return {number("location"), number("scale"),      number("from"),
          number("step"),     number("lowerScale"), number("upperScale")};
}

std::optional<ParetoTail> to_tail(const Napi::Value& value) {
  if (value.IsNull()) return std::nullopt;
  const auto o = value.As<Napi::Object>();
  return ParetoTail{to_double(field(o, "threshold"), "threshold"), to_double(field(o, "scale"), "scale"),
                    to_double(field(o, "shape"), "shape"), to_double(field(o, "mass"), "mass")};
}

SharedMargin make(const Napi::Object& o) {
  const std::string kind = to_string(field(o, "kind"), "kind");
  if (kind == "empirical")
    return make_empirical(to_support(field(o, "support")), to_double(field(o, "rows"), "rows"),
                          to_double(field(o, "lowerScale"), "lowerScale"),
                          to_double(field(o, "upperScale"), "upperScale"), doubles(o, "values"),
                          doubles(o, "levels"));
  if (kind == "discrete") return make_discrete(doubles(o, "values"), doubles(o, "last"));
  if (kind == "kde") return make_kde(to_support(field(o, "support")), to_grid(o), doubles(o, "heights"));
  if (kind == "zero-inflated")
    return make_zero_inflated(doubles(o, "atoms"), doubles(o, "masses"), to_margin(field(o, "rest")));
  if (kind == "rounded")
    return make_rounded(to_margin(field(o, "of")), to_double(field(o, "origin"), "origin"),
                        to_double(field(o, "step"), "step"));
  if (kind == "gpd") {
    const auto lower = to_tail(field(o, "lower")), upper = to_tail(field(o, "upper"));
    return make_pareto_tails(to_margin(field(o, "body")), to_support(field(o, "support")),
                             lower ? &*lower : nullptr, upper ? &*upper : nullptr);
  }
  if (kind == "law") return make_law(to_string(field(o, "family"), "family"), doubles(o, "parameters"));
  throw Error("VALUE", "unknown kind of margin \"" + kind + "\"");
}

Napi::Value create(const Napi::CallbackInfo& info) {
  return to_external(info.Env(), make(info[0].As<Napi::Object>()), margin_tag);
}

Napi::Value support(const Napi::CallbackInfo& info) {
  const auto [least, most] = to_margin(info[0])->support();
  return to_array(info.Env(), std::vector<double>{least, most});
}

template <double (Margin::*function)(double) const>
Napi::Value map(const Napi::CallbackInfo& info) {
  const SharedMargin margin = to_margin(info[0]);
  auto values = to_vector<double>(info[1], "values");
  for (double& value : values) value = ((*margin).*function)(value);
  return to_array(info.Env(), values);
}

Napi::Value integral(const Napi::CallbackInfo& info) {
  const auto o = info[0].As<Napi::Object>();
  return Napi::Number::New(info.Env(),
                           kde_integral(to_support(field(o, "support")), to_grid(o), doubles(o, "heights")));
}

Napi::Value loss(const Napi::CallbackInfo& info) {
  return Napi::Number::New(
      info.Env(), law_loss(to_string(info[0], "family"), to_vector<double>(info[1], "parameters"),
                           to_vector<double>(info[2], "values"), to_vector<double>(info[3], "counts"),
                           to_double(info[4], "step")));
}

Napi::Value pareto(const Napi::CallbackInfo& info) {
  const ParetoFit fit =
      fit_pareto(to_vector<double>(info[0], "excesses"), to_vector_or_empty<double>(info[2], "weights"),
                 to_double(info[1], "leastShape"));
  return to_object(info.Env(), "scale", fit.scale, "shape", fit.shape, "distance", fit.distance);
}

}  // namespace

SharedMargin to_margin(const Napi::Value& value) {
  return from_external<Margin>(value, margin_tag, "marginCreate");
}

void register_margins(Napi::Env env, Napi::Object exports) {
  export_function<create>(env, exports, "marginCreate");
  export_function<support>(env, exports, "marginSupport");
  export_function<map<&Margin::cdf>>(env, exports, "marginCdf");
  export_function<map<&Margin::cdf_before>>(env, exports, "marginCdfBefore");
  export_function<map<&Margin::survival>>(env, exports, "marginSurvival");
  export_function<map<&Margin::quantile>>(env, exports, "marginQuantile");
  export_function<map<&Margin::quantile_above>>(env, exports, "marginQuantileAbove");
  export_function<map<&Margin::log_pdf>>(env, exports, "marginLogPdf");
  export_function<integral>(env, exports, "kdeIntegral");
  export_function<loss>(env, exports, "lawLoss");
  export_function<pareto>(env, exports, "paretoFit");
}

}  // namespace sklar::addon
