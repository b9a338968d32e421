#define SKLAR_INSTRUCTION_SET avx2
#include "backend/cpu/elementwise.inl"
