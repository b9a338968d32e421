#include "addon/common/job.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

namespace sklar::addon {
namespace {

struct Failure {
  std::string code, message;
  LastGoodState state;  // of code DIVERGED, where rows were lost
};

// { rows: Float64Array; times: Float64Array; values: Float64Array }
Napi::Object rows_lost(Napi::Env env, const LastGoodState& state) {
  return to_object(env, "rows", std::vector<double>(state.rows.begin(), state.rows.end()), "times",
                   state.times, "values", state.values);
}

struct State {
  CancelFlag cancel;
  std::thread thread;
  napi_threadsafe_function calls = nullptr;
  Napi::Promise::Deferred deferred;
  Napi::FunctionReference on_report;
  Napi::ObjectReference arguments;  // kept from the collector: the work may read their memory
  std::mutex lock;
  std::function<Napi::Value(Napi::Env)> report;  // the latest, not yet delivered
  bool done = false;
  Job::Deliver deliver;
  std::unique_ptr<Failure> failure;

  explicit State(Napi::Env env) : deferred(env) {}
};

using Shared = std::shared_ptr<State>;

void stop(State& state) {
  state.cancel.cancel();
  if (state.thread.joinable()) state.thread.join();
}

// The environment ends while the job runs: the thread must be gone before its code is.
void on_environment_exit(void* context) { stop(**static_cast<Shared*>(context)); }

void finalise(napi_env env, void*, void* context) {
  auto* shared = static_cast<Shared*>(context);
  napi_remove_env_cleanup_hook(env, on_environment_exit, shared);
  stop(**shared);
  delete shared;
}

void settle(Napi::Env env, State& state) {
  if (!state.failure) {
    try {
      state.deferred.Resolve(state.deliver(env));
      return;
    } catch (const Napi::Error& error) {
      state.deferred.Reject(error.Value());
      return;
    } catch (const std::bad_alloc&) {
      state.failure = std::make_unique<Failure>(Failure{"MEMORY", "not enough memory for the result", {}});
    } catch (const std::exception& error) {
      state.failure = std::make_unique<Failure>(Failure{"INTERNAL", error.what(), {}});
    }
  }
  const Napi::Error error = to_js_error(env, state.failure->code, state.failure->message);
  if (!state.failure->state.rows.empty()) error.Value().Set("state", rows_lost(env, state.failure->state));
  state.deferred.Reject(error.Value());
}

// Calls body on behalf of Node, which catches nothing. What fails is a call into an environment that a
// worker's terminate() ends at this moment, where nobody is left to be told.
template <class Body>
void without_exceptions(Body&& body) noexcept {
  try {
    body();
  } catch (...) {
  }
}

// On the JavaScript thread: a report, the end, or both at once.
void on_call(napi_env raw, napi_value, void* context, void*) {
  if (raw == nullptr) return;  // the environment is closing
  const Shared state = *static_cast<Shared*>(context);
  std::function<Napi::Value(Napi::Env)> report;
  bool done;
  {
    const std::lock_guard<std::mutex> hold(state->lock);
    report = std::exchange(state->report, nullptr);
    done = std::exchange(state->done, false);
  }
  const Napi::Env env(raw);
  if (report && !state->on_report.IsEmpty()) {
    without_exceptions([&] {
      const Napi::HandleScope scope(env);
      state->on_report.Call({report(env)});  // lib/native.ts passes callbacks that do not throw
    });
  }
  if (done) {
    without_exceptions([&] {
      const Napi::HandleScope scope(env);
      settle(env, *state);
    });
    without_exceptions([&] {
      state->on_report.Reset();
      state->arguments.Reset();
    });
    napi_release_threadsafe_function(state->calls, napi_tsfn_release);
  }
}

void notify(State& state) { napi_call_threadsafe_function(state.calls, nullptr, napi_tsfn_nonblocking); }

void run(const Shared& state, const Job::Work& work) {
  const Job::Progress progress = [&state](std::function<Napi::Value(Napi::Env)> report) {
    bool waiting;
    {
      const std::lock_guard<std::mutex> hold(state->lock);
      waiting = static_cast<bool>(state->report);
      state->report = std::move(report);
    }
    if (!waiting) notify(*state);
  };
  const auto fail = [&state](std::string code, std::string message, LastGoodState last = {}) {
    state->failure = std::make_unique<Failure>(Failure{std::move(code), std::move(message), std::move(last)});
  };
  try {
    state->deliver = work(state->cancel, progress);
  } catch (const Diverged& error) {
    fail(error.code(), error.message(), error.state);
  } catch (const Error& error) {
    fail(error.code(), error.message());
  } catch (const std::bad_alloc&) {
    fail("MEMORY", "not enough memory");
  } catch (const std::exception& error) {
    fail("INTERNAL", error.what());
  }
  {
    const std::lock_guard<std::mutex> hold(state->lock);
    state->done = true;
  }
  notify(*state);
}

}  // namespace

Fraction to_fraction(const Job::Progress& progress) {
  return
      [&progress](double done) { progress([done](Napi::Env env) { return Napi::Number::New(env, done); }); };
}

Napi::Error to_js_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, "ERR_SKLAR_" + code));
  return error;
}

Napi::Object Job::start(const Napi::CallbackInfo& info, const Napi::Value& on_report, Work work) {
  const Napi::Env env = info.Env();
  auto state = std::make_shared<State>(env);
  const auto arguments = Napi::Array::New(env, info.Length());
  for (std::uint32_t i = 0; i < arguments.Length(); ++i) arguments.Set(i, info[i]);
  state->arguments = Napi::Persistent(arguments.As<Napi::Object>());
  if (on_report.IsFunction()) state->on_report = Napi::Persistent(on_report.As<Napi::Function>());
  auto* context = new Shared(state);
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "sklar job"), 0, 1,
                                      context, finalise, context, on_call, &state->calls);
  if (status != napi_ok) {
    delete context;
    throw Napi::Error::New(env);
  }
  // runs before the thread-safe function's own hook, which was registered earlier
  napi_add_env_cleanup_hook(env, on_environment_exit, context);
  try {
    state->thread = std::thread([state, work = std::move(work)] { run(state, work); });
  } catch (const std::exception&) {
    napi_release_threadsafe_function(state->calls, napi_tsfn_abort);
    throw to_js_error(env, "MEMORY", "the system has no thread left for the job");
  }
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("promise", state->deferred.Promise());
  handle.Set("cancel",
             Napi::Function::New(env, [weak = std::weak_ptr<State>(state)](const Napi::CallbackInfo&) {
               if (const Shared alive = weak.lock()) alive->cancel.cancel();
             }));
  return handle;
}

}  // namespace sklar::addon
