#include "fiber.hpp"

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(SKLAR_OWN_SWITCH)
// swapcontext asks the system for the signal mask at each switch, which takes ten times as long as all the
// rest.
extern "C" [[gnu::visibility("hidden")]] void sklar_switch_stacks(void** left, void* entered);
asm(R"(
  .text
  .p2align 4
  .globl sklar_switch_stacks
  .hidden sklar_switch_stacks
  .type sklar_switch_stacks, @function
sklar_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size sklar_switch_stacks, .-sklar_switch_stacks
)");
#endif

namespace sklar::emulator {
namespace {

thread_local Fiber* left = nullptr;  // the fiber that the running one was entered from

}  // namespace

Fiber::Fiber(void (*entry)(), std::size_t number) : memory_(new char[stack_bytes]), size_(stack_bytes) {
  bottom_ = memory_.get();
  // lanes do the same at the same depth: at different lines of the cache
  const std::size_t used = stack_bytes - number % 61 * 64;
#if defined(SKLAR_OWN_SWITCH)
  // six registers, where to go, and, as after a call, where to return to
  const auto end = reinterpret_cast<std::uintptr_t>(memory_.get() + used) / 16 * 16;
  void** const top = reinterpret_cast<void**>(end) - 8;
  for (int i = 0; i < 8; ++i) top[i] = nullptr;
  top[6] = reinterpret_cast<void*>(entry);
  top_ = top;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = memory_.get();
  context_.uc_stack.ss_size = used;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
#endif
}

void Fiber::switch_to(Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, to.bottom_, to.size_);
#endif
  left = this;
#if defined(SKLAR_OWN_SWITCH)
  sklar_switch_stacks(&top_, to.top_);
#else
  swapcontext(&context_, &to.context_);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, &left->bottom_, &left->size_);
#endif
}

void Fiber::entered() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &left->bottom_, &left->size_);
#endif
}

}  // namespace sklar::emulator
