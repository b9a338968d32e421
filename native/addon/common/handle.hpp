#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "core/error.hpp"

// Native objects in the hands of JavaScript: shared, freed by its garbage collector.
namespace sklar::addon {

// bytes: what it holds outside the heap of JavaScript, where that is much.
template <class T>
Napi::Value to_external(Napi::Env env, std::shared_ptr<const T> held, const napi_type_tag& tag,
                        std::int64_t bytes = 0) {
  using Held = std::shared_ptr<const T>;
  if (bytes) Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
  auto external = Napi::External<Held>::New(env, new Held(std::move(held)), [bytes](Napi::Env at, Held* h) {
    delete h;
    if (bytes) Napi::MemoryManagement::AdjustExternalMemory(at, -bytes);
  });
  external.TypeTag(&tag);
  return external;
}

template <class T>
std::shared_ptr<const T>& from_external(const Napi::Value& value, const napi_type_tag& tag,
                                        const char* maker) {
  using Held = std::shared_ptr<const T>;
  if (!value.IsExternal() || !value.As<Napi::External<Held>>().CheckTypeTag(&tag))
    throw Error("VALUE", std::string("expected a handle made by ") + maker);
  Held& held = *value.As<Napi::External<Held>>().Data();
  if (!held) throw Error("DISPOSED", "the handle was released");
  return held;
}

}  // namespace sklar::addon
