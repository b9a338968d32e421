#include "backend/cuda/cuda_backend.hpp"

#include "backend/cuda/device_probe.hpp"
#include "core/error.hpp"

#if defined(SKLAR_WITH_CUDA)
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/runtime.hpp"
#include "backend/cuda/train_narrow.hpp"
#include "backend/cuda/trajectory_narrow.hpp"
#include "elementwise.h"
#include "linear.h"
#include "tensor.h"
#include "training.h"
#endif

namespace sklar::cuda {

#if defined(SKLAR_WITH_CUDA)
namespace {

// Products that are thinner than this in some direction stay in float32: states, logits, outputs.
constexpr std::size_t thin = 32;

// Of the passes of a network the forward one decides which units of a ReLU are on and what a density is;
// products of two weights (store) belong to it.
bool is_forward(Epilogue kind) {
  switch (kind) {
    case Epilogue::store:
    case Epilogue::inner_relu:
    case Epilogue::inner_silu:
    case Epilogue::inner_silu_1:
    case Epilogue::inner_silu_2:
    case Epilogue::outer:
    case Epilogue::outer_1:
    case Epilogue::outer_2:
      return true;
    default:
      return false;
  }
}

class CudaBackend final : public Backend<float> {
 public:
  CudaBackend(int device, Precision precision) : runtime_(device), precision_(precision) {
    if (precision != Precision::fp32) saturated_ = buffer<unsigned>(1);
    blocks_done_ = buffer<unsigned>(most_models);
    const char* fused = std::getenv("SKLAR_CUDA_FUSED");
    fused_ = !fused || std::string(fused) != "0";
  }

  void* allocate_bytes(std::size_t bytes) override {
    void* p = runtime_.allocate(bytes);
    runtime_.clear(p, bytes);
    return p;
  }
  void release_bytes(void* p, std::size_t bytes) noexcept override { runtime_.release(p, bytes); }

  void upload(void* to, const void* host, std::size_t bytes) override {
    flush();
    runtime_.upload(to, host, bytes);
  }
  void download(void* host, const void* from, std::size_t bytes) override {
    flush();
    runtime_.download(host, from, bytes);
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    flush();
    runtime_.copy(to, from, bytes);
  }
  void clear(void* p, std::size_t bytes) override {
    flush();
    runtime_.clear(p, bytes);
  }
  void upload_matrix_impl(MatrixView<float> to, const float* host) override {
    flush();
    runtime_.upload_rows(to.data, to.stride * sizeof(float), host, to.columns * sizeof(float), to.rows);
  }
  void download_matrix_impl(float* host, MatrixView<const float> from) override {
    flush();
    runtime_.download_rows(host, from.columns * sizeof(float), from.data, from.stride * sizeof(float),
                           from.rows);
  }

  void replay(std::unique_ptr<Recording>& recording, const std::function<void()>& body) override {
    flush();
    runtime_.replay(recording, [&] {
      body();
      flush();
    });
  }
  std::size_t rows_at_once(std::size_t bytes) const override {
    constexpr std::size_t unit = 1024;
    return std::clamp((std::size_t{1} << 30) / bytes / unit * unit, unit, 256 * unit);
  }
  std::size_t steps_between_waits() const override { return 32; }
  double adjoint_scale(double share) const override {
    // a power of two, so that nothing but the exponent changes
    return precision_ == Precision::fp32 || precision_ == Precision::bf16
               ? 1
               : std::exp2(-std::round(std::log2(share)));
  }
  std::uint64_t saturated() override { return saturated_ ? value(saturated_) : 0; }

  void transpose_impl(MatrixView<float> to, MatrixView<const float> from) override {
    check(launch_transpose(to, from, stream()));
  }
  void fill_column_impl(MatrixView<float> m, std::size_t column, float value) override {
    check(launch_fill_column(m, column, value, stream()));
  }
  void level_cotangent_impl(MatrixView<float> cotangent, const std::int32_t* level) override {
    check(launch_level_cotangent(cotangent, level, stream()));
  }

  void adam_impl(std::span<const AdamUpdate<float>> updates, std::size_t count) override {
    std::size_t partials = norm_parts_;
    if (!std::ranges::equal(norms_of_, updates, {}, {}, &AdamUpdate<float>::gradient)) {
      partials = norm_partials(count);
      reserve(*this, partials_, updates.size() * partials);
      for (std::size_t i = 0; i < updates.size(); ++i)
        check(launch_gradient_norm(updates[i].gradient, count, partials_.data() + i * partials, stream()));
    }
    check(launch_adam(updates.data(), updates.size(), count, partials_.data(), partials, blocks_done_.data(),
                      stream()));
  }

