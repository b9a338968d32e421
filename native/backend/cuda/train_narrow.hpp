#pragma once

#include "backend/backend.hpp"

namespace sklar::cuda {

// What the blocks of a step leave for its second kernel; kept, so that a step can be recorded.
struct TrainWorkspace {
  Buffer<float> shares, slopes;
  Buffer<double> losses;
};

struct TrainDevice {
  Backend<float>& backend;
  TrainWorkspace& workspace;
  Buffer<double>& norms;
  bool three_products;  // float32-like products in the forward pass
  void* stream;
};

// Backend::classifier_step and velocity_step by the kernels of kernels/narrow/narrow_train.h. How many
// partial sums of the squared norm of each model's gradient are left in `norms`; 0, and nothing is done, for
// networks that are too wide, or whose weights and operands leave no room in shared memory.
std::size_t train_narrow(const TrainDevice& device, const ClassifierStep<float>& step,
                         std::span<const TrainedModel<float>> models);
std::size_t train_narrow(const TrainDevice& device, const VelocityStep<float>& step,
                         std::span<const TrainedModel<float>> models);

}  // namespace sklar::cuda
