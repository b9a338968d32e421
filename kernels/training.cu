// Batches, losses and the optimiser. Sums run in an order that depends on sizes alone.
#include "training.h"

#include "backend/operations/adam.h"
#include "backend/rows/classifier.h"
#include "backend/rows/ties.h"
#include "backend/rows/velocity.h"
#include "launch.cuh"
#include "merged_linear.cuh"
#include "rows.cuh"

namespace sklar::cuda {
namespace {

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

__device__ double norm_of(const AdamOptions& options, const double* partials, size_t count, double* shared) {
  double sum = 0;
  for (size_t i = threadIdx.x; i < count; i += block_threads) sum += partials[i];
  return sqrt(block_sum(sum, shared)) / options.gradient_scale;
}

// Whether this block is the last of `blocks` to come here, for all of its threads; it sees what the others
// wrote before. *done is zero before and after.
__device__ bool is_last_block(unsigned* done, unsigned blocks, double* shared) {
  unsigned* const last = reinterpret_cast<unsigned*>(shared);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    *last = atomicAdd(done, 1u) + 1 == blocks;
    if (*last) *done = 0;
  }
  __syncthreads();
  const bool result = *last != 0;
  __syncthreads();
  if (result) __threadfence();
  return result;
}

// blockIdx.y: model; blockIdx.x: part of its gradient. Beyond them, of the only model: what is left of its
// gradient to be made (the first elements, which the parts leave out), its losses. The last block of a model
// to end makes the sum of all parts.
__global__ void __launch_bounds__(block_threads)
    gradient_norm_kernel(const OfModels<AdamUpdate<float>> models, size_t count, double* partials,
                         unsigned parts, const MergedGradient<float> merged, unsigned merged_blocks,
                         LossSums losses, AdamScalars<float>* scalars, unsigned* blocks_done) {
  SKLAR_SHARED(double, shared);
  const AdamUpdate<float>& u = models.of[blockIdx.y];
  partials += blockIdx.y * parts;
  if (blockIdx.x < parts) {
    const size_t begin = merged_parameters(merged) + blockIdx.x * adam_chunk;
    const size_t end = begin + adam_chunk < count ? begin + adam_chunk : count;
    double sum = 0;
    for (size_t i = begin + threadIdx.x; i < end; i += block_threads)
      sum += static_cast<double>(u.gradient[i]) * static_cast<double>(u.gradient[i]);
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
  } else if (blockIdx.x < parts + merged_blocks) {
    const double squares =
        merged_gradient_block(merged, blockIdx.x - parts, reinterpret_cast<float*>(shared));
    __syncthreads();
    const double sum = block_sum(squares, shared);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
  } else {
    sum_losses(losses.losses, losses.rows, losses.parts, losses.state, shared);
  }
  if (!is_last_block(blocks_done + blockIdx.y, gridDim.x, shared)) return;
  const double norm = norm_of(u.options, partials, parts + merged_blocks, shared);
  if (threadIdx.x > 0) return;
  const double rate = learning_rate_at(u.options.rate, u.state->step);
  scalars[blockIdx.y] = adam_scalars<float>(u.options, norm, rate, u.state->step);
  end_adam_step(*u.state, norm, rate);
}

// A step of Adam (docs/mathematics.md, L.1). blockIdx.y: model. scalars: of the step, which has ended; or
// null, and a thread of each block works them out from the parts of the norm.
__global__ void __launch_bounds__(block_threads)
    adam_kernel(const OfModels<AdamUpdate<float>> models, size_t count, const AdamScalars<float>* scalars,
                const double* partials, size_t partial_count, unsigned* blocks_done) {
  SKLAR_SHARED(double, shared);
  const AdamUpdate<float>& u = models.of[blockIdx.y];
  AdamScalars<float>* const own = reinterpret_cast<AdamScalars<float>*>(shared + block_threads);
  double norm = 0, rate = 0;
  if (!scalars) {
    norm = norm_of(u.options, partials + blockIdx.y * partial_count, partial_count, shared);
    if (threadIdx.x == 0) {
      rate = learning_rate_at(u.options.rate, u.state->step);
      *own = adam_scalars<float>(u.options, norm, rate, u.state->step);
    }
    __syncthreads();
  }
  const AdamScalars<float> s = scalars ? scalars[blockIdx.y] : *own;
  float* const average = u.options.ema_decay > 0 ? u.average : nullptr;
  const size_t stride = static_cast<size_t>(gridDim.x) * block_threads;
  const size_t thread = static_cast<size_t>(blockIdx.x) * block_threads + threadIdx.x;
  const bool aligned = (reinterpret_cast<uintptr_t>(u.parameters) | reinterpret_cast<uintptr_t>(u.gradient) |
                        reinterpret_cast<uintptr_t>(u.m) | reinterpret_cast<uintptr_t>(u.v) |
                        reinterpret_cast<uintptr_t>(average)) %
                           16 ==
                       0;
  const size_t quads = aligned ? count / 4 : 0;
  const auto at = [](float* p, size_t i) -> float4& { return reinterpret_cast<float4*>(p)[i]; };
  for (size_t i = thread; i < quads; i += stride) {
    const float4 g = reinterpret_cast<const float4*>(u.gradient)[i];
    float4 m = at(u.m, i), v = at(u.v, i), p = at(u.parameters, i);
    adam_element(s, g.x, m.x, v.x, p.x);
    adam_element(s, g.y, m.y, v.y, p.y);
    adam_element(s, g.z, m.z, v.z, p.z);
    adam_element(s, g.w, m.w, v.w, p.w);
    at(u.m, i) = m;
    at(u.v, i) = v;
    at(u.parameters, i) = p;
    if (!average) continue;
    float4 a = at(average, i);
    a.x = s.ema_decay * a.x + (1 - s.ema_decay) * p.x;
    a.y = s.ema_decay * a.y + (1 - s.ema_decay) * p.y;
    a.z = s.ema_decay * a.z + (1 - s.ema_decay) * p.z;
    a.w = s.ema_decay * a.w + (1 - s.ema_decay) * p.w;
    at(average, i) = a;
  }
  for (size_t i = 4 * quads + thread; i < count; i += stride) {
    adam_element(s, u.gradient[i], u.m[i], u.v[i], u.parameters[i]);
    if (average) average[i] = s.ema_decay * average[i] + (1 - s.ema_decay) * u.parameters[i];
  }
  // the state is the last block's to change, when all have read it
  if (!scalars && is_last_block(blocks_done + blockIdx.y, gridDim.x, shared) && threadIdx.x == 0)
    end_adam_step(*u.state, norm, rate);
}

__global__ void __launch_bounds__(block_threads) merged_gradient_kernel(const MergedGradient<float> merged) {
  SKLAR_SHARED(float, shared);
  merged_gradient_block(merged, blockIdx.x, shared);
}

}  // namespace

