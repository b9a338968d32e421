#include "core/threads/thread_pool.hpp"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sklar {
namespace {

// Rounds follow one another within microseconds while a job runs, and to wake a thread costs tens of them:
// look for the next round a while before sleeping.
constexpr std::chrono::microseconds before_sleep{200};

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void wait_while_equal(std::atomic<std::uint32_t>& value, std::uint32_t old) {
  constexpr int between_looks = 64;
  const auto end = std::chrono::steady_clock::now() + before_sleep;
  do {
    for (int i = 0; i < between_looks; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads) {
  if (threads == 0) threads = std::thread::hardware_concurrency();
  if (threads == 0) threads = 1;
  next_ = std::vector<Next>(threads);
  workers_.reserve(threads - 1);
  try {
    for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (...) {  // no more threads to be had: go on with those there are
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (auto& worker : workers_) worker.join();
}

// A thread that is not there in time (others keep the processor busy) is not waited for: whoever is there
// takes its tasks.
void ThreadPool::dispatch(std::size_t tasks, Call call, void* body) {
  tasks_ = tasks;
  call_ = call;
  body_ = body;
  for (std::size_t i = 0; i < this->threads(); ++i) next_[i].task.store(i, std::memory_order_relaxed);
  inside_.store(0, std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  drain(0);
  for (std::uint32_t inside = inside_.fetch_or(closed, std::memory_order_acq_rel) | closed; inside != closed;
       inside = inside_.load(std::memory_order_acquire))
    wait_while_equal(inside_, inside);
  if (failure_) {
    std::exception_ptr failure = failure_;
    failure_ = nullptr;
    std::rethrow_exception(failure);
  }
}

void ThreadPool::drain(std::size_t worker) {
  const std::size_t threads = this->threads();
  try {
    for (std::size_t w = 0; w < threads; ++w) {
      std::atomic<std::size_t>& next = next_[(worker + w) % threads].task;
      for (std::size_t i; (i = next.fetch_add(threads, std::memory_order_relaxed)) < tasks_;)
        call_(body_, i, worker);
    }
  } catch (...) {
    for (Next& next : next_) next.task.store(tasks_, std::memory_order_relaxed);
    std::lock_guard<std::mutex> hold(failure_lock_);
    if (!failure_) failure_ = std::current_exception();
  }
}

bool ThreadPool::enter() {
  for (std::uint32_t inside = inside_.load(std::memory_order_relaxed); (inside & closed) == 0;)
    if (inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire,
                                      std::memory_order_relaxed))
      return true;
  return false;
}

void ThreadPool::work(std::size_t worker) {
  for (std::uint32_t seen = 0;;) {
    wait_while_equal(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (!enter()) continue;
    drain(worker);
    if (inside_.fetch_sub(1, std::memory_order_acq_rel) == (closed | 1)) inside_.notify_one();
  }
}

}  // namespace sklar
