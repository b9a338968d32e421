#pragma once

#include "backend/backend.hpp"

namespace sklar::cuda {

// What the blocks of a step leave for its second kernel; kept, so that a step can be recorded.
struct TrainWorkspace {
  Buffer<float> shares, slopes;
  Buffer<double> losses;
};

// Backend::classifier_step by the kernels of kernels/narrow_train.h; false for networks that are too wide, or
// whose weights and operands leave no room in shared memory. Partial sums of the squared norm of the gradient
// are left in `norms`. three: float32-like products in the forward pass.
bool train_narrow(Backend<float>& backend, const ClassifierStep<float>& step, TrainWorkspace& workspace,
                  Buffer<double>& norms, bool three, unsigned* saturated, void* stream);

}  // namespace sklar::cuda
