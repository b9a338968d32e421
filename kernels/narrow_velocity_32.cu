#include "narrow_velocity.cuh"

namespace sklar::cuda {
template int launch_velocity_training<32>(const VelocityTraining&, bool, void*);
}  // namespace sklar::cuda
