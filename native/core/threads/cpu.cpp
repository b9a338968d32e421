#include "core/threads/cpu.hpp"

#include <cstdlib>
#include <fstream>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace sklar {
namespace {

InstructionSet supported_by_machine() {
#if defined(SKLAR_X86)
  __builtin_cpu_init();
  // The compiler's run-time check includes the operating system's support for the wide registers.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("fma")) {
    return InstructionSet::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return InstructionSet::avx2;
#endif
  return InstructionSet::baseline;
}

InstructionSet detect() {
  InstructionSet set = supported_by_machine();
  if (const char* wanted = std::getenv("SKLAR_INSTRUCTION_SET")) {
    for (InstructionSet candidate : compiled_instruction_sets()) {
      if (std::string_view(wanted) == to_string(candidate) && candidate < set) set = candidate;
    }
  }
  return set;
}

}  // namespace

const char* to_string(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::baseline:
      break;
  }
  return "baseline";
}

std::vector<InstructionSet> compiled_instruction_sets() {
#if defined(SKLAR_X86)
  return {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512};
#else
  return {InstructionSet::baseline};
#endif
}

InstructionSet instruction_set() {
  static const InstructionSet set = detect();
  return set;
}

std::string cpu_name() {
#if defined(__linux__)
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const auto colon = line.find(':');
    const auto start = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    if (start != std::string::npos) return line.substr(start);
  }
#elif defined(__APPLE__)
  char name[256];
  std::size_t size = sizeof name;
  if (sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0) return name;
#endif
#if defined(__x86_64__) || defined(_M_X64)
  return "x86-64";
#elif defined(__aarch64__)
  return "arm64";
#else
  return "unknown";
#endif
}

unsigned cpu_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return static_cast<unsigned>(count);
  }
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? count : 1;
}

}  // namespace sklar
