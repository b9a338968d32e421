#include "emulator.hpp"

#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace sklar::emulator {

thread_local Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr std::size_t stack_bytes = 256 * 1024;
constexpr std::size_t warp = 32;

struct Copy {
  unsigned char* to;
  const void* from;
  std::size_t bytes, given;
};

struct Thread {
  Index index;
  Collective waits = Collective::none;
  void* argument = nullptr;
  void (*exchange)(void* const*) = nullptr;
  int barriers = 0, warp_barriers = 0;
  bool done = false;
  struct Fiber* fiber = nullptr;
  std::vector<Copy> copies;          // not yet waited for
  std::vector<std::size_t> groups;  // copies in each
  std::size_t uncommitted = 0;
};

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  Thread* thread = nullptr;
  bool idle = true;
};

thread_local std::uint32_t seed = 1;
thread_local int skipped_barrier = -1, skipped_warp_barrier = -1;

std::uint32_t random(std::size_t below) {
  seed = seed * 1664525u + 1013904223u;
  return static_cast<std::uint32_t>((seed >> 8) % below);
}

class Block;
thread_local Block* running = nullptr;

// One block at work. Fibers are kept from block to block: a kernel without barriers needs one.
class Block {
 public:
  void begin(Index index, std::size_t threads, Index shape, std::size_t shared_bytes, const Kernel& kernel) {
    index_ = index;
    kernel_ = &kernel;
    shared_.assign(shared_bytes + 16, static_cast<unsigned char>(0xA5));
    threads_.assign(threads, {});
    for (std::size_t i = 0; i < threads; ++i)
      threads_[i].index = {static_cast<unsigned>(i % shape.x), static_cast<unsigned>(i / shape.x % shape.y),
                           static_cast<unsigned>(i / shape.x / shape.y)};
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

  void give_up() { fibers_.clear(); }  // some are in the middle of the kernel

  unsigned char* shared() {
    return shared_.data() + (16 - reinterpret_cast<std::uintptr_t>(shared_.data()) % 16) % 16;
  }

  void copy(void* shared, const void* from, std::size_t bytes, std::size_t given) {
    const auto to = static_cast<unsigned char*>(shared);
    if (bytes != 4 && bytes != 8 && bytes != 16) throw std::logic_error("emulated cp.async: of 4, 8 or 16 bytes");
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
    Fiber* fiber = current_;
    Thread& t = *fiber->thread;
    if (kind == Collective::block_barrier && t.barriers++ == skipped_barrier) return;
    if (kind == Collective::warp_barrier && t.warp_barriers++ == skipped_warp_barrier) return;
    t.waits = kind;
    t.argument = argument;
    t.exchange = exchange;
    to_scheduler(*fiber);
    thread_index = t.index;
  }

 private:
  // until every lane is done, waits for the block or was preempted
  bool run_warp(std::size_t first) {
    const std::size_t lanes = std::min(warp, threads_.size() - first);
    bool moved = false;
    for (bool again = true; again;) {
      again = false;
      const std::size_t start = random(lanes), stride = 2 * random(16) + 1;
      for (std::size_t i = 0; i < warp; ++i) {
        const std::size_t lane = (start + i * stride) % warp;
        if (lane >= lanes) continue;
        Thread& t = threads_[first + lane];
        if (t.done || t.waits != Collective::none) continue;
        resume(t);
        moved = true;
      }
      const Collective kind = threads_[first].waits;
      if (kind == Collective::none || kind == Collective::block_barrier) break;
      void* arguments[warp] = {};
      bool together = true;
      for (std::size_t i = 0; i < lanes; ++i) {
        together &= threads_[first + i].waits == kind && !threads_[first + i].done;
        arguments[i] = threads_[first + i].argument;
      }
      if (!together) break;
      if (threads_[first].exchange) threads_[first].exchange(arguments);
      for (std::size_t i = 0; i < lanes; ++i) threads_[first + i].waits = Collective::none;
      moved = again = true;
    }
    return moved;
  }

  void resume(Thread& t) {
    if (!t.fiber) {
      t.fiber = free_fiber();
      t.fiber->thread = &t;
      t.fiber->idle = false;
    }
    thread_index = t.index;
    current_ = t.fiber;
    switch_to(*t.fiber);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  Fiber* free_fiber() {
    for (const auto& f : fibers_)
      if (f->idle) return f.get();
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber* f = fibers_.back().get();
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack.get();
    f->context.uc_stack.ss_size = stack_bytes;
    f->context.uc_link = nullptr;
    const auto p = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&f->context, reinterpret_cast<void (*)()>(&Block::enter), 2, static_cast<unsigned>(p >> 32),
                static_cast<unsigned>(p));
    return f;
  }

  static void enter(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<Block*>(static_cast<std::uintptr_t>(high) << 32 | low);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &self->scheduler_stack_, &self->scheduler_size_);
#endif
    Fiber* fiber = self->current_;
    for (;;) {
      try {
        (*self->kernel_)();
      } catch (...) {
        self->failure_ = std::current_exception();
      }
      fiber->thread->done = true;
      fiber->thread->fiber = nullptr;
      fiber->idle = true;
      self->to_scheduler(*fiber);
    }
  }

  void switch_to(Fiber& fiber) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, fiber.stack.get(), stack_bytes);
    swapcontext(&scheduler_, &fiber.context);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    swapcontext(&scheduler_, &fiber.context);
#endif
  }
  void to_scheduler(Fiber& fiber) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, scheduler_stack_, scheduler_size_);
    swapcontext(&fiber.context, &scheduler_);
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack_, &scheduler_size_);
#else
    swapcontext(&fiber.context, &scheduler_);
#endif
  }

  Index index_;
  const Kernel* kernel_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<unsigned char> shared_;
  Fiber* current_ = nullptr;
  ucontext_t scheduler_;
  std::exception_ptr failure_;
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_size_ = 0;
#endif
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
