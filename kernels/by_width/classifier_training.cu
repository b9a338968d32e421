// A classifier's kernel of narrow_train.h, at one width.
#include "backend/rows/classifier.h"
#include "narrow/narrow_train_block.cuh"
#include "rows.cuh"

namespace sklar::cuda {
namespace {

// What a block draws (docs/mathematics.md, A.1), the same for a row as noise_four of wide/begin.cu.
struct TrainBatch {
  float *x, *noise;
  uint64_t* start;  // row of the data
  int32_t* level;
  uint32_t pitch, rows, thread, threads;
  size_t first;

  // No two of the parts of a row are drawn by one warp, if there are several: each waits long for its own.
  __device__ __forceinline__ void draw(const BatchDraw<float>& b) const {
    const size_t n = b.data.rows, batch = b.x.rows;
    const uint64_t step = b.state->step;
    const uint32_t d = static_cast<uint32_t>(b.data.columns), blocks = (d + 3) / 4;
    for (uint32_t t = thread; t < 2 * warp_lanes + train_rows * blocks; t += threads) {
      const uint32_t i = t % train_rows;
      const bool real = i < rows;
      if (t < 2 * warp_lanes) {
        if (t % warp_lanes >= train_rows) continue;
        if (t < warp_lanes) {
          level[i] = real ? static_cast<int32_t>(rows::draw_level(b, first + i, rows::level_turn(b))) : 0;
        } else {
          const uint64_t at = step * batch + first + i;
          start[i] = real ? shuffled(at % n, n, shuffle_key(b.seed, at / n)) : 0;
        }
        continue;
      }
      const uint32_t block = (t - 2 * warp_lanes) / train_rows;
      float values[4];
      four_normals(values, b.seed, first + i, block, step, kTagTrainNoise);
#pragma unroll
      for (uint32_t k = 0; k < 4; ++k)
        if (4 * block + k < d) noise[i * pitch + 4 * block + k] = real ? values[k] : 0.0f;
    }
  }
  __device__ __forceinline__ void noise_rows(const BatchDraw<float>& b) const {
    for (uint32_t t = thread; t < train_rows * b.data.columns; t += threads) {
      const uint32_t i = t % train_rows, j = t / train_rows, at = i * pitch + j;
      x[at] = i < rows ? OuProcess::state(b.levels.alpha[level[i]], b.levels.sigma[level[i]],
                                          b.data.row(start[i])[j], noise[at])
                       : 0.0f;
    }
  }
};

template <unsigned width, bool three_products, bool relu>
__global__ void __launch_bounds__(2 * width, 1) classifier_training_kernel(const ClassifierTraining program) {
  if constexpr (!has_16_bit_products) return;
  using Passes = TrainPasses<width, three_products, relu, true>;
  constexpr uint32_t threads = Passes::threads;
  SKLAR_SHARED(unsigned char, shared);
  const TrainedModel<float>& model = program.models[blockIdx.y];
  FusedNetwork<float> n = program.step.network;
  n.parameters = model.parameters;
  BatchDraw<float> draw = program.step.draw;
  draw.state = model.state;
  draw.seed = model.seed;
  draw.data = model.data;
  const TrainParameters from(n);
  const ClassifierLayout at(n, program.slopes == nullptr);
  const uint32_t thread = threadIdx.x, dim = static_cast<uint32_t>(n.inputs),
                 levels = static_cast<uint32_t>(n.outputs);
  const size_t block = static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x,
               first = static_cast<size_t>(blockIdx.x) * train_rows, batch = draw.x.rows;
  const uint32_t rows = batch - first < train_rows ? static_cast<uint32_t>(batch - first) : train_rows;
  const size_t all_active = draw.active;
  const uint32_t active = all_active <= first         ? 0
                          : all_active < first + rows ? static_cast<uint32_t>(all_active - first)
                                                      : rows;
  const bool second_order = active > 0;

  const auto floats = [&](uint32_t offset) { return reinterpret_cast<float*>(shared + offset); };
  float* const biases = floats(at.biases);
  float* const input = floats(at.input);
  float* const head = floats(at.head);
  float* const top = floats(at.wide);  // h of the last block; in the end Lambda of the input projection
  float* const top_dot = top + train_rows * at.wide_pitch;
  float* const bottom = top_dot + train_rows * at.wide_pitch;  // lambda of the input projection
  const uint32_t state_area = train_rows * at.state_pitch, logit_area = train_rows * at.level_pitch;
  float* const x = floats(at.states);
  float* const noise = x + state_area;
  float* const predicted_noise = noise + state_area;
  float* const g = predicted_noise + state_area;
  float* const r = g + state_area;
  float* const logits = floats(at.logits);
  float* const c = logits + logit_area;
  float* const e = c + logit_area;
  double* const losses = reinterpret_cast<double*>(shared + at.losses);
  int32_t* const level = reinterpret_cast<int32_t*>(shared + at.levels);

  float* const share = program.shares + block * share_stride(from.count);
  typename Passes::Columns columns;
  Passes passes = load_network<Passes>(
      shared, at, n, program.slopes ? program.slopes + block * at.slope_count : nullptr, share, columns);
  const TrainBatch draws{x,      noise,          reinterpret_cast<uint64_t*>(shared + at.starts),
                         level,  at.state_pitch, rows,
                         thread, threads,        first};
  draws.draw(draw);
  __syncthreads();
  draws.noise_rows(draw);
  wait_for_copies();
  __syncthreads();

  typename Passes::Own v;
  passes.enter(v, biases, input, x, at.state_pitch, dim);
  passes.forward(v, columns);
  passes.put_wide(top, v);
  if (second_order) {
    // of the level's logit less the last one's
#pragma unroll
    for (unsigned i = 0; i < 8; ++i) {
      const uint32_t row = passes.lane / 4 + i % 4 / 2 * 8, column = passes.column() + i / 4 * 8 + i % 2;
      v[i / 4][i % 4] =
          row < active ? head[level[row] * width + column] - head[(levels - 1) * width + column] : 0.0f;
    }
    passes.adjoint(v);
    passes.put_wide(bottom, v);
  }
  __syncthreads();
  passes.leave(logits, at.level_pitch, top, head, head + levels * width, levels);
  if (second_order) passes.leave(g, at.state_pitch, bottom, input, nullptr, dim);
  __syncthreads();

  ClassifierLoss<float> loss = program.step.loss;
  const auto view = [&](float* data, uint32_t columns_of, uint32_t pitch) {
    return MatrixView<float>(data, train_rows, columns_of, pitch);
  };
  loss.logits = view(logits, levels, at.level_pitch);
  loss.logit_adjoint = view(c, levels, at.level_pitch);
  loss.gradient = view(g, dim, at.state_pitch);
  loss.x = view(x, dim + 1, at.state_pitch);
  loss.noise = view(noise, dim, at.state_pitch);
  loss.predicted_noise = view(predicted_noise, dim, at.state_pitch);
  loss.gradient_adjoint = view(r, dim + 1, at.state_pitch);
  loss.level = level;
  loss.active = active;
  loss.row_losses = losses;
  const RowLanes<width> lanes{static_cast<unsigned>(thread % RowLanes<width>::count)};
  const uint32_t row = thread / RowLanes<width>::count;
  rows::classifier_losses(loss, row, lanes);
  const bool takes_part = row < active;
  for (uint32_t k = lanes.first; k < levels; k += lanes.count) {
    if (row >= rows) c[row * at.level_pitch + k] = 0;
    e[row * at.level_pitch + k] =
        takes_part ? rows::level_cotangent<float>(k, static_cast<size_t>(level[row]), levels) : 0.0f;
  }
  if (row >= rows && lanes.first == 0) losses[2 * row] = losses[2 * row + 1] = 0;
  __syncthreads();
  if (takes_part)
    rows::denoising_adjoint(loss, row, lanes);
  else
    for (uint32_t j = lanes.first; j < dim; j += lanes.count) r[row * at.state_pitch + j] = 0;
  if (thread < 2) {
    double sum = 0;
    for (uint32_t i = 0; i < train_rows; ++i) sum += losses[2 * i + thread];
    program.losses[2 * block + thread] = sum;
  }
  if (!model.gradient) {
    if (passes.saturated) atomicAdd(&model.state->saturated, 1u);
    return;
  }
  __syncthreads();

  if (second_order) {
    passes.enter(v, nullptr, input, r, at.state_pitch, dim);
    passes.tangent(v);
    passes.put_wide(top_dot, v);
  }
  __syncthreads();
  passes.thin_outer(share + from.head, width, 1, levels, at.level_pitch, c, top, e, top_dot, second_order);
  passes.thin_sums(share + from.head + levels * width, levels, at.level_pitch, c);
  passes.enter(v, nullptr, head, c, at.level_pitch, levels);
  passes.second_adjoint(v, second_order);
  passes.column_sums(share + from.input_bias, v);
  passes.put_wide(top, v);
  __syncthreads();
  passes.thin_outer(share, 1, dim, dim, at.state_pitch, x, top, r, bottom, second_order);
  if (passes.saturated) atomicAdd(&model.state->saturated, 1u);
}

}  // namespace

template <unsigned width>
int launch_classifier_training(const ClassifierTraining& program, bool three_products, void* stream) {
  const ClassifierStep<float>& step = program.step;
  const size_t shared = ClassifierLayout(step.network, program.slopes == nullptr).bytes;
  const unsigned blocks = static_cast<unsigned>((step.draw.x.rows + train_rows - 1) / train_rows);
  return launch_training(
      three_products, step.network.relu,
      [](auto is_three, auto is_relu) {
        return &classifier_training_kernel<width, decltype(is_three)::value, decltype(is_relu)::value>;
      },
      dim3(blocks, static_cast<unsigned>(program.model_count)), 2 * width, shared, program, stream);
}

template int launch_classifier_training<SKLAR_NARROW_WIDTH>(const ClassifierTraining&, bool, void*);

}  // namespace sklar::cuda
