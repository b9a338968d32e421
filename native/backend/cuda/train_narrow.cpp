#include "backend/cuda/train_narrow.hpp"

#include "backend/cuda/runtime.hpp"
#include "narrow.h"
#include "narrow_train.h"
#include "training.h"

namespace sklar::cuda {
namespace {

template <class Launch>
int at_width(std::size_t width, const Launch& launch) {
  switch (width) {
    case 16:
      return launch.template operator()<16>();
    case 32:
      return launch.template operator()<32>();
    case 64:
      return launch.template operator()<64>();
    default:
      return launch.template operator()<128>();
  }
}

// rows: of each member. square: elements of the largest matrix that is not the network's. losses: of a block.
template <class Program, class Step, class Layout, class Launch>
std::size_t train(const TrainDevice& device, const Step& step, std::size_t members, std::size_t rows,
                  std::size_t square, int losses, const Layout& layout, const Launch& launch) {
  const FusedNetwork<float>& n = step.network;
  if (!is_narrow(n.hidden)) return 0;
  // sums of offsets would leave 32 bits only where nothing fits anyway
  const std::size_t shared = most_shared_memory();
  for (const std::size_t size :
       {n.depth * n.hidden * n.hidden, n.inputs * n.hidden, n.outputs * n.hidden, square})
    if (size * 4 > shared) return 0;
  const auto apart = layout(false);
  if (apart.bytes > shared) return 0;

  TrainWorkspace& workspace = device.workspace;
  const std::size_t blocks = (rows + train_rows - 1) / train_rows, count = TrainParameters(n).count;
  const std::size_t partials = share_norm_partials(count, members);
  reserve(device.backend, workspace.shares, members * blocks * share_stride(count));
  reserve(device.backend, workspace.losses, members * blocks * static_cast<std::size_t>(losses));
  reserve(device.backend, device.norms, partials);
  Program program{step, workspace.shares.data(), workspace.losses.data(), nullptr, device.saturated};
  if (layout(true).bytes > shared) {
    reserve(device.backend, workspace.slopes, members * blocks * apart.slope_count);
    program.slopes = workspace.slopes.data();
  }
  check(launch(program));
  check(launch_share_sums(program.shares, blocks, members, step.gradient, count, program.losses, losses,
                          step.loss.state, device.norms.data(), device.stream));
  return partials;
}

}  // namespace

std::size_t train_narrow(const TrainDevice& device, const ClassifierStep<float>& step) {
  const FusedNetwork<float>& n = step.network;
  const bool guided = step.loss.covariance != nullptr;
  return train<ClassifierTraining>(
      device, step, 1, step.draw.x.rows, guided ? n.inputs * n.inputs : 0, 2,
      [&](bool shared_slopes) { return ClassifierLayout(n, guided, shared_slopes); },
      [&](const ClassifierTraining& program) {
        return at_width(n.hidden, [&]<unsigned width>() {
          return launch_classifier_training<width>(program, device.three, device.stream);
        });
      });
}

std::size_t train_narrow(const TrainDevice& device, const VelocityStep<float>& step) {
  const FusedNetwork<float>& n = step.network;
  return train<VelocityTraining>(
      device, step, step.members, step.draw.y.rows / step.members, 0, 1,
      [&](bool shared_slopes) { return VelocityLayout(n, shared_slopes); },
      [&](const VelocityTraining& program) {
        return at_width(n.hidden, [&]<unsigned width>() {
          return launch_velocity_training<width>(program, device.three, device.stream);
        });
      });
}

}  // namespace sklar::cuda
