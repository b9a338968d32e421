#define SKLAR_KERNEL_NAMESPACE baseline_elements
#include "backend/cpu/elementwise.inl"

namespace sklar::cpu {
template <>
const ElementwiseTable<float>& baseline_elementwise<float>() {
  return baseline_elements::elementwise_table<float>();
}
template <>
const ElementwiseTable<double>& baseline_elementwise<double>() {
  return baseline_elements::elementwise_table<double>();
}
}  // namespace sklar::cpu
