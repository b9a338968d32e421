#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "addon/common/convert.hpp"
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
  // its `state` too. The arguments of the call live until then.
  static Napi::Object start(const Napi::CallbackInfo& info, const Napi::Value& on_report, Work work);
};

// Reports a share of the work as a number.
Fraction to_fraction(const Job::Progress& progress);

// An Error of JavaScript with code ERR_SKLAR_<code>.
Napi::Error to_js_error(Napi::Env env, const std::string& code, const std::string& message);

// The function, with Error and bad_alloc as errors of JavaScript.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (const Error& error) {
    throw to_js_error(info.Env(), error.code(), error.message());
  } catch (const std::bad_alloc&) {
    throw to_js_error(info.Env(), "MEMORY", "not enough memory");
  }
}

// Delivers { name: value, ... } of names and values in turns.
template <class... Parts>
Job::Deliver deliver(Parts... parts) {
  return [... parts = std::move(parts)](Napi::Env env) -> Napi::Value { return to_object(env, parts...); };
}

// A job whose result is what work(cancel, fraction) gives: a Deliver, or what to_value takes.
template <class Work>
Napi::Value start_job(const Napi::CallbackInfo& info, const Napi::Value& on_report, Work work) {
  return Job::start(
      info, on_report,
      [work = std::move(work)](const CancelFlag& cancel, const Job::Progress& progress) -> Job::Deliver {
        auto out = work(cancel, to_fraction(progress));
        if constexpr (std::is_same_v<decltype(out), Job::Deliver>)
          return out;
        else
          return [out = std::move(out)](Napi::Env env) { return to_value(env, out); };
      });
}

// The same without reports: work(cancel).
template <class Work>
Napi::Value start_job(const Napi::CallbackInfo& info, Work work) {
  return start_job(
      info, info.Env().Undefined(),
      [work = std::move(work)](const CancelFlag& cancel, const Fraction&) { return work(cancel); });
}

}  // namespace sklar::addon
