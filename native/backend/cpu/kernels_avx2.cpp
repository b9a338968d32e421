#define SKLAR_INSTRUCTION_SET avx2
#define SKLAR_VECTOR_BYTES 32
#define SKLAR_TILE_ROWS 6
#include "backend/cpu/kernels.inl"
