#include "emulator.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "fiber.hpp"

namespace sklar::emulator {

constinit thread_local Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr std::size_t warp = 32;

struct Copy {
  unsigned char* to;
  const void* from;
  std::size_t bytes, given;
};

struct Lane;  // a fiber that runs threads of a block, one after the other

struct Thread {
  Index index;
  Collective waits = Collective::none;
  void* argument = nullptr;
  void (*exchange)(void* const*) = nullptr;
  int barriers = 0, warp_barriers = 0;
  bool done = false;
  Lane* lane = nullptr;
  std::vector<Copy> copies;         // not yet waited for
  std::vector<std::size_t> groups;  // copies in each
  std::size_t uncommitted = 0;

  bool runs() const { return !done && waits == Collective::none; }
  void begin(Index at) {
    std::vector<Copy> no_copies = std::move(copies);
    std::vector<std::size_t> no_groups = std::move(groups);
    no_copies.clear();
    no_groups.clear();
    *this = {};
    index = at;
    copies = std::move(no_copies);
    groups = std::move(no_groups);
  }
};

struct Lane {
  Fiber fiber;
  Thread* thread = nullptr;
  Lane(void (*entry)(), std::size_t number) : fiber(entry, number) {}
};

thread_local std::uint32_t seed = 1;
thread_local int skipped_barrier = -1, skipped_warp_barrier = -1;

std::uint32_t random(std::size_t below) {
  seed = seed * 1664525u + 1013904223u;
  return static_cast<std::uint32_t>((seed >> 8) % below);
}

class Block;
thread_local Block* running = nullptr;
thread_local Fiber own_stack;  // where blocks are chosen

// One block at work. A thread that parks or ends chooses the next one of its warp, and goes on as that one
// where it can: a kernel without barriers needs one fiber, and no switch.
class Block {
 public:
  void begin(Index index, std::size_t threads, Index shape, std::size_t shared_bytes, const Kernel& kernel) {
    index_ = index;
    kernel_ = &kernel;
    shared_.assign(shared_bytes + 16, static_cast<unsigned char>(0xA5));
    threads_.resize(threads);
    for (std::size_t i = 0; i < threads; ++i)
      threads_[i].begin({static_cast<unsigned>(i % shape.x), static_cast<unsigned>(i / shape.x % shape.y),
                         static_cast<unsigned>(i / shape.x / shape.y)});
  }

  // Some of its work; false when it is done.
  bool advance() {
    running = this;
    block_index = index_;
    const std::size_t warps = (threads_.size() + warp - 1) / warp, first = random(warps);
    for (std::size_t w = 0; w < warps; ++w)
      if (run_warp((first + w) % warps * warp)) return true;
    const auto all = [&](auto&& is) { return std::all_of(threads_.begin(), threads_.end(), is); };
    if (all([](const Thread& t) { return t.done; })) return false;
    if (!all([](const Thread& t) { return t.done || t.waits == Collective::block_barrier; }))
      throw std::logic_error("emulated kernel: deadlock, or a collective that not all lanes reach");
    for (Thread& t : threads_) t.waits = Collective::none;
    return true;
  }

  // Some of its threads are in the middle of the kernel.
  void give_up() {
    lanes_.clear();
    free_.clear();
  }

  unsigned char* shared() {
    return shared_.data() + (16 - reinterpret_cast<std::uintptr_t>(shared_.data()) % 16) % 16;
  }

