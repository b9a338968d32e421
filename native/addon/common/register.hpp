// The features of the addon. A feature is one file native/addon/<feature>.cpp that defines its register
// function; declare it here and add it to the list in addon.cpp.
#pragma once

#include <napi.h>

namespace sklar::addon {

void register_devices(Napi::Env env, Napi::Object exports);
void register_gaussian(Napi::Env env, Napi::Object exports);
void register_cdc(Napi::Env env, Napi::Object exports);
void register_velocity(Napi::Env env, Napi::Object exports);
void register_smc(Napi::Env env, Napi::Object exports);
void register_closed_form(Napi::Env env, Napi::Object exports);
void register_measures(Napi::Env env, Napi::Object exports);
void register_two_sample(Napi::Env env, Napi::Object exports);
void register_integrate(Napi::Env env, Napi::Object exports);
void register_classical(Napi::Env env, Napi::Object exports);
void register_margins(Napi::Env env, Napi::Object exports);
void register_columns(Napi::Env env, Napi::Object exports);

}  // namespace sklar::addon
