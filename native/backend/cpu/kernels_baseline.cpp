// What every processor has: SSE2 on x86-64, NEON on arm64.
#define SKLAR_INSTRUCTION_SET baseline
#define SKLAR_VECTOR_BYTES 16
#define SKLAR_TILE_ROWS 6
#include "backend/cpu/kernels.inl"
