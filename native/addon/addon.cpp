#include <napi.h>

#include "addon/common/register.hpp"
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

// Columns and matrices go back to the system when they are freed. glibc would keep blocks of up to 32 MiB
// once one of their size had been freed, between others in the heaps of the threads that wanted them.
void give_large_blocks_back() {
#ifdef __GLIBC__
  constexpr int large = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, large);
#endif
}

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
  give_large_blocks_back();
  for (auto add : features) add(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sklar, initialise)