int launch_merged_gradient(const MergedGradient<float>& gradient, void* stream) {
  const MergedGradient<float> merged = gradient;
  SKLAR_LAUNCH(merged_gradient_kernel, static_cast<unsigned>(merged_gradient_blocks(merged)), block_threads,
               merged_shared_bytes, stream, merged);
  return cudaGetLastError();
}

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
  return each_warp(all ? n : f.batch, stream, [=] __device__(size_t i, unsigned lane) {
    const uint64_t step = f.state ? f.state->step : f.round, at = step * f.batch + i;
    const size_t row = all ? i : shuffled(at % n, n, shuffle_key(f.seed, at / n));
    rows::draw_tied(f, row, step, f.work + i * f.data.columns, WarpLanes{lane});
  });
}

int launch_classifier_loss(const ClassifierLoss<float>& loss, void* stream) {
  const ClassifierLoss<float> l = loss;
  return each_warp(l.logits.rows, stream,
                   [=] __device__(size_t i, unsigned lane) { rows::classifier_loss(l, i, WarpLanes{lane}); });
}

size_t norm_partials(size_t count, const MergedGradient<float>* merged) {
  const size_t merged_count = merged ? merged_parameters(*merged) : 0;
  return (count - merged_count + adam_chunk - 1) / adam_chunk +
         (merged ? merged_gradient_blocks(*merged) : 0);
}

int launch_gradient_norm(const AdamUpdate<float>* updates, size_t model_count, size_t count, double* partials,
                         const MergedGradient<float>* merged, const LossSums& given,
                         AdamScalars<float>* scalars, unsigned* blocks_done, void* stream) {
  const OfModels<AdamUpdate<float>> of(updates, model_count);
  const unsigned merged_blocks = merged ? static_cast<unsigned>(merged_gradient_blocks(*merged)) : 0;
  const unsigned parts = static_cast<unsigned>(norm_partials(count, merged)) - merged_blocks;
  const dim3 grid(parts + merged_blocks + (given.losses ? 1 : 0), static_cast<unsigned>(model_count));
  const LossSums losses = given;
  const MergedGradient<float> left = merged ? *merged : MergedGradient<float>{};
  constexpr size_t shared = merged_shared_bytes < block_threads * sizeof(double)
                                ? block_threads * sizeof(double)
                                : merged_shared_bytes;
  SKLAR_LAUNCH(gradient_norm_kernel, grid, block_threads, shared, stream, of, count, partials, parts, left,
               merged_blocks, losses, scalars, blocks_done);
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

int launch_adam(const AdamUpdate<float>* updates, size_t model_count, size_t count,
                const AdamScalars<float>* scalars, const double* partials, size_t partial_count,
                unsigned* blocks_done, void* stream) {
  const size_t shared = block_threads * sizeof(double) + sizeof(AdamScalars<float>);
  const dim3 grid(blocks_for(count, 4 * block_threads), static_cast<unsigned>(model_count));
  const OfModels<AdamUpdate<float>> of(updates, model_count);
  SKLAR_LAUNCH(adam_kernel, grid, block_threads, shared, stream, of, count, scalars, partials, partial_count,
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
  return each_warp(l.y.rows, stream,
                   [=] __device__(size_t i, unsigned lane) { rows::velocity_loss(l, i, WarpLanes{lane}); });
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
