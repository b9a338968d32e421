#include "backend/cuda/train_narrow.hpp"

#include <algorithm>

#include "backend/cuda/runtime.hpp"
#include "narrow/narrow.h"
#include "narrow/narrow_train.h"
#include "training.h"

namespace sklar::cuda {
namespace {

// rows: of each member. losses: of a block.
template <class Step, class Layout, class Launch>
std::size_t train(const TrainDevice& device, const Step& step, std::span<const TrainedModel<float>> models,
                  std::size_t members, std::size_t rows, int losses, const Layout& layout,
                  const Launch& launch) {
  const FusedNetwork<float>& n = step.network;
  if (!is_narrow(n.hidden)) return 0;
  // sums of offsets would leave 32 bits only where nothing fits anyway
  const std::size_t shared = most_shared_memory();
  for (const std::size_t size : {n.depth * n.hidden * n.hidden, n.inputs * n.hidden, n.outputs * n.hidden})
    if (size * 4 > shared) return 0;
  const auto apart = layout(false);
  if (apart.bytes > shared) return 0;

  TrainWorkspace& workspace = device.workspace;
  const std::size_t blocks = (rows + train_rows - 1) / train_rows, count = TrainParameters(n).count;
  const std::size_t partials = share_norm_partials(count, members);
  if (models.empty()) return partials;
  const std::size_t all_blocks = models.size() * members * blocks;
  const bool gradients = models[0].gradient != nullptr;
  if (gradients) reserve(device.backend, workspace.shares, all_blocks * share_stride(count));
  reserve(device.backend, workspace.losses, all_blocks * static_cast<std::size_t>(losses));
  reserve(device.backend, device.norms, models.size() * partials);
  TrainProgram<Step> program{step,    workspace.shares.data(), workspace.losses.data(),
                             nullptr, models.size(),           {}};
  std::copy(models.begin(), models.end(), program.models);
  if (layout(true).bytes > shared) {
    reserve(device.backend, workspace.slopes, all_blocks * apart.slope_count);
    program.slopes = workspace.slopes.data();
  }
  at_narrow_width(n.hidden, [&]<unsigned width>() { check(launch.template operator()<width>(program)); });
  if (!gradients) {
    check(launch_loss_sums(program.losses, members * blocks, losses, models.data(), models.size(),
                           device.stream));
    return partials;
  }
  check(launch_share_sums(program.shares, blocks, members, models.data(), models.size(), count,
                          program.losses, losses, device.norms.data(), device.stream));
  return partials;
}

}  // namespace

std::size_t train_narrow(const TrainDevice& device, const ClassifierStep<float>& step,
                         std::span<const TrainedModel<float>> models) {
  const FusedNetwork<float>& n = step.network;
  return train(
      device, step, models, 1, step.draw.x.rows, 2,
      [&](bool shared_slopes) { return ClassifierLayout(n, shared_slopes); },
      [&]<unsigned width>(const ClassifierTraining& program) {
        return launch_classifier_training<width>(program, device.three_products, device.stream);
      });
}

std::size_t train_narrow(const TrainDevice& device, const VelocityStep<float>& step,
                         std::span<const TrainedModel<float>> models) {
  const FusedNetwork<float>& n = step.network;
  if (!learned_in_kernels(step.draw.head.process)) return 0;
  return train(
      device, step, models, step.members, step.draw.y.rows / step.members, 1,
      [&](bool shared_slopes) { return VelocityLayout(n, shared_slopes); },
      [&]<unsigned width>(const VelocityTraining& program) {
        return launch_velocity_training<width>(program, device.three_products, device.stream);
      });
}

}  // namespace sklar::cuda