  void draw_tied_impl(const TiedDraw<float>& levels) override { check(launch_draw_tied(levels, stream())); }
  void draw_velocity_impl(const VelocityDraw<float>& draw) override {
    check(launch_draw_velocity(draw, stream()));
  }
  void velocity_features_impl(const VelocityHead& head, MatrixView<const float> y, const double* time,
                              MatrixView<float> x) override {
    check(launch_velocity_features(head, y, time, x, stream()));
  }
  void velocity_loss_impl(const VelocityLoss<float>& loss) override {
    check(launch_velocity_loss(loss, stream()));
  }
  void velocity_output_impl(const VelocityForm& form, MatrixView<const float> y, const double* time,
                            MatrixView<const float> n, MatrixView<float> out) override {
    check(launch_velocity_output(form, y, time, n, out, stream()));
  }
  void velocity_cotangent_impl(const VelocityHead& head, MatrixView<const float> y,
                               MatrixView<const float> direction, MatrixView<float> e) override {
    check(launch_velocity_cotangent(head, y, direction, e, stream()));
  }
  void velocity_product_impl(const VelocityForm& form, MatrixView<const float> y, const double* time,
                             MatrixView<const float> n, MatrixView<const float> x_adjoint,
                             MatrixView<const float> direction, MatrixView<float> product) override {
    check(launch_velocity_product(form, y, time, n, x_adjoint, direction, product, stream()));
  }
  void velocity_diagonal_impl(const VelocityForm& form, MatrixView<const float> y, const double* time,
                              MatrixView<const float> n, MatrixView<const float> x_adjoint,
                              std::size_t column, double* sum) override {
    check(launch_velocity_diagonal(form, y, time, n, x_adjoint, column, sum, stream()));
  }
  void orthonormalise_impl(std::span<const MatrixView<float>> q) override {
    if (q[0].rows == 0) return;
    if (q.size() > most_vectors)
      throw Error("SHAPE", "orthonormalise: expected at most " + std::to_string(most_vectors) + " vectors");
    const auto area = buffer<double>(q.size() * q[0].rows * q[0].columns);
    check(launch_orthonormalise(q.data(), q.size(), area.data(), stream()));
  }

  void normals_impl(MatrixView<float> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                    std::uint32_t tag) override {
    check(launch_normals(out, seed, first_row, step, tag, stream()));
  }
  void signs_impl(MatrixView<float> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                  std::uint32_t tag) override {
    check(launch_signs(out, seed, first_row, step, tag, stream()));
  }
  void fill_impl(double* to, std::size_t count, double value) override {
    check(launch_fill(to, count, value, stream()));
  }
  void add_scaled_impl(double* to, const double* x, std::size_t count, double factor, const double* row,
                       std::size_t columns) override {
    check(launch_add_scaled(to, x, count, factor, row, columns, stream()));
  }
  void row_dots_impl(double* out, std::size_t stride, MatrixView<const float> a, MatrixView<const float> b,
                     bool accumulate) override {
    check(launch_row_dots(out, stride, a, b, accumulate, stream()));
  }
  void copy_rows_impl(MatrixView<float> to, const std::uint32_t* to_rows, MatrixView<const float> from,
                      const std::uint32_t* from_rows, std::size_t count) override {
    check(launch_copy_rows(to, to_rows, from, from_rows, count, stream()));
  }
  void keep_finite_impl(MatrixView<float> y, MatrixView<float> good, std::int32_t* failed,
                        std::int32_t mark) override {
    check(launch_keep_finite(y, good, failed, mark, stream()));
  }
  bool classifier_step_impl(const ClassifierStep<float>& step,
                            std::span<const TrainedModel<float>> models) override {
    return train_whole(step, models);
  }
  bool velocity_step_impl(const VelocityStep<float>& step,
                          std::span<const TrainedModel<float>> models) override {
    return train_whole(step, models);
  }
  bool run_trajectory_impl(const TrajectoryProgram<float>& program) override {
    if (!takes_networks_whole()) return false;
    return run_narrow_trajectory(*this, program, precision_ == Precision::mixed, saturated_.data(), stream());
  }
  void error_norm_impl(const ErrorNorm<float>& norm) override { check(launch_error_norm(norm, stream())); }
  void fold_impl(MatrixView<float> to, MatrixView<const float> y) override {
    check(launch_fold(to, y, stream()));
  }
  void flip_impl(MatrixView<float> v, MatrixView<const float> y) override {
    check(launch_flip(v, y, stream()));
  }
  void brownian_impl(MatrixView<float> w, MatrixView<float> h, const BrownianPath& path, const double* from,
                     const double* to) override {
    check(launch_brownian(w, h, path, from, to, stream()));
  }
  void interpolate_levels_impl(MatrixView<float> cotangent, double* reference,
                               const LevelInterpolation& at) override {
    check(launch_interpolate_levels(cotangent, reference, at, stream()));
  }

