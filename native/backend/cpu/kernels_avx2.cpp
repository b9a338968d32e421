#define SKLAR_KERNEL_NAMESPACE avx2
#define SKLAR_VECTOR_BYTES 32
#define SKLAR_TILE_ROWS 6
#include "backend/cpu/kernels.inl"

namespace sklar::cpu {
template <>
const KernelTable<float>& avx2_kernels<float>() {
  return avx2::table<float>("avx2");
}
template <>
const KernelTable<double>& avx2_kernels<double>() {
  return avx2::table<double>("avx2");
}
}  // namespace sklar::cpu
