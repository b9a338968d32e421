// What the processor can do, read once.
#pragma once

#include <string>
#include <vector>

namespace sklar {

enum class InstructionSet { baseline, avx2, avx512 };

const char* to_string(InstructionSet set) noexcept;

/// The sets this build carries kernels for, weakest first.
std::vector<InstructionSet> compiled_instruction_sets();

/// The strongest set that is compiled in and that processor and operating system support. The environment
/// variable SKLAR_INSTRUCTION_SET=baseline|avx2|avx512 lowers it (for tests and comparisons); it can't raise
/// it.
InstructionSet instruction_set();

/// Marketing name of the processor, or the architecture's name where the system does not tell.
std::string cpu_name();

/// Logical processors this process may run on (affinity respected where the system tells), at least 1.
unsigned cpu_cores();

}  // namespace sklar
