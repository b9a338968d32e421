#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "addon/common/device_choice.hpp"
#include "core/threads/cancel.hpp"
#include "fields/field.hpp"

// The one opaque handle by which models of every kind hand their field to the integrators
// (native/addon/integrate.cpp).
namespace sklar::addon {

struct FieldSource {
  Process process = Process::ou;
  std::size_t dim = 0;
  // The time from which samples start: pi / 2 for pure noise of the ou process, its angle where the model's
  // reference is finite; T of the reflection process.
  double reference = 0;
  // L (dim x dim) with z = L y, y the field's state and z the Gaussian scale; empty: z = y. ou only.
  std::vector<double> cholesky;
  // Make the field on a backend that outlives it; empty: not in this precision. At least one is there.
  std::function<std::unique_ptr<Field<float>>(Backend<float>&)> in_float;
  std::function<std::unique_ptr<Field<double>>(Backend<double>&)> in_double;
};
using FieldHandle = std::shared_ptr<const FieldSource>;

inline constexpr napi_type_tag field_tag = {0x5d0c8e1f2a794b63, 0x9b3e60d7c4f1a825};

inline Napi::Value to_external(Napi::Env env, FieldHandle source) {
  auto external = Napi::External<FieldHandle>::New(env, new FieldHandle(std::move(source)),
                                                   [](Napi::Env, FieldHandle* handle) { delete handle; });
  external.TypeTag(&field_tag);
  return external;
}

inline FieldHandle to_field_handle(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<FieldHandle>>().CheckTypeTag(&field_tag))
    throw Error("VALUE", "expected a field handle of a copula");
  return *value.As<Napi::External<FieldHandle>>().Data();
}

// body(Backend<T>&, Field<T>&), in float where the source has it, else in double
template <class Body>
void with_field(const FieldSource& source, const DeviceChoice& device, const CancelFlag& cancel,
                Body&& body) {
  auto run = [&]<class T>(const std::function<std::unique_ptr<Field<T>>(Backend<T>&)>& make) {
    const auto backend = make_backend<T>(device);
    backend->watch(&cancel);
    const auto field = make(*backend);
    body(*backend, *field);
    expect_in_range(*backend);
  };
  if (source.in_float)
    run(source.in_float);
  else
    run(source.in_double);
}

}  // namespace sklar::addon
