// What every processor has: SSE2 on x86-64, NEON on arm64.
#define SKLAR_KERNEL_NAMESPACE baseline
#define SKLAR_VECTOR_BYTES 16
#define SKLAR_TILE_ROWS 6
#include "backend/cpu/kernels.inl"

namespace sklar::cpu {
template <>
const KernelTable<float>& baseline_kernels<float>() {
  return baseline::table<float>("baseline");
}
template <>
const KernelTable<double>& baseline_kernels<double>() {
  return baseline::table<double>("baseline");
}
}  // namespace sklar::cpu
