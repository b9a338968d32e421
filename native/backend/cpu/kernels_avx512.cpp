#define SKLAR_KERNEL_NAMESPACE avx512
#define SKLAR_VECTOR_BYTES 64
#define SKLAR_TILE_ROWS 12
#include "backend/cpu/kernels.inl"

namespace sklar::cpu {
template <>
const KernelTable<float>& avx512_kernels<float>() {
  return avx512::table<float>("avx512");
}
template <>
const KernelTable<double>& avx512_kernels<double>() {
  return avx512::table<double>("avx512");
}
}  // namespace sklar::cpu
