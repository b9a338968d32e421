#include "backend/cuda/trajectory_narrow.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cuda/runtime.hpp"
#include "narrow/narrow.h"
#include "process/level_interpolation.h"

namespace sklar::cuda {
namespace {

using Head = FusedField<float>::Head;

// The field's part of a step, from its time and form.
void describe_time(NarrowStep& to, const LinearStep& s, const FusedField<float>& field) {
  if (field.head == Head::velocity) {
    double feature[velocity_time_features] = {};
    velocity_time(field.velocity, s.time, feature);
    std::copy(std::begin(feature), std::end(feature), to.feature);
    to.scale = static_cast<float>(velocity_scale(field.velocity, s.form, s.time));
    return;
  }
  const LevelWeights mix =
      interpolate_levels(field.w.data(), field.w.size(), field.slope != nullptr, s.time, s.form);
  to.reference = static_cast<float>(mix.reference_weight);
  const double largest = std::max(std::abs(mix.near_weight), std::abs(mix.far_weight));
  if (largest == 0) return;
  // adjoints of about 1 stay in the range of fp16; a power of two changes nothing but the exponent
  const double scale = std::exp2(std::round(std::log2(largest)));
  to.scale = static_cast<float>(scale);
  to.near = static_cast<std::uint32_t>(mix.near);
  to.far = static_cast<std::uint32_t>(mix.far);
  to.near_weight = static_cast<float>(mix.near_weight / scale);
  to.far_weight = static_cast<float>(mix.far_weight / scale);
}

NarrowStep narrow_step(const LinearStep& s, const FusedField<float>& field) {
  NarrowStep to{};
  to.kept_state = static_cast<float>(s.kept_state);
  to.kept_field = static_cast<float>(s.kept_field);
  to.state = static_cast<float>(s.state);
  to.now = static_cast<float>(s.now);
  to.before = static_cast<float>(s.before);
  to.noise = static_cast<float>(s.noise);
  to.draw = s.draw;
  to.tag = s.tag;
  to.mark = s.mark;
  to.whole = s.whole;
  describe_time(to, s, field);
  return to;
}

}  // namespace

bool run_narrow_trajectory(Backend<float>& backend, const TrajectoryProgram<float>& given,
                           bool three_products, unsigned* saturated, void* stream) {
  const FusedField<float>& field = given.field;
  if (!is_narrow(field.hidden) || (three_products && !narrow_in_three(field.hidden))) return false;
  const bool levels = field.head == Head::levels;
  const bool lifts = !levels && velocity_lifts(field.velocity);

  NarrowProgram p{};
  p.network.parameters = field.parameters;
  p.network.inputs = static_cast<std::uint32_t>(field.inputs);
  p.network.depth = static_cast<std::uint32_t>(field.depth);
  p.network.outputs = static_cast<std::uint32_t>(field.outputs);
  p.network.dim = static_cast<std::uint32_t>(given.z.columns);
  p.network.lifted = levels ? p.network.inputs : velocity_state_features(field.velocity);
  p.network.slope = field.slope;

  // the part of a warp grows with the dimension; sums of offsets would leave 32 bits only where nothing fits
  // anyway
  const std::size_t shared = most_shared_memory();
  if (field.depth * field.hidden * field.hidden * 4 > shared || field.inputs * field.hidden * 4 > shared ||
      field.outputs * field.hidden * 4 > shared || given.z.columns * given.z.columns * 4 > shared)
    return false;
  const NarrowLayout layout(p.network, static_cast<std::uint32_t>(field.hidden), levels, field.relu, lifts);
  if (layout.bytes(2) > shared) return false;  // one warp would leave the tensor cores idle
  const std::size_t tiles = (given.z.rows + 15) / 16, most = processors();
  const std::size_t warps = std::min(
      {std::size_t{narrow_warps}, (shared - layout.warps) / layout.warp_bytes, (tiles + most - 1) / most});

  std::vector<NarrowStep> host;
  for (const LinearStep& s : given.steps) host.push_back(narrow_step(s, field));
  const auto steps = backend.buffer<NarrowStep>(host.size());
  backend.upload(steps.data(), host.data(), host.size() * sizeof(NarrowStep));
  Buffer<std::uint32_t> low;
  if (three_products) {
    low = backend.buffer<std::uint32_t>(narrow_low_words(field.hidden, field.depth));
    check(launch_narrow_low(low.data(), field.parameters, field.hidden, field.inputs, field.depth, stream));
  }
  p.velocity = field.velocity;
  p.steps = steps.data();
  p.count = static_cast<std::uint32_t>(host.size());
  p.z = given.z;
  p.reflected = given.reflected;
  p.seed = given.seed;
  p.first_row = given.first_row;
  p.failed = given.failed;
  p.low = low.data();
  p.saturated = saturated;
  return at_narrow_width(field.hidden, [&]<unsigned width>() {
    check(launch_narrow<width>(p, levels, field.relu, static_cast<std::uint32_t>(warps), stream));
  });
}

}  // namespace sklar::cuda
