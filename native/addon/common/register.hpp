// The features of the addon. A feature is one file native/addon/<feature>.cpp that defines its register
// function; declare it here and add it to the list in addon.cpp.
#pragma once

#include <napi.h>

#include "addon/common/job.hpp"

namespace sklar::addon {

// Exports a function whose C++ exceptions become errors of JavaScript.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void export_function(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New(env, guarded<function>, name));
}

void register_devices(Napi::Env env, Napi::Object exports);
void register_correlation(Napi::Env env, Napi::Object exports);
void register_cdc(Napi::Env env, Napi::Object exports);
void register_velocity(Napi::Env env, Napi::Object exports);
void register_smc(Napi::Env env, Napi::Object exports);
void register_closed_form(Napi::Env env, Napi::Object exports);
void register_measures(Napi::Env env, Napi::Object exports);
void register_two_sample(Napi::Env env, Napi::Object exports);
void register_fields(Napi::Env env, Napi::Object exports);
void register_classical(Napi::Env env, Napi::Object exports);
void register_margins(Napi::Env env, Napi::Object exports);
void register_columns(Napi::Env env, Napi::Object exports);

}  // namespace sklar::addon
