// Batches, losses and the optimiser. Sums run in an order that depends on sizes alone.
#include "training.h"

#include "backend/operations/adam.h"
#include "backend/rows/classifier.h"
#include "backend/rows/ties.h"
#include "backend/rows/velocity.h"
#include "launch.cuh"

namespace sklar::cuda {
namespace {

// The lanes of a warp as rows/lanes.h knows them.
struct WarpLanes {
  unsigned first;
  static constexpr size_t count = warp_lanes;
  template <class T>
  __device__ __forceinline__ T sum(T value) const {
    return warp_sum(value);
  }
  template <class T>
  __device__ __forceinline__ T largest(T value) const {
    for (int mask = 16; mask > 0; mask /= 2) {
      const T other = __shfl_xor_sync(0xffffffffu, value, mask);
      value = value < other ? other : value;
    }
    return value;
  }
  __device__ __forceinline__ void wait() const { __syncwarp(); }
};

__device__ __forceinline__ void four_normals(float (&out)[4], uint64_t seed, uint64_t row, size_t block,
                                             uint64_t step, uint32_t tag) {
  const PhiloxBlock counter = philox_counter(row, static_cast<uint32_t>(block), step, tag);
  const Normals4 n = philox_normals(philox(counter, philox_key(seed)));
  out[0] = n.x;
  out[1] = n.y;
  out[2] = n.z;
  out[3] = n.w;
}

constexpr size_t adam_chunk = 4096;  // parameters of one partial sum of the norm

__device__ double block_sum(double value, double* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = block_threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  const double sum = shared[0];
  __syncthreads();
  return sum;
}

// losses: `parts` values a row
__device__ void sum_losses(const double* losses, size_t rows, int parts, TrainState* state, double* shared) {
  for (int p = 0; p < parts; ++p) {
    double sum = 0;
    for (size_t i = threadIdx.x; i < rows; i += block_threads) sum += losses[i * parts + p];
    sum = block_sum(sum, shared);
    // one part: the squared error
    if (threadIdx.x == 0) (p == 0 && parts == 2 ? state->cross_entropy : state->squared_error) = sum;
  }
  if (threadIdx.x == 0 && parts == 1) state->cross_entropy = 0;
}

// What models have of their own, as an argument of a kernel.
template <class Own>
struct OfModels {
  Own of[most_models];
  OfModels(const Own* from, size_t count) {
    for (size_t i = 0; i < count; ++i) of[i] = from[i];
  }
};

// blockIdx.x: model; rows: of each
__global__ void __launch_bounds__(block_threads)
    loss_sums_kernel(const double* losses, size_t rows, int parts,
                     const OfModels<TrainedModel<float>> models) {
  SKLAR_SHARED(double, shared);
  sum_losses(losses + blockIdx.x * rows * parts, rows, parts, models.of[blockIdx.x].state, shared);
}

__global__ void __launch_bounds__(block_threads)
    gradient_norm_kernel(const float* gradient, size_t count, double* partials) {
  SKLAR_SHARED(double, shared);
  const size_t begin = blockIdx.x * adam_chunk, end = begin + adam_chunk < count ? begin + adam_chunk : count;
  double sum = 0;
  for (size_t i = begin + threadIdx.x; i < end; i += block_threads)
    sum += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// blockIdx.y: member of an ensemble, blockIdx.z: model. A block adds the shares of block_threads elements, a
// quarter of the blocks that left them in each quarter of its threads, and squares the sums for the norm.
__global__ void __launch_bounds__(block_threads, 1)
    share_sums_kernel(const float* shares, size_t blocks, const OfModels<TrainedModel<float>> models,
                      size_t count, const double* losses, int parts, double* norms) {
  SKLAR_SHARED(double, shared);
  float4* const quarters = reinterpret_cast<float4*>(shared + block_threads);
  constexpr unsigned groups = 4, quads = block_threads / groups;
  const size_t first = static_cast<size_t>(blockIdx.x) * block_threads, stride = share_stride(count);
  const size_t from = first + threadIdx.x % quads * 4;
  const size_t network = static_cast<size_t>(blockIdx.z) * gridDim.y + blockIdx.y;
  shares += network * blocks * stride;
  float* const gradient = models.of[blockIdx.z].gradient + blockIdx.y * count;
  float4 sum = make_float4(0, 0, 0, 0);
  constexpr unsigned at_once = 8;  // loads on their way
  if (from < stride)
    for (size_t b = threadIdx.x / quads; b < blocks; b += groups * at_once) {
      float4 v[at_once];
#pragma unroll
      for (unsigned k = 0; k < at_once; ++k)
        v[k] = b + groups * k < blocks
                   ? *reinterpret_cast<const float4*>(shares + (b + groups * k) * stride + from)
                   : make_float4(0, 0, 0, 0);
#pragma unroll
      for (unsigned k = 0; k < at_once; ++k) {
        sum.x += v[k].x;
        sum.y += v[k].y;
        sum.z += v[k].z;
        sum.w += v[k].w;
      }
    }
  quarters[threadIdx.x] = sum;
  __syncthreads();
  const float* const of = reinterpret_cast<const float*>(quarters) + threadIdx.x;
  const size_t i = first + threadIdx.x;
  float g = 0;
  if (i < count) {
    for (unsigned k = 0; k < groups; ++k) g += of[k * block_threads];
    gradient[i] = g;
  }
  const double norm = block_sum(static_cast<double>(g) * static_cast<double>(g), shared);
  if (threadIdx.x == 0) norms[network * gridDim.x + blockIdx.x] = norm;
  if (blockIdx.x == 0 && blockIdx.y == 0)
    sum_losses(losses + network * blocks * parts, gridDim.y * blocks, parts, models.of[blockIdx.z].state,
               shared);
}

// Every block adds up the partial sums in the same order, so that all agree without another launch.
__device__ double gradient_norm(const AdamOptions& options, const double* partials, size_t count,
                                double* shared) {
  double sum = 0;
  for (size_t i = threadIdx.x; i < count; i += block_threads) sum += partials[i];
  return sqrt(block_sum(sum, shared)) / options.gradient_scale;
}

// blockIdx.y: model
__global__ void __launch_bounds__(block_threads)
    adam_kernel(const OfModels<AdamUpdate<float>> models, size_t count, const double* partials,
                size_t partial_count, unsigned* blocks_done) {
  SKLAR_SHARED(double, shared);
  const AdamUpdate<float>& u = models.of[blockIdx.y];
  const AdamOptions& options = u.options;
  TrainState* const state = u.state;
  const double norm = gradient_norm(options, partials + blockIdx.y * partial_count, partial_count, shared);
  const double rate = learning_rate_at(options.rate, state->step);
  const auto s = adam_scalars<float>(options, norm, rate, state->step);
  float* const parameters = u.parameters;
  const float* const gradient = u.gradient;
  float* const m = u.m;
  float* const v = u.v;
  float* const average = options.ema_decay > 0 ? u.average : nullptr;
  blocks_done += blockIdx.y;
  const size_t stride = static_cast<size_t>(gridDim.x) * block_threads;
  for (size_t i = static_cast<size_t>(blockIdx.x) * block_threads + threadIdx.x; i < count; i += stride) {
    const float g = gradient[i] * s.scale;
    const float mi = m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
    const float vi = v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    const float p = parameters[i] =
        s.keep * parameters[i] - s.step_size * mi / (sqrtf(vi) * s.root_correction + s.epsilon);
    if (average) average[i] = s.ema_decay * average[i] + (1 - s.ema_decay) * p;
  }
  // the state is the last block's to change, when all have read it
  __syncthreads();
  if (threadIdx.x != 0) return;
  __threadfence();
  if (atomicAdd(blocks_done, 1u) + 1 < gridDim.x) return;
  *blocks_done = 0;
  end_adam_step(*state, norm, rate);
}

}  // namespace

int launch_loss_sums(const double* losses, size_t rows, int parts, const TrainedModel<float>* models,
                     size_t model_count, void* stream) {
  const OfModels<TrainedModel<float>> of(models, model_count);
  SKLAR_LAUNCH(loss_sums_kernel, static_cast<unsigned>(model_count), block_threads,
               block_threads * sizeof(double), stream, losses, rows, parts, of);
  return cudaGetLastError();
}

int launch_draw_tied(const TiedDraw<float>& levels, void* stream) {
  const TiedDraw<float> f = levels;
  const size_t n = f.data.rows;
  const bool all = !f.state || f.batch >= n;
  if (!f.state && f.enter)
    if (const int status = each_warp(
            n, stream, [=] __device__(size_t i, unsigned lane) { rows::enter_ties(f, i, WarpLanes{lane}); }))
      return status;
  return each_warp(all ? n : f.batch, stream, [=] __device__(size_t i, unsigned lane) {
    const uint64_t step = f.state ? f.state->step : f.round, at = step * f.batch + i;
    const size_t row = all ? i : shuffled(at % n, n, shuffle_key(f.seed, at / n));
    rows::draw_tied(f, row, step, f.work + i * f.data.columns, WarpLanes{lane});
  });
}

// A thread for four columns of a row: what belongs to the row alone is worked out by each of them.
int launch_draw_batch(const BatchDraw<float>& draw, void* stream) {
  const BatchDraw<float> b = draw;
  const size_t d = b.data.columns, blocks = (d + 3) / 4;
  return each(b.x.rows * blocks, stream, [=] __device__(size_t k) {
    const size_t i = k / blocks, first = k % blocks * 4, n = b.data.rows;
    const uint64_t step = b.state->step, at = step * b.x.rows + i;
    const float* from = b.data.row(shuffled(at % n, n, shuffle_key(b.seed, at / n)));
    const size_t level = rows::draw_level(b, i, rows::level_turn(b));
    const float alpha = b.levels.alpha[level], sigma = b.levels.sigma[level];
    float noise[4];
    four_normals(noise, b.seed, i, first / 4, step, kTagTrainNoise);
    for (size_t j = first; j < d && j < first + 4; ++j) {
      b.noise.row(i)[j] = noise[j - first];
      b.x.row(i)[j] = OuProcess::state(alpha, sigma, from[j], noise[j - first]);
    }
    if (first > 0) return;
    b.level[i] = static_cast<int32_t>(level);
    b.x.row(i)[d] = 1;
  });
}

int launch_classifier_loss(const ClassifierLoss<float>& loss, void* stream) {
  const ClassifierLoss<float> l = loss;
  const size_t batch = l.logits.rows;
  if (const int status = each_warp(batch, stream, [=] __device__(size_t i, unsigned lane) {
        rows::classifier_loss(l, i, WarpLanes{lane});
      }))
    return status;
  const TrainedModel<float> model{{}, 0, nullptr, nullptr, l.state};
  return launch_loss_sums(l.row_losses, batch, 2, &model, 1, stream);
}

size_t norm_partials(size_t count) { return (count + adam_chunk - 1) / adam_chunk; }

int launch_gradient_norm(const float* gradient, size_t count, double* partials, void* stream) {
  SKLAR_LAUNCH(gradient_norm_kernel, static_cast<unsigned>(norm_partials(count)), block_threads,
               block_threads * sizeof(double), stream, gradient, count, partials);
  return cudaGetLastError();
}

size_t share_norm_partials(size_t count, size_t members) {
  return members * ((count + block_threads - 1) / block_threads);
}

int launch_share_sums(const float* shares, size_t blocks, size_t members, const TrainedModel<float>* models,
                      size_t model_count, size_t count, const double* losses, int parts, double* partials,
                      void* stream) {
  constexpr size_t shared = block_threads * (sizeof(double) + sizeof(float4));
  const dim3 grid(static_cast<unsigned>(share_norm_partials(count, 1)), static_cast<unsigned>(members),
                  static_cast<unsigned>(model_count));
  const OfModels<TrainedModel<float>> of(models, model_count);
  SKLAR_LAUNCH(share_sums_kernel, grid, block_threads, shared, stream, shares, blocks, of, count, losses,
               parts, partials);
  return cudaGetLastError();
}

int launch_adam(const AdamUpdate<float>* updates, size_t model_count, size_t count, const double* partials,
                size_t partial_count, unsigned* blocks_done, void* stream) {
  const size_t shared = block_threads * sizeof(double);
  const dim3 grid(blocks_for(count, 4 * block_threads), static_cast<unsigned>(model_count));
  const OfModels<AdamUpdate<float>> of(updates, model_count);
  SKLAR_LAUNCH(adam_kernel, grid, block_threads, shared, stream, of, count, partials, partial_count,
               blocks_done);
  return cudaGetLastError();
}

int launch_draw_velocity(const VelocityDraw<float>& draw, void* stream) {
  const VelocityDraw<float> b = draw;
  const uint32_t tag = noise_tag(b.head.process);
  const size_t d = b.head.dim, blocks = (d + 3) / 4;
  return each(b.y.rows * blocks, stream, [=] __device__(size_t k) {
    const size_t i = k / blocks, first = k % blocks * 4;
    const uint64_t step = b.state->step, at = step * b.y.rows + i;
    const float* from = rows::start_of_row(b, i, shuffle_key(b.seed, at / b.data.rows));
    const double time = rows::time_of_row(b, i);
    float noise[4];
    four_normals(noise, b.seed, i, first / 4, step, tag);
    rows::path_of_row(b, i, first, d < first + 4 ? d : first + 4, time, from, noise);
    if (first > 0) return;
    b.time[i] = time;
    b.y.row(i)[d] = 1;
  });
}

// A thread for each coordinate of a row, and one for its time.
int launch_velocity_features(const VelocityHead& head, MatrixView<const float> y, const double* time,
                             MatrixView<float> x, void* stream) {
  const VelocityHead h = head;
  const size_t d = h.dim, states = velocity_state_features(h), inputs = velocity_inputs(h);
  return each(y.rows * (d + 1), stream, [=] __device__(size_t k) {
    const size_t i = k / (d + 1), j = k % (d + 1);
    float* to = x.row(i);
    if (j < d) {
      velocity_lift(h, static_cast<double>(y.row(i)[j]), to + j, d);
      return;
    }
    double features[velocity_time_features];
    velocity_time(h, time[i], features);
    for (size_t m = states; m < inputs; ++m) to[m] = static_cast<float>(features[m - states]);
    to[inputs] = 1;
  });
}

int launch_velocity_loss(const VelocityLoss<float>& loss, void* stream) {
  const VelocityLoss<float> l = loss;
  if (const int status = each_warp(l.y.rows, stream, [=] __device__(size_t i, unsigned lane) {
        rows::velocity_loss(l, i, WarpLanes{lane});
      }))
    return status;
  const TrainedModel<float> model{{}, 0, nullptr, nullptr, l.state};
  return launch_loss_sums(l.row_losses, l.y.rows, 1, &model, 1, stream);
}

int launch_velocity_output(const VelocityForm& form, MatrixView<const float> y, const double* time,
                           MatrixView<const float> n, MatrixView<float> out, void* stream) {
  const VelocityForm f = form;
  return each(y.rows, stream, [=] __device__(size_t i) {
    rows::velocity_output(f, y.row(i), time[i], n.row(i), out.row(i));
  });
}

int launch_velocity_cotangent(const VelocityHead& head, MatrixView<const float> y,
                              MatrixView<const float> direction, MatrixView<float> e, void* stream) {
  const VelocityHead h = head;
  return each(e.rows, stream, [=] __device__(size_t i) {
    rows::velocity_cotangent(h, y.row(i), direction.row(i), e.row(i));
  });
}

int launch_velocity_product(const VelocityForm& form, MatrixView<const float> y, const double* time,
                            MatrixView<const float> n, MatrixView<const float> x_adjoint,
                            MatrixView<const float> direction, MatrixView<float> product, void* stream) {
  const VelocityForm f = form;
  return each(y.rows, stream, [=] __device__(size_t i) {
    rows::velocity_product(f, y.row(i), time[i], n.row(i), x_adjoint.row(i), direction.row(i),
                           product.row(i));
  });
}

int launch_velocity_diagonal(const VelocityForm& form, MatrixView<const float> y, const double* time,
                             MatrixView<const float> n, MatrixView<const float> x_adjoint, size_t column,
                             double* sum, void* stream) {
  const VelocityForm f = form;
  return each(y.rows, stream, [=] __device__(size_t i) {
    sum[i] += rows::velocity_diagonal(f, y.row(i), time[i], n.row(i), x_adjoint.row(i), column);
  });
}

}  // namespace sklar::cuda
