#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "addon/common/device_choice.hpp"
#include "addon/common/handle.hpp"
#include "core/threads/cancel.hpp"
#include "fields/field.hpp"

// The one opaque handle by which models of every kind hand their field to the integrators
// (native/addon/fields.cpp).
namespace sklar::addon {

struct FieldSource {
  Process process = Process::ou;
  std::size_t dim = 0;
  // The time of the process from which samples start: that of a model's own reference where it is nearer than
  // pure noise.
  double reference = 0;
  // L (dim x dim) with z = L y, y the field's state and z the Gaussian scale; empty: z = y, as on the cube.
  std::vector<double> cholesky;
  // Make the field on a backend that outlives it; empty: not in this precision. At least one is there.
  std::function<std::shared_ptr<Field<float>>(Backend<float>&)> in_float;
  std::function<std::shared_ptr<Field<double>>(Backend<double>&)> in_double;
};
using FieldHandle = std::shared_ptr<const FieldSource>;

inline constexpr napi_type_tag field_tag = {0x5d0c8e1f2a794b63, 0x9b3e60d7c4f1a825};

inline Napi::Value to_external(Napi::Env env, FieldHandle source) {
  return to_external(env, std::move(source), field_tag);
}

inline FieldHandle to_field_handle(const Napi::Value& value) {
  return from_external<FieldSource>(value, field_tag, "fieldHandle of a copula");
}

// body(Backend<T>&, Field<T>&), in float where the source has it, else in double
template <class Body>
void with_field(const FieldSource& source, const DeviceChoice& device, const CancelFlag& cancel,
                Body&& body) {
  auto run = [&]<class T>(const std::function<std::shared_ptr<Field<T>>(Backend<T>&)>& make) {
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
