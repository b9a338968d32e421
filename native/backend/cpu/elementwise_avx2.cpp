#define SKLAR_KERNEL_NAMESPACE avx2_elements
#include "backend/cpu/elementwise.inl"

namespace sklar::cpu {
template <>
const ElementwiseTable<float>& avx2_elementwise<float>() {
  return avx2_elements::elementwise_table<float>();
}
template <>
const ElementwiseTable<double>& avx2_elementwise<double>() {
  return avx2_elements::elementwise_table<double>();
}
}  // namespace sklar::cpu
