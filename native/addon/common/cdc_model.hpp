#pragma once

#include <napi.h>

#include <memory>
#include <variant>
#include <vector>

#include "addon/common/device_choice.hpp"
#include "addon/common/handle.hpp"
#include "addon/common/job.hpp"
#include "model/cdc.hpp"

namespace sklar::addon {

// A CDC as JavaScript holds it.
struct CdcModel {
  CdcDefinition definition;
  std::variant<std::vector<float>, std::vector<double>> parameters;
};
using CdcHandle = std::shared_ptr<const CdcModel>;

CdcHandle to_cdc_handle(const Napi::Value& value);  // throws Error("VALUE")

// body(Cdc<T>&, Backend<T>&) with a backend of the precision of the parameters
template <class Body>
void with_cdc(const CdcModel& model, const DeviceChoice& device, const CancelFlag& cancel, Body&& body) {
  std::visit(
      [&](const auto& parameters) {
        using T = typename std::decay_t<decltype(parameters)>::value_type;
        const auto backend = make_backend<T>(device);
        backend->watch(&cancel);
        Cdc<T> cdc(*backend, model.definition, parameters);
        body(cdc, *backend);
        expect_in_range(*backend);
      },
      model.parameters);
}

}  // namespace sklar::addon
