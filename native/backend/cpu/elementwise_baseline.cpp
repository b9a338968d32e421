#define SKLAR_INSTRUCTION_SET baseline
#include "backend/cpu/elementwise.inl"
