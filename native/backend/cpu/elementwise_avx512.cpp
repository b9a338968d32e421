#define SKLAR_KERNEL_NAMESPACE avx512_elements
#include "backend/cpu/elementwise.inl"

namespace sklar::cpu {
template <>
const ElementwiseTable<float>& avx512_elementwise<float>() {
  return avx512_elements::elementwise_table<float>();
}
template <>
const ElementwiseTable<double>& avx512_elementwise<double>() {
  return avx512_elements::elementwise_table<double>();
}
}  // namespace sklar::cpu
