#pragma once

// Names of the instruction set that a file is compiled for: kernels_avx2, avx2_kernels.
#define SKLAR_JOIN_OF(a, b) a##b
#define SKLAR_JOIN(a, b) SKLAR_JOIN_OF(a, b)
#define SKLAR_OF_SET(name) SKLAR_JOIN(name, SKLAR_INSTRUCTION_SET)
#define SKLAR_SET_OF(name) SKLAR_JOIN(SKLAR_INSTRUCTION_SET, name)