  void copy(void* shared, const void* from, std::size_t bytes, std::size_t given) {
    const auto to = static_cast<unsigned char*>(shared);
    if (bytes != 4 && bytes != 8 && bytes != 16)
      throw std::logic_error("emulated cp.async: of 4, 8 or 16 bytes");
    if (given > bytes || reinterpret_cast<std::uintptr_t>(to) % bytes ||
        (given && reinterpret_cast<std::uintptr_t>(from) % bytes))
      throw std::logic_error("emulated cp.async: an address that is no multiple of the size");
    if (to < this->shared() || to + bytes > this->shared() + shared_.size() - 16)
      throw std::logic_error("emulated cp.async: to what is not shared memory");
    Thread& t = *current_->thread;
    std::memset(to, 0xA5, bytes);
    t.copies.push_back({to, from, bytes, given});
    ++t.uncommitted;
  }
  void commit() {
    Thread& t = *current_->thread;
    t.groups.push_back(std::exchange(t.uncommitted, 0));
  }
  void wait(int newest) {
    Thread& t = *current_->thread;
    std::size_t done = 0;
    if (newest < 0) {
      done = t.copies.size();
      t.groups.clear();
      t.uncommitted = 0;
    } else if (t.groups.size() > static_cast<std::size_t>(newest)) {
      const auto end = t.groups.end() - newest;
      done = std::accumulate(t.groups.begin(), end, std::size_t{0});
      t.groups.erase(t.groups.begin(), end);
    }
    const auto end = t.copies.begin() + static_cast<std::ptrdiff_t>(done);
    for (auto c = t.copies.begin(); c != end; ++c) {
      if (c->given) std::memcpy(c->to, c->from, c->given);
      std::memset(c->to + c->given, 0, c->bytes - c->given);
    }
    t.copies.erase(t.copies.begin(), end);
  }

  void park(Collective kind, void* argument, void (*exchange)(void* const*)) {
    Lane& me = *current_;
    Thread& t = *me.thread;
    if (kind == Collective::block_barrier && t.barriers++ == skipped_barrier) return;
    if (kind == Collective::warp_barrier && t.warp_barriers++ == skipped_warp_barrier) return;
    t.waits = kind;
    t.argument = argument;
    t.exchange = exchange;
    leave(me, next_of_warp());
    thread_index = t.index;
  }

 private:
  // until every lane is done, waits for the block or was preempted
  bool run_warp(std::size_t first) {
    warp_ = first;
    warp_size_ = std::min(warp, threads_.size() - first);
    begin_round();
    Thread* const t = next_of_warp();
    if (!t) return false;
    enter(own_stack, *t);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    return true;
  }

  // In a round every lane that can goes on once, in random order.
  void begin_round() {
    turn_ = 0;
    start_ = random(warp_size_);
    stride_ = 2 * random(16) + 1;
  }
  // Null: the warp can't go on.
  Thread* next_of_warp() {
    for (;;) {
      while (turn_ < warp) {
        const std::size_t lane = (start_ + turn_++ * stride_) % warp;
        if (lane < warp_size_ && threads_[warp_ + lane].runs()) return &threads_[warp_ + lane];
      }
      if (!exchange()) return nullptr;
      begin_round();
    }
  }
  // What the lanes have met for, if they have.
  bool exchange() {
    Thread* const lanes = &threads_[warp_];
    const Collective kind = lanes[0].waits;
    if (kind == Collective::none || kind == Collective::block_barrier) return false;
    void* arguments[warp] = {};
    for (std::size_t i = 0; i < warp_size_; ++i) {
      if (lanes[i].waits != kind || lanes[i].done) return false;
      arguments[i] = lanes[i].argument;
    }
    if (lanes[0].exchange) lanes[0].exchange(arguments);
    for (std::size_t i = 0; i < warp_size_; ++i) lanes[i].waits = Collective::none;
    return true;
  }

  // From `me` to what is to run next: a thread, or, for null, the choice of another warp.
  void leave(Lane& me, Thread* next) {
    if (!next)
      me.fiber.switch_to(own_stack);
    else if (next->lane != &me)
      enter(me.fiber, *next);
  }
  void enter(Fiber& from, Thread& t) {
    if (!t.lane) begin(t, free_lane());
    current_ = t.lane;
    thread_index = t.index;
    from.switch_to(t.lane->fiber);
  }
  static void begin(Thread& t, Lane& lane) {
    t.lane = &lane;
    lane.thread = &t;
  }
  Lane& free_lane() {
    if (free_.empty()) {
      lanes_.push_back(std::make_unique<Lane>(&Block::run_threads, lanes_.size()));
      return *lanes_.back();
    }
    Lane& lane = *free_.back();
    free_.pop_back();
    return lane;
  }