  void whiten_impl(MatrixView<float> y, const double* u, bool from_gaussian, const double* cholesky,
                   double* quadratic) override {
    const std::size_t rows = y.rows, d = y.columns - 1;
    const auto given = on_device(u, rows * d), factor = on_device(cholesky, d * d);
    const auto scratch = buffer<double>(cholesky ? rows * d : 0);
    const auto result = buffer<double>(quadratic ? rows : 0);
    check(launch_whiten(y, given.data(), from_gaussian, cholesky ? factor.data() : nullptr,
                        quadratic ? result.data() : nullptr, scratch.data(), stream()));
    if (quadratic) download(quadratic, result.data(), rows * sizeof(double));
  }
  void colour_impl(double* out, MatrixView<const float> y, bool to_gaussian, const double* cholesky,
                   const MarginMaps* maps) override {
    const std::size_t d = y.columns - 1, count = y.rows * d;
    const auto factor = on_device(cholesky, d * d), result = buffer<double>(count);
    Buffer<double> from, slope, to;
    DeviceMaps on_device_maps;
    if (maps) {
      from = on_device(maps->from.data(), maps->from.size());
      slope = on_device(maps->slope.data(), maps->slope.size());
      to = on_device(maps->to.data(), maps->to.size());
      on_device_maps = {from.data(), slope.data(), to.data()};
    }
    check(launch_colour(result.data(), y, to_gaussian, cholesky ? factor.data() : nullptr, on_device_maps,
                        stream()));
    download(out, result.data(), count * sizeof(double));
  }
  void log_ratio_impl(double* host, MatrixView<const float> logits, std::size_t level) override {
    const auto result = buffer<double>(logits.rows);
    check(launch_log_ratio(result.data(), logits, level, stream()));
    download(host, result.data(), logits.rows * sizeof(double));
  }

  void pack_impl(PackedMatrix<float>& to, const float* w, std::size_t stride,
                 Orientation orientation) override {
    const bool in_16_bits = on_tensor_cores(to.inner, to.columns);
    const std::size_t wide = to.inner * factor16_stride(to.columns);
    // fp16 and what it leaves take as much as one float32
    const std::size_t size = in_16_bits ? wide : to.inner * factor_stride(to.columns);
    if (to.storage.size() < size) to.storage = buffer<float>(size);
    PackJob job{w,       stride,  to.inner, to.columns, orientation == Orientation::transposed,
                nullptr, nullptr, nullptr};
    if (in_16_bits) {
      const Factor16 factor = factor16(to);
      job.high = const_cast<std::uint16_t*>(factor.high);
      job.low = const_cast<std::uint16_t*>(factor.low);
    } else {
      job.b = to.storage.data();
    }
    packs_.push_back(job);
    if (packs_.size() == most_packs) flush();
  }
  void linear_impl(MatrixView<const float> x, const PackedMatrix<float>& b,
                   const EpilogueOperands<float>& epilogue) override {
    expect_aligned(x);
    if (!on_tensor_cores(b.inner, b.columns)) {
      check(launch_linear(x, {b.storage.data(), b.inner, b.columns, factor_stride(b.columns)}, epilogue,
                          stream()));
      return;
    }
    const Arithmetic arithmetic = precision_ == Precision::bf16 ? Arithmetic::brain
                                  : precision_ == Precision::mixed && is_forward(epilogue.kind)
                                      ? Arithmetic::three_products
                                      : Arithmetic::half;
    check(launch_tensor_linear(x, factor16(b), arithmetic, epilogue, saturated_.data(), stream()));
  }
  void outer_impl(std::span<const OuterProduct<float>> products) override {
    std::vector<OuterProduct<float>> ordinary, tensor;
    for (const auto& p : products) {
      for (int s = 0; s < p.segments; ++s) {
        expect_aligned(p.segment[s].a);
        expect_aligned(p.segment[s].b);
      }
      (on_tensor_cores(p.segment[0].a.columns, p.segment[0].b.columns) ? tensor : ordinary).push_back(p);
    }
    auto each_part = [&](const std::vector<OuterProduct<float>>& list, auto&& launch) {
      for (std::size_t i = 0; i < list.size(); i += most_products) {
        const std::size_t count = std::min(most_products, list.size() - i);
        const OuterPlan plan = plan_outer(&list[i], count);
        reserve(*this, workspace_, plan.workspace);
        check(launch(&list[i], count, plan));
      }
    };
    each_part(ordinary, [&](const OuterProduct<float>* p, std::size_t count, const OuterPlan& plan) {
      return launch_outer(p, count, plan, workspace_.data(), stream());
    });
    each_part(tensor, [&](const OuterProduct<float>* p, std::size_t count, const OuterPlan& plan) {
      return launch_tensor_outer(p, count, plan, precision_ == Precision::bf16, workspace_.data(),
                                 saturated_.data(), stream());
    });
  }
  void draw_batch_impl(const BatchDraw<float>& draw) override { check(launch_draw_batch(draw, stream())); }
  void classifier_loss_impl(const ClassifierLoss<float>& loss) override {
    check(launch_classifier_loss(loss, stream()));
  }
  void combine_impl(const Combine<float>& sum) override { check(launch_combine(sum, stream())); }

