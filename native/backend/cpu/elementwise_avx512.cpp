#define SKLAR_INSTRUCTION_SET avx512
#include "backend/cpu/elementwise.inl"
