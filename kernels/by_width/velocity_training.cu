// A velocity head's kernel of narrow_train.h, at one width.
#include "backend/rows/velocity.h"
#include "narrow/narrow_train_block.cuh"
#include "rows.cuh"

namespace sklar::cuda {
namespace {

template <unsigned width, bool three_products, bool relu>
__global__ void __launch_bounds__(2 * width, 1) velocity_training_kernel(const VelocityTraining program) {
  if constexpr (!has_16_bit_products) return;
  using Passes = TrainPasses<width, three_products, relu, false>;
  constexpr uint32_t threads = Passes::threads;
  SKLAR_SHARED(unsigned char, shared);
  const TrainedModel<float>& model = program.models[blockIdx.z];
  VelocityDraw<float> draw = program.step.draw;
  draw.state = model.state;
  draw.seed = model.seed;
  draw.data = model.data;
  const VelocityHead& form = draw.head;
  FusedNetwork<float> n = program.step.network;
  const TrainParameters from(n);
  const VelocityLayout at(n, program.slopes == nullptr);
  const uint32_t thread = threadIdx.x, dim = form.dim, inputs = static_cast<uint32_t>(n.inputs),
                 lifted = velocity_state_features(form);
  const size_t member = blockIdx.y, members = program.step.members,
               block = (blockIdx.z * members + member) * gridDim.x + blockIdx.x;
  const size_t first = static_cast<size_t>(blockIdx.x) * train_rows, own = draw.y.rows / members;
  const uint32_t rows = own - first < train_rows ? static_cast<uint32_t>(own - first) : train_rows;
  n.parameters = model.parameters + member * from.count;

  const auto floats = [&](uint32_t offset) { return reinterpret_cast<float*>(shared + offset); };
  float* const input = floats(at.input);
  float* const head = floats(at.head);
  float* const top = floats(at.wide);  // h of the last block; in the end Lambda of the input projection
  const uint32_t area = train_rows * at.state_pitch;
  float* const y = floats(at.states);
  float* const noise = y + area;
  float* const target = noise + area;
  float* const output = target + area;
  float* const c = output + area;
  float* const x = floats(at.features);
  double* const time = reinterpret_cast<double*>(shared + at.times);
  double* const losses = reinterpret_cast<double*>(shared + at.losses);
  uint64_t* const start = reinterpret_cast<uint64_t*>(shared + at.starts);

  float* const share = program.shares + block * share_stride(from.count);
  typename Passes::Columns columns;
  Passes passes = load_network<Passes>(
      shared, at, n, program.slopes ? program.slopes + block * at.slope_count : nullptr, share, columns);

  // rows beyond the batch repeat its last one, up to the loss
  const auto row_of = [&](uint32_t i) { return member + members * (first + (i < rows ? i : rows - 1)); };
  const uint64_t step = draw.state->step;
  const uint32_t tag = noise_tag(form.process);
  const uint32_t quads = (dim + 3) / 4;
  for (uint32_t t = thread; t < 2 * warp_lanes + train_rows * quads; t += threads) {
    const size_t i = row_of(t % train_rows);
    if (t < 2 * warp_lanes) {
      if (t % warp_lanes >= train_rows) continue;
      if (t < warp_lanes) {
        time[t] = rows::time_of_row(draw, i);
      } else {
        const ShuffleKey order = shuffle_key(draw.seed, (step * draw.y.rows + i) / draw.data.rows);
        start[t % train_rows] = static_cast<uint64_t>(rows::start_of_row(draw, i, order) - draw.data.data);
      }
      continue;
    }
    const uint32_t quad = (t - 2 * warp_lanes) / train_rows;
    float values[4];
    four_normals(values, draw.seed, i, quad, step, tag);
#pragma unroll
    for (uint32_t k = 0; k < 4; ++k)
      if (4 * quad + k < dim) noise[t % train_rows * at.state_pitch + 4 * quad + k] = values[k];
  }
  __syncthreads();
  for (uint32_t t = thread; t < warp_lanes + train_rows * dim; t += threads) {
    if (t < warp_lanes) {
      if (t >= train_rows) continue;
      double features[velocity_time_features] = {};
      velocity_time(form, time[t], features);
#pragma unroll
      for (uint32_t m = 0; m < velocity_time_features; ++m)
        if (lifted + m < inputs) x[t * at.feature_pitch + lifted + m] = static_cast<float>(features[m]);
      continue;
    }
    const uint32_t i = (t - warp_lanes) % train_rows, j = (t - warp_lanes) / train_rows,
                   k = i * at.state_pitch + j;
    rows::path_in_kernel(form.process, time[i], draw.data.data[start[i] + j], noise[k], y + k, target + k);
    velocity_lift(form, static_cast<double>(y[k]), x + i * at.feature_pitch + j, dim);
  }
  wait_for_copies();
  __syncthreads();

  typename Passes::Own v;
  passes.enter(v, passes.biases, input, x, at.feature_pitch, inputs);
  passes.forward(v, columns);
  passes.put_wide(top, v);
  __syncthreads();
  passes.leave(output, at.state_pitch, top, head, head + dim * width, dim);
  __syncthreads();

  VelocityLoss<float> loss = program.step.loss;
  const auto view = [&](float* data) { return MatrixView<float>(data, train_rows, dim, at.state_pitch); };
  loss.output = view(output);
  loss.y = view(y);
  loss.target = view(target);
  loss.output_adjoint = view(c);
  loss.time = time;
  loss.row_losses = losses;
  const RowLanes<width> lanes{static_cast<unsigned>(thread % RowLanes<width>::count)};
  const uint32_t row = thread / RowLanes<width>::count;
  rows::velocity_loss(loss, row, lanes);
  if (row >= rows) {
    for (uint32_t k = lanes.first; k < dim; k += lanes.count) c[row * at.state_pitch + k] = 0;
    if (lanes.first == 0) losses[row] = 0;
  }
  __syncthreads();
  if (thread == 0) {
    double sum = 0;
    for (uint32_t i = 0; i < train_rows; ++i) sum += losses[i];
    program.losses[block] = sum;
  }
  if (!model.gradient) {
    if (passes.saturated) atomicAdd(&model.state->saturated, 1u);
    return;
  }

  passes.thin_outer(share + from.head, width, 1, dim, at.state_pitch, c, top, nullptr, nullptr, false);
  passes.thin_sums(share + from.head + dim * width, dim, at.state_pitch, c);
  passes.enter(v, nullptr, head, c, at.state_pitch, dim);
  passes.second_adjoint(v, false);
  passes.column_sums(share + from.input_bias, v);
  passes.put_wide(top, v);
  __syncthreads();
  passes.thin_outer(share, 1, inputs, inputs, at.feature_pitch, x, top, nullptr, nullptr, false);
  if (passes.saturated) atomicAdd(&model.state->saturated, 1u);
}

}  // namespace

template <unsigned width>
int launch_velocity_training(const VelocityTraining& program, bool three_products, void* stream) {
  const VelocityStep<float>& step = program.step;
  const size_t shared = VelocityLayout(step.network, program.slopes == nullptr).bytes;
  const unsigned blocks =
      static_cast<unsigned>((step.draw.y.rows / step.members + train_rows - 1) / train_rows);
  return launch_training(
      three_products, step.network.relu,
      [](auto is_three, auto is_relu) {
        return &velocity_training_kernel<width, decltype(is_three)::value, decltype(is_relu)::value>;
      },
      dim3(blocks, static_cast<unsigned>(step.members), static_cast<unsigned>(program.model_count)),
      2 * width, shared, program, stream);
}

template int launch_velocity_training<SKLAR_NARROW_WIDTH>(const VelocityTraining&, bool, void*);

}  // namespace sklar::cuda
