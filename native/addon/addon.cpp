#include <napi.h>

#include "addon/common/register.hpp"

namespace {

// Runs once per environment (main thread and each worker). Features keep their state in the environment,
// never in globals.
Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  constexpr void (*features[])(Napi::Env, Napi::Object) = {
      &sklar::addon::register_devices,    &sklar::addon::register_correlation,
      &sklar::addon::register_cdc,        &sklar::addon::register_velocity,
      &sklar::addon::register_smc,        &sklar::addon::register_closed_form,
      &sklar::addon::register_measures,   &sklar::addon::register_fields,
      &sklar::addon::register_two_sample, &sklar::addon::register_classical,
      &sklar::addon::register_margins,    &sklar::addon::register_columns,
  };
  for (auto add : features) add(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sklar, initialise)