 private:
  // Factors wait to be packed together, in one launch, until something else is done.
  void* stream() {
    flush();
    return runtime_.stream();
  }
  void flush() {
    norms_of_.clear();
    if (packs_.empty()) return;
    check(launch_packs(packs_.data(), packs_.size(), precision_ == Precision::bf16, runtime_.stream()));
    packs_.clear();
  }

  template <class Step>
  bool train_whole(const Step& step, std::span<const TrainedModel<float>> models) {
    if (!takes_networks_whole()) return false;
    const bool three_products = precision_ == Precision::mixed;
    norm_parts_ = train_narrow({*this, train_workspace_, partials_, three_products, stream()}, step, models);
    if (norm_parts_)
      for (const auto& model : models)
        if (model.gradient) norms_of_.push_back(model.gradient);
    return norm_parts_ > 0;
  }
  bool takes_networks_whole() const {
    return fused_ && (precision_ == Precision::mixed || precision_ == Precision::fp16);
  }
  bool on_tensor_cores(std::size_t inner, std::size_t columns) const {
    return precision_ != Precision::fp32 && inner >= thin && columns >= thin;
  }
  Factor16 factor16(const PackedMatrix<float>& b) const {
    const std::size_t stride = factor16_stride(b.columns);
    const auto* high = reinterpret_cast<const std::uint16_t*>(b.storage.data());
    return {high, precision_ == Precision::mixed ? high + b.inner * stride : nullptr, b.inner, b.columns,
            stride};
  }

  template <class U>
  U value(const Buffer<U>& b) {
    U host;
    download(&host, b.data(), sizeof host);
    return host;
  }
  // null stays null
  Buffer<double> on_device(const double* host, std::size_t count) {
    if (!host) return {};
    auto b = buffer<double>(count);
    upload(b.data(), host, count * sizeof(double));
    return b;
  }
  // products are read four elements at a time
  static void expect_aligned(MatrixView<const float> m) {
    if (m.rows && (reinterpret_cast<std::uintptr_t>(m.data) % 16 || m.stride % 4))
      throw Error("SHAPE", "a factor of a product does not begin at a row of a matrix");
  }

  Runtime runtime_;
  Precision precision_;
  std::vector<PackJob> packs_;
  // SKLAR_CUDA_FUSED=0: networks layer by layer, for comparisons
  bool fused_ = true;
  Buffer<unsigned> saturated_;
  Buffer<unsigned> blocks_done_;
  Buffer<double> partials_;
  std::vector<const float*> norms_of_;  // whose norms the latest operation left in partials_,
  std::size_t norm_parts_ = 0;          // in so many parts each
  TrainWorkspace train_workspace_;
  Buffer<float> workspace_;
};

}  // namespace

std::unique_ptr<Backend<float>> make_cuda_backend(int device, Precision precision) {
  const Probe found = probe();
  const std::size_t count = found.devices.size();
  if (count == 0) throw Error("DEVICE", "CUDA can't be used: " + *found.reason);
  if (device < 0 || static_cast<std::size_t>(device) >= count)
    throw Error("DEVICE", "expected a CUDA device from 0 to " + std::to_string(count - 1) + ", got " +
                              std::to_string(device));
  const Device& chosen = found.devices[static_cast<std::size_t>(device)];
  if (!chosen.usable())
    throw Error("DEVICE", "cuda:" + std::to_string(device) + " can't be used: " + *chosen.reason);
  if (precision != Precision::fp32 && chosen.major < 8)
    throw Error("DEVICE", "16-bit products need compute capability 8.0, " + chosen.name + " has " +
                              std::to_string(chosen.major) + "." + std::to_string(chosen.minor) +
                              ": use precision fp32");
  return std::make_unique<CudaBackend>(device, precision);
}

#else

std::unique_ptr<Backend<float>> make_cuda_backend(int, Precision) {
  throw Error("DEVICE", "CUDA can't be used: " + *probe().reason);
}

#endif

}  // namespace sklar::cuda