  static void run_threads() {
    Fiber::entered();
    Block& self = *running;
    Lane& me = *self.current_;
    for (;;) {
      try {
        (*self.kernel_)();
      } catch (...) {
        self.failure_ = std::current_exception();
      }
      me.thread->done = true;
      me.thread->lane = nullptr;
      Thread* const next = self.failure_ ? nullptr : self.next_of_warp();
      if (next && !next->lane) {
        begin(*next, me);
        thread_index = next->index;
      } else {
        self.free_.push_back(&me);
        self.leave(me, next);
      }
    }
  }

  Index index_;
  const Kernel* kernel_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Lane*> free_;
  std::vector<unsigned char> shared_;
  Lane* current_ = nullptr;
  std::size_t warp_ = 0, warp_size_ = 0;           // the warp that runs: its first thread, its lanes
  std::size_t turn_ = 0, start_ = 0, stride_ = 1;  // its round
  std::exception_ptr failure_;
};

constexpr std::size_t most_resident = 3;

// Kept from launch to launch for their fibers.
thread_local std::vector<std::unique_ptr<Block>> residents;

}  // namespace

void set_seed(std::uint32_t value) { seed = value; }
void skip_barrier(int which) { skipped_barrier = which; }
void skip_warp_barrier(int which) { skipped_warp_barrier = which; }
unsigned char* shared_memory() { return running->shared(); }
void copy_async(void* shared, const void* from, std::size_t bytes, std::size_t given) {
  running->copy(shared, from, bytes, given);
}
void commit_copies() { running->commit(); }
void wait_for_copies(int newest) { running->wait(newest); }
void meet(Collective kind, void* argument, void (*exchange)(void* const*)) {
  running->park(kind, argument, exchange);
}
void preempt() {
  if (random(2)) running->park(Collective::none, nullptr, nullptr);
}

bool is_launchable(Index grid, Index shape) {
  const std::size_t threads = std::size_t{shape.x} * shape.y * shape.z;
  return threads > 0 && threads <= 1024 && shape.z <= 64 && grid.x && grid.y && grid.z &&
         grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535;
}

void run(Index grid, Index shape, std::size_t shared_bytes, const Kernel& kernel) {
  if (!is_launchable(grid, shape) || shared_bytes > most_shared)
    throw std::logic_error("emulated kernel: no block of a GPU has this shape");
  block_size = shape;
  grid_size = grid;
  const std::size_t threads = std::size_t{shape.x} * shape.y * shape.z;
  std::vector<std::size_t> waiting(std::size_t{grid.x} * grid.y * grid.z);
  std::iota(waiting.begin(), waiting.end(), std::size_t{0});
  const std::size_t most = 1 + random(most_resident);
  std::vector<Block*> active, idle;
  while (residents.size() < most) residents.push_back(std::make_unique<Block>());
  for (std::size_t i = 0; i < most; ++i) idle.push_back(residents[i].get());
  try {
    while (!waiting.empty() || !active.empty()) {
      while (!waiting.empty() && !idle.empty()) {
        std::swap(waiting[random(waiting.size())], waiting.back());
        const std::size_t at = waiting.back();
        waiting.pop_back();
        active.push_back(idle.back());
        idle.pop_back();
        active.back()->begin({static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                              static_cast<unsigned>(at / grid.x / grid.y)},
                             threads, shape, shared_bytes, kernel);
      }
      const std::size_t which = random(active.size());
      if (active[which]->advance()) continue;
      idle.push_back(active[which]);
      active.erase(active.begin() + static_cast<std::ptrdiff_t>(which));
    }
  } catch (...) {
    for (Block* b : active) b->give_up();
    throw;
  }
}

}  // namespace sklar::emulator
