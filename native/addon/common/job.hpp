#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <string>

#include "core/threads/cancel.hpp"

namespace sklar::addon {

// Work that runs on a thread of its own and settles a promise. The thread pool of libuv stays free, so file
// and network calls of the process go on while a model trains.
class Job {
 public:
  using Deliver = std::function<Napi::Value(Napi::Env)>;  // makes the result, on the JavaScript thread
  using Progress =
      std::function<void(std::function<Napi::Value(Napi::Env)>)>;  // latest report wins, never blocks
  using Work = std::function<Deliver(const CancelFlag&, const Progress&)>;

  // { promise: Promise<T>, cancel(): void }; on_report (or undefined) is called with every report that
  // Progress passes on. The promise rejects with an Error whose `code` is ERR_SKLAR_*; that of Diverged has
  // its `state` too.
  static Napi::Object start(Napi::Env env, const Napi::Value& on_report, Work work);
};

// Reports a share of the work as a number.
Fraction to_fraction(const Job::Progress& progress);

// An Error of JavaScript with code ERR_SKLAR_<code>.
Napi::Error to_js_error(Napi::Env env, const std::string& code, const std::string& message);

// Runs body and turns Error, bad_alloc and other C++ exceptions into JavaScript ones.
Napi::Value guarded(Napi::Env env, const std::function<Napi::Value()>& body);

}  // namespace sklar::addon
