#define SKLAR_INSTRUCTION_SET avx512
#define SKLAR_VECTOR_BYTES 64
#define SKLAR_TILE_ROWS 12
#include "backend/cpu/kernels.inl"
