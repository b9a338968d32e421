#include "backend/cuda/train_narrow.hpp"

#include "backend/cuda/runtime.hpp"
#include "narrow.h"
#include "narrow_train.h"
#include "training.h"

namespace sklar::cuda {
namespace {

int launch(std::size_t width, const ClassifierTraining& program, bool three, void* stream) {
  switch (width) {
    case 16:
      return launch_classifier_training<16>(program, three, stream);
    case 32:
      return launch_classifier_training<32>(program, three, stream);
    case 64:
      return launch_classifier_training<64>(program, three, stream);
    default:
      return launch_classifier_training<128>(program, three, stream);
  }
}

}  // namespace

bool train_narrow(Backend<float>& backend, const ClassifierStep<float>& step, TrainWorkspace& workspace,
                  Buffer<double>& norms, bool three, unsigned* saturated, void* stream) {
  const FusedNetwork<float>& n = step.network;
  if (!is_narrow(n.hidden)) return false;
  // sums of offsets would leave 32 bits only where nothing fits anyway
  const std::size_t shared = most_shared_memory();
  if (n.depth * n.hidden * n.hidden * 4 > shared || n.inputs * n.hidden * 4 > shared ||
      n.outputs * n.hidden * 4 > shared || n.inputs * n.inputs * 4 > shared)
    return false;
  const bool guided = step.loss.covariance != nullptr;
  const ClassifierLayout slopes_in_memory(n, guided, false);
  if (slopes_in_memory.bytes > shared) return false;

  const std::size_t blocks = (step.draw.x.rows + train_rows - 1) / train_rows;
  const std::size_t count = TrainParameters(n).count;
  reserve(backend, workspace.shares, blocks * share_stride(count));
  reserve(backend, workspace.losses, 2 * blocks);
  reserve(backend, norms, share_norm_partials(count));
  ClassifierTraining program{step, workspace.shares.data(), workspace.losses.data(), nullptr, saturated};
  if (ClassifierLayout(n, guided, true).bytes > shared) {
    reserve(backend, workspace.slopes, blocks * slopes_in_memory.slope_count);
    program.slopes = workspace.slopes.data();
  }
  check(launch(n.hidden, program, three, stream));
  check(launch_share_sums(program.shares, blocks, step.gradient, count, program.losses, step.loss.state,
                          norms.data(), stream));
  return true;
}

}  // namespace sklar::cuda
