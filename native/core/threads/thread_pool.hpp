#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace sklar {

// A fixed set of threads for loops of independent tasks. A thread takes every n-th task, the same ones in
// each loop of as many, so that what they read and write stays in its caches; who has finished takes what
// others have left. A task must write only what is its own; then results do not depend on the number of
// threads.
class ThreadPool {
 public:
  explicit ThreadPool(std::size_t threads);  // 0: one for each processor
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const { return workers_.size() + 1; }

  // body(task, worker) for every task in [0, tasks); worker in [0, threads()) names a scratch area. The
  // caller takes part. The first exception is rethrown here, after all have stopped.
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    if (tasks == 0) return;
    if (tasks == 1 || workers_.empty()) {
      for (std::size_t i = 0; i < tasks; ++i) body(i, std::size_t{0});
      return;
    }
    using Plain = std::remove_reference_t<Body>;
    dispatch(
        tasks, [](void* b, std::size_t i, std::size_t w) { (*static_cast<Plain*>(b))(i, w); }, &body);
  }

 private:
  using Call = void (*)(void*, std::size_t, std::size_t);
  void dispatch(std::size_t tasks, Call call, void* body);
  void work(std::size_t worker);
  void drain(std::size_t worker);
  bool enter();

  std::vector<std::thread> workers_;
  std::atomic<std::uint32_t> round_{0};
  struct alignas(64) Next {
    std::atomic<std::size_t> task{0};
  };
  std::vector<Next> next_;  // of each thread's own tasks
  static constexpr std::uint32_t closed = 1u << 31;
  std::atomic<std::uint32_t> inside_{
      closed};  // how many threads, but the caller, are in this round; closed: none may enter
  std::atomic<bool> stop_{false};
  std::size_t tasks_ = 0;
  Call call_ = nullptr;
  void* body_ = nullptr;
  std::mutex failure_lock_;
  std::exception_ptr failure_;
};

}  // namespace sklar
