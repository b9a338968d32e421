#include "narrow.cuh"

namespace sklar::cuda {
template int launch_narrow<128>(const NarrowProgram&, bool, bool, uint32_t, void*);
}  // namespace sklar::cuda
