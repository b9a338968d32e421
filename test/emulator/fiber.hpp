#pragma once

// Stacks that take turns on one thread of the operating system.

#include <cstddef>
#include <memory>

#if defined(__x86_64__) && defined(__ELF__) && !defined(SKLAR_EMULATOR_UCONTEXT)
#define SKLAR_OWN_SWITCH 1
#else
#include <ucontext.h>
#endif

namespace sklar::emulator {

class Fiber {
 public:
  static constexpr std::size_t stack_bytes = 256 * 1024;

  Fiber() = default;  // the stack of the thread itself
  // entry() must not return. `number` differs from that of other fibers.
  Fiber(void (*entry)(), std::size_t number);
  Fiber(const Fiber&) = delete;

  // Leaves this fiber, which must be the running one, for another; returns when somebody comes back.
  void switch_to(Fiber& to);
  static void entered();  // what every entry() begins with

 private:
  std::unique_ptr<char[]> memory_;
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
#if defined(SKLAR_OWN_SWITCH)
  void* top_ = nullptr;  // where registers are kept
#else
  ucontext_t context_;
#endif
};

}  // namespace sklar::emulator
