// Every task is done once and by one thread at a time, however many threads there are and whatever else they
// do.
#include "core/threads/thread_pool.hpp"

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"

namespace {

TEST_CASE("every task of every round is done once, in its round") {
  for (std::size_t threads : {1u, 2u, 3u, 8u}) {
    sklar::ThreadPool pool(threads);
    std::vector<int> done(40), wanted(40);
    for (std::size_t round = 0; round < 3000; ++round) {
      const std::size_t tasks = round % done.size() + 1;
      pool.run(tasks, [&](std::size_t task, std::size_t worker) {
        if (worker < pool.threads()) ++done[task];
      });
      for (std::size_t task = 0; task < tasks; ++task) ++wanted[task];
      CHECK(done == wanted);
    }
  }
}

TEST_CASE("a round ends when its tasks are done, those of threads that came late too") {
  sklar::ThreadPool pool(4);
  for (std::size_t slow = 0; slow < 8; ++slow) {
    std::vector<int> done(8);
    pool.run(done.size(), [&](std::size_t task, std::size_t) {
      if (task == slow) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      done[task] = 1;
    });
    CHECK(done == std::vector<int>(8, 1));
  }
}

TEST_CASE("the first failure is the caller's, and the next round is as any") {
  sklar::ThreadPool pool(3);
  for (int round = 0; round < 200; ++round) {
    bool thrown = false;
    try {
      pool.run(9, [&](std::size_t task, std::size_t) {
        if (task == 5) throw std::runtime_error("five");
      });
    } catch (const std::runtime_error& error) {
      thrown = std::string(error.what()) == "five";
    }
    CHECK(thrown);
    std::vector<int> done(9);
    pool.run(done.size(), [&](std::size_t task, std::size_t) { ++done[task]; });
    CHECK(done == std::vector<int>(9, 1));
  }
}

}  // namespace
