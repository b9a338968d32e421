#include "narrow.cuh"

namespace sklar::cuda {
template int launch_narrow<32>(const NarrowProgram&, bool, bool, uint32_t, void*);
}  // namespace sklar::cuda
