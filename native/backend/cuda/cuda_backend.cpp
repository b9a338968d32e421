#include "backend/cuda/cuda_backend.hpp"

#include "backend/cuda/device_probe.hpp"
#include "core/error.hpp"

#if defined(SKLAR_WITH_CUDA)
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/runtime.hpp"
#include "backend/cuda/train_narrow.hpp"
#include "backend/cuda/trajectory_narrow.hpp"
#include "elementwise.h"
#include "linear.h"
#include "thin.h"
#include "training.h"
#include "wide/begin.h"
#include "wide/wide.h"
#endif

namespace sklar::cuda {

#if defined(SKLAR_WITH_CUDA)
namespace {

class CudaBackend final : public Backend<float> {
 public:
  CudaBackend(int device, Precision precision)
      : runtime_(device),
        precision_(precision),
        processors_(processors()),
        most_shared_(most_shared_memory()) {
    if (precision != Precision::fp32) saturated_ = buffer<unsigned>(1);
    blocks_done_ = buffer<unsigned>(most_models);
    scalars_ = buffer<AdamScalars<float>>(most_models);
    const char* fused = std::getenv("SKLAR_CUDA_FUSED");
    fused_ = !fused || std::string(fused) != "0";
  }

  void* allocate_bytes(std::size_t bytes) override {
    void* p = runtime_.allocate(bytes);
    runtime_.clear(p, bytes);
    return p;
  }
  void release_bytes(void* p, std::size_t bytes) noexcept override {
    if (touches_losses(p, bytes)) losses_ = {};  // nobody can look at them any more
    try {
      settle();  // what was put off may write there
    } catch (...) {
      packs_.clear();
      merge_.reset();
      draw_.reset();
      thin_inner_.clear();
      thin_columns_.clear();
    }
    runtime_.release(p, bytes);
  }

  void upload(void* to, const void* host, std::size_t bytes) override {
    settle();
    runtime_.upload(to, host, bytes);
  }
  void download(void* host, const void* from, std::size_t bytes) override {
    settle();
    runtime_.download(host, from, bytes);
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    constexpr std::size_t row = std::size_t{1} << 16;  // what is worth a launch of its own
    if (bytes && bytes <= row && bytes % sizeof(float) == 0 && !merged_gradient_ &&
        !touches_losses(to, bytes) && !touches_losses(from, bytes)) {
      const std::size_t count = bytes / sizeof(float);
      pack({.w = static_cast<const float*>(from),
            .w_stride = count,
            .inner = 1,
            .columns = count,
            .transposed = false,
            .b = static_cast<float*>(to),
            .b_stride = count,
            .width = count});
      return;
    }
    settle();
    runtime_.copy(to, from, bytes);
  }
  void clear(void* p, std::size_t bytes) override {
    settle();
    runtime_.clear(p, bytes);
  }
  void upload_matrix_impl(MatrixView<float> to, const float* host) override {
    settle();
    runtime_.upload_rows(to.data, to.stride * sizeof(float), host, to.columns * sizeof(float), to.rows);
  }
  void download_matrix_impl(float* host, MatrixView<const float> from) override {
    settle();
    runtime_.download_rows(host, from.columns * sizeof(float), from.data, from.stride * sizeof(float),
                           from.rows);
  }

  void replay(std::unique_ptr<Recording>& recording, const std::function<void()>& body) override {
    settle();
    runtime_.replay(recording, [&] {
      body();
      settle();
    });
  }
  std::size_t rows_at_once(std::size_t bytes) const override {
    constexpr std::size_t unit = 1024;
    return std::clamp((std::size_t{1} << 30) / bytes / unit * unit, unit, 256 * unit);
  }
  std::size_t steps_between_waits() const override { return 32; }
  std::size_t steps_of_recording() const override { return 8; }
  double adjoint_scale(double share) const override {
    // a power of two, so that nothing but the exponent changes
    return precision_ == Precision::fp32 || precision_ == Precision::bf16
               ? 1
               : std::exp2(-std::round(std::log2(share)));
  }
  std::uint64_t saturated() override { return saturated_ ? value(saturated_) : 0; }

  void transpose_impl(MatrixView<float> to, MatrixView<const float> from) override {
    pack({.w = from.data,
          .w_stride = from.stride,
          .inner = to.rows,
          .columns = to.columns,
          .transposed = true,
          .b = to.data,
          .b_stride = to.stride,
          .width = to.columns});
  }
  void fill_column_impl(MatrixView<float> m, std::size_t column, float value) override {
    check(launch_fill_column(m, column, value, stream()));
  }
  void level_cotangent_impl(MatrixView<float> cotangent, const std::int32_t* level) override {
    if (draw_ && draw_->level == level && !cotangent_.data) {
      cotangent_ = cotangent;
      return;
    }
    check(launch_level_cotangent(cotangent, level, stream()));
  }

  void adam_impl(std::span<const AdamUpdate<float>> updates, std::size_t count) override {
    if (std::ranges::equal(norms_of_, updates, {}, {}, &AdamUpdate<float>::gradient)) {
      check(launch_adam(updates.data(), updates.size(), count, nullptr, partials_.data(), norm_parts_,
                        blocks_done_.data(), stream()));
      return;
    }
    const bool alone = updates.size() == 1;
    if (!alone || updates[0].state != losses_.state) sum_losses();
    const auto merged = std::exchange(merged_gradient_, {});
    const bool begins = alone && merged && merged->dw0 == updates[0].gradient;
    if (merged && !begins) check(launch_merged_gradient(*merged, stream()));
    const MergedGradient<float>* const left = begins ? &*merged : nullptr;
    reserve(*this, partials_, updates.size() * norm_partials(count, left));
    check(launch_gradient_norm(updates.data(), updates.size(), count, partials_.data(), left,
                               std::exchange(losses_, {}), scalars_.data(), blocks_done_.data(), stream()));
    check(launch_adam(updates.data(), updates.size(), count, scalars_.data(), nullptr, 0, nullptr, stream()));
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
    sum_losses();
    check(launch_velocity_loss(loss, stream()));
    losses_ = {loss.row_losses, loss.y.rows, 1, loss.state};
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
    with_maps(maps, [&](const DeviceMaps& there) {
      check(
          launch_colour(result.data(), y, to_gaussian, cholesky ? factor.data() : nullptr, there, stream()));
      download(out, result.data(), count * sizeof(double));
    });
  }
  void to_cube_impl(MatrixView<float> y, const double* x, bool from_gaussian) override {
    const auto given = on_device(x, y.rows * (y.columns - 1));
    check(launch_to_cube(y, given.data(), from_gaussian, stream()));
  }
  void from_cube_impl(double* out, MatrixView<const float> y, bool to_gaussian,
                      const MarginMaps* maps) override {
    const std::size_t count = y.rows * (y.columns - 1);
    const auto result = buffer<double>(count);
    with_maps(maps, [&](const DeviceMaps& there) {
      check(launch_from_cube(result.data(), y, to_gaussian, there, stream()));
      download(out, result.data(), count * sizeof(double));
    });
  }
  void to_uniform_impl(MatrixView<float> y) override { check(launch_to_uniform(y, stream())); }
  void log_ratio_impl(double* host, MatrixView<const float> logits, std::size_t level) override {
    const auto result = buffer<double>(logits.rows);
    check(launch_log_ratio(result.data(), logits, level, stream()));
    download(host, result.data(), logits.rows * sizeof(double));
  }

  MatrixForms forms_of(std::size_t rows, std::size_t columns, Use use) const override {
    if (precision_ == Precision::fp32 || columns < thin) return {};
    const bool bf16 = precision_ == Precision::bf16;
    MatrixForms forms;
    if (use == Use::slope && bf16) return forms;  // 8 bits are too few
    const bool precise = use == Use::precise_factor || use == Use::precise_stream;
    forms.half_parts = precise && precision_ == Precision::mixed ? 2 : 1;
    forms.halves = activation_halves(rows, columns, forms.half_parts);
    forms.values = bf16 || use == Use::stream || use == Use::precise_stream;
    return forms;
  }
  void pack_impl(PackedMatrix<float>& to, const float* w, std::size_t stride,
                 Orientation orientation) override {
    const bool wide = is_wide(to.inner, to.columns), transposed = orientation == Orientation::transposed;
    to.source = nullptr;
    PackJob job{
        .w = w, .w_stride = stride, .inner = to.inner, .columns = to.columns, .transposed = transposed};
    if (wide) {
      job.parts = factor_parts();
      const std::size_t size = (factor_halves(to.inner, to.columns, job.parts) + 1) / 2;
      if (to.storage.size() < size) to.storage = buffer<float>(size);
      job.halves = reinterpret_cast<std::uint16_t*>(to.storage.data());
      pack(job);
      return;
    }
    if (to.columns < thin) {  // thin products read such a factor along its columns
      std::swap(job.inner, job.columns);
      job.transposed = !transposed;
    }
    if (std::min(to.inner, to.columns) < thin && !job.transposed && job.columns % 4 == 0 && stride % 4 == 0 &&
        reinterpret_cast<std::uintptr_t>(w) % 16 == 0) {
      to.source = w;
      to.source_stride = stride;
      return;
    }
    job.b_stride = job.width = factor_stride(job.columns);
    const std::size_t size = job.inner * job.b_stride;
    if (to.storage.size() < size) to.storage = buffer<float>(size);
    job.b = to.storage.data();
    pack(job);
  }
  void linear_impl(MatrixView<const float> x, const PackedMatrix<float>& b,
                   const EpilogueOperands<float>& epilogue) override {
    expect_aligned(x);
    const Finish finish = finish_of(epilogue, b.columns);
    if (is_wide(b.inner, b.columns))
      multiply_wide(x, b, finish);
    else if (b.columns < thin)
      put_off({x, factor_of(b, factor_stride(b.inner)), finish}, thin_columns_, &adds_to);
    else if (b.inner < thin)
      put_off({x, factor_of(b, factor_stride(b.columns)), finish}, thin_inner_, &stands_beside);
    else
      check(launch_linear(x, factor_of(b, factor_stride(b.columns)), finish, stream()));
  }
  void outer_impl(std::span<const OuterProduct<float>> products) override {
    std::vector<OuterProduct<float>> plain, narrow, wide;
    for (const auto& p : products) {
      for (int s = 0; s < p.segments; ++s) {
        expect_aligned(p.segment[s].a);
        expect_aligned(p.segment[s].b);
      }
      const std::size_t rows = p.segment[0].a.columns, columns = p.segment[0].b.columns;
      (std::min(rows, columns) < thin ? narrow : is_wide(rows, columns) ? wide : plain).push_back(p);
    }
    const auto each_part = [](const auto& list, auto&& launch) {
      for (std::size_t i = 0; i < list.size(); i += most_products)
        launch(&list[i], std::min(most_products, list.size() - i));
    };
    each_part(narrow, [&](const OuterProduct<float>* p, std::size_t count) {
      check(launch_thin_outer(p, count, precision_ == Precision::bf16, stream()));
    });
    each_part(plain, [&](const OuterProduct<float>* p, std::size_t count) {
      const OuterPlan plan = plan_outer(p, count);
      reserve(*this, workspace_, plan.workspace);
      check(launch_outer(p, count, plan, workspace_.data(), stream()));
    });
    each_part(wide_outers(wide), [&](const WideOuter* p, std::size_t count) {
      const OuterPlan plan = plan_wide_outer(p, count);
      reserve(*this, workspace_, plan.workspace);
      check(launch_wide_outer(p, count, plan, precision_ == Precision::bf16, workspace_.data(), stream()));
    });
  }
  bool merge_linear_impl(MatrixView<float> to, const float* w0, const float* b0, const float* w,
                         const float* b) override {
    flush_thin();
    if (merge_ || reads_packed(w0, 1) || reads_packed(b0, 1) || reads_packed(w, 1) || reads_packed(b, 1))
      flush();
    norms_of_.clear();
    merge_ = MergeLinear{to, w0, b0, w, b};
    return true;
  }
  bool merged_gradient_impl(const MergedGradient<float>& gradient) override {
    if (const auto earlier = std::exchange(merged_gradient_, {}))
      check(launch_merged_gradient(*earlier, stream()));
    stream();
    const std::size_t width = gradient.input.columns, inputs = gradient.input.rows - 1;
    // the norm of a gradient that begins with these can be taken in the same launch
    if (gradient.dbias0 == gradient.dw0 + width * inputs && gradient.dw == gradient.dbias0 + width &&
        gradient.dbias == gradient.dw + width * width)
      merged_gradient_ = gradient;
    else
      check(launch_merged_gradient(gradient, stream()));
    return true;
  }
  void draw_batch_impl(const BatchDraw<float>& draw) override {
    flush();
    draw_ = draw;
  }
  void classifier_loss_impl(const ClassifierLoss<float>& loss) override {
    sum_losses();
    if (!thin_columns_.empty() && thin_columns_[0].finish.e.out[0].data == loss.gradient.data &&
        thin_columns_[0].finish.e.kind == Epilogue::store && thin_columns_[0].x.rows == loss.active) {
      const std::vector<ThinProduct> gradient = std::exchange(thin_columns_, {});
      check(launch_thin_columns_and_loss(gradient.data(), gradient.size(), loss, stream()));
    } else {
      check(launch_classifier_loss(loss, stream()));
    }
    losses_ = {loss.row_losses, loss.logits.rows, 2, loss.state};
  }
  void combine_impl(const Combine<float>& sum) override { check(launch_combine(sum, stream())); }

 private:
  // Some operations wait for others that can be done in the same launch, until something else is done.
  void* stream() {
    flush();
    return runtime_.stream();
  }
  void settle() {
    sum_losses();
    if (const auto merged = std::exchange(merged_gradient_, {}))
      check(launch_merged_gradient(*merged, stream()));
    flush();
  }
  void flush() {
    norms_of_.clear();
    flush_begin();
    flush_thin();
  }
  void flush_begin() {
    if (packs_.empty() && !merge_ && !draw_) return;
    check(launch_begin(packs_.data(), packs_.size(), precision_ == Precision::bf16,
                       merge_ ? &*merge_ : nullptr, draw_ ? &*draw_ : nullptr, cotangent_,
                       runtime_.stream()));
    packs_.clear();
    merge_.reset();
    draw_.reset();
    cotangent_ = {};
  }
  void flush_thin() {
    if (!thin_inner_.empty())
      check(launch_thin_inner(thin_inner_.data(), thin_inner_.size(), runtime_.stream()));
    if (!thin_columns_.empty())
      check(launch_thin_columns(thin_columns_.data(), thin_columns_.size(), runtime_.stream()));
    thin_inner_.clear();
    thin_columns_.clear();
  }
  void pack(const PackJob& job) {
    flush_thin();  // they may read what this one writes
    const std::size_t rows = job.transposed ? job.columns : job.inner;
    if (reads_packed(job.w, (rows - 1) * job.w_stride + (job.transposed ? job.inner : job.columns)))
      flush_begin();
    packs_.push_back(job);
    norms_of_.clear();
    if (packs_.size() == most_packs) flush_begin();
  }
  // Whether one of the operations that wait to be begun with writes there.
  bool reads_packed(const float* from, std::size_t count) const {
    const auto overlaps = [&](const float* to, std::size_t size) {
      return to && from < to + size && to < from + count;
    };
    for (const PackJob& job : packs_)
      if (overlaps(job.b, (job.inner - 1) * job.b_stride + job.width)) return true;
    return (merge_ && overlaps(merge_->to.data, merge_->to.rows * merge_->to.stride)) ||
           (draw_ && (overlaps(draw_->x.data, draw_->x.rows * draw_->x.stride) ||
                      overlaps(draw_->noise.data, draw_->noise.rows * draw_->noise.stride)));
  }
  // Thin products wait for one that can be done in the same launch.
  void put_off(const ThinProduct& product, std::vector<ThinProduct>& list,
               bool (*fits)(const ThinProduct& first, const ThinProduct& second)) {
    if (list.size() != 1 || !fits(list[0], product)) flush();
    norms_of_.clear();
    list.push_back(product);
  }
  // The second adds to what the first stores.
  static bool adds_to(const ThinProduct& first, const ThinProduct& second) {
    const auto &a = first.finish.e, &b = second.finish.e;
    return a.kind == Epilogue::store && b.kind == Epilogue::accumulate && !b.bias && a.out[0].data &&
           a.out[0].data == b.in[0].data && a.out[0].data == b.out[0].data &&
           a.out[0].stride == b.out[0].stride && !a.out[0].half && !b.out[0].half &&
           first.x.rows == second.x.rows && first.b.columns == second.b.columns &&
           second.x.data != a.out[0].data;
  }
  // Neither reads what the other writes.
  static bool stands_beside(const ThinProduct& first, const ThinProduct& second) {
    const auto same = [](const auto& a, const auto& b) {
      return (a.data && a.data == b.data) || (a.half && a.half == b.half);
    };
    const auto apart = [&](const ThinProduct& writer, const ThinProduct& reader) {
      for (const auto& out : writer.finish.e.out) {
        if (same(out, reader.x)) return false;
        for (const auto& in : reader.finish.e.in)
          if (same(out, in)) return false;
      }
      return true;
    };
    for (const auto& a : first.finish.e.out)
      for (const auto& b : second.finish.e.out)
        if (same(a, b)) return false;
    return first.x.rows == second.x.rows && apart(first, second) && apart(second, first);
  }
  static Factor factor_of(const PackedMatrix<float>& b, std::size_t stride) {
    return b.source ? Factor{b.source, b.inner, b.columns, b.source_stride}
                    : Factor{b.storage.data(), b.inner, b.columns, stride};
  }

  bool touches_losses(const void* p, std::size_t bytes) const {
    const auto within = [&](const void* q) {
      return q && std::less_equal<>{}(p, q) && std::less<>{}(q, static_cast<const char*>(p) + bytes);
    };
    return within(losses_.losses) || within(losses_.state);
  }
  // Losses wait to be summed with the norm of their gradient, in one launch, until somebody may look at them.
  void sum_losses() {
    const LossSums losses = std::exchange(losses_, {});
    if (!losses.losses) return;
    const TrainedModel<float> model{{}, 0, nullptr, nullptr, losses.state};
    check(launch_loss_sums(losses.losses, losses.rows, losses.parts, &model, 1, stream()));
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
  // On the tensor cores; products that are thinner in some direction stay in float32: states, logits,
  // outputs.
  bool is_wide(std::size_t inner, std::size_t columns) const {
    return precision_ != Precision::fp32 && inner >= thin && columns >= thin;
  }
  unsigned factor_parts() const { return precision_ == Precision::mixed ? 2 : 1; }

  Finish finish_of(const EpilogueOperands<float>& e, std::size_t columns) const {
    Finish finish;
    finish.e = e;
    finish.columns = columns;
    finish.saturated = saturated_.data();
    finish.bf16 = precision_ == Precision::bf16;
    finish.wide = true;
    const int inputs = epilogue_inputs(e.kind);
    for (int i = epilogue_adds(e.kind) ? 1 : 0; i < inputs; ++i) finish.kept |= !e.in[i].data;
    const auto aligned = [](const auto& m) {
      return reinterpret_cast<std::uintptr_t>(m.data) % 16 == 0 && m.stride % 4 == 0;
    };
    for (const auto& m : e.in) finish.wide &= aligned(m);
    for (const auto& m : e.out) finish.wide &= aligned(m);
    return finish;
  }
  void multiply_wide(MatrixView<const float> x, const PackedMatrix<float>& b, const Finish& finish) {
    // what has one part alone belongs to no forward pass
    const bool precise =
        precision_ == Precision::mixed && epilogue_is_forward(finish.e.kind) && (x.data || x.half_parts == 2);
    const Arithmetic arithmetic = precision_ == Precision::bf16 ? Arithmetic::bf16
                                  : precise                     ? Arithmetic::three_products
                                                                : Arithmetic::half;
    const unsigned parts = arithmetic == Arithmetic::three_products ? 2 : 1;
    if (x.half_parts < parts) reserve(*this, rounded_, activation_halves(x.rows, x.columns, parts));
    const Squares from = x.half_parts < parts ? rounded(x, rounded_.data(), parts) : squares_of(x);
    const Squares factor{reinterpret_cast<const std::uint16_t*>(b.storage.data()),
                         even(squares_along(b.columns)), factor_parts()};
    check(launch_wide_linear(from, x.rows, factor, b.inner, arithmetic, tile_size(x.rows, arithmetic, finish),
                             finish, stream()));
  }
  // Large tiles where they keep every multiprocessor busy. Either way sums are the same.
  TileSize tile_size(std::size_t rows, Arithmetic arithmetic, const Finish& finish) const {
    const bool knows = arithmetic != Arithmetic::bf16 && (finish.kept || !epilogue_has_slopes(finish.e.kind));
    const std::size_t tiles = (rows + 127) / 128 * ((finish.columns + 127) / 128);
    return knows && tiles * 2 >= processors_ * 3 &&
                   wide_shared_bytes(arithmetic, TileSize::large) <= most_shared_
               ? TileSize::large
               : TileSize::small;
  }
  static Squares squares_of(MatrixView<const float> m) {
    return {m.half, squares_along(m.columns), m.half_parts};
  }
  // Of plain values, for products of what no epilogue has made.
  Squares rounded(MatrixView<const float> m, std::uint16_t* to, unsigned parts) {
    check(launch_round(m, to, parts, precision_ == Precision::bf16, saturated_.data(), stream()));
    return {to, squares_along(m.columns), parts};
  }
  std::vector<WideOuter> wide_outers(const std::vector<OuterProduct<float>>& products) {
    std::size_t size = 0;
    const auto each_operand = [&](auto&& body) {
      for (const auto& p : products)
        for (int s = 0; s < p.segments; ++s)
          for (const auto& m : {p.segment[s].a, p.segment[s].b})
            if (!m.half) body(m);
    };
    each_operand([&](const auto& m) { size += activation_halves(m.rows, m.columns, 1); });
    reserve(*this, rounded_, size);
    std::uint16_t* free = rounded_.data();
    const auto squares = [&](MatrixView<const float> m) {
      if (m.half) return squares_of(m);
      std::uint16_t* const to = free;
      free += activation_halves(m.rows, m.columns, 1);
      return rounded(m, to, 1);
    };
    std::vector<WideOuter> wide;
    for (const auto& p : products) {
      WideOuter w{};
      w.segments = static_cast<unsigned>(p.segments);
      for (int s = 0; s < p.segments; ++s) {
        w.a[s] = squares(p.segment[s].a);
        w.b[s] = squares(p.segment[s].b);
        w.rows[s] = p.segment[s].a.rows;
      }
      w.c = p.c;
      w.c_stride = p.c_stride;
      w.column_sums = p.column_sums;
      w.a_columns = p.segment[0].a.columns;
      w.b_columns = p.segment[0].b.columns;
      wide.push_back(w);
    }
    return wide;
  }

  template <class U>
  U value(const Buffer<U>& b) {
    U host;
    download(&host, b.data(), sizeof host);
    return host;
  }
  // null stays null
  template <class Body>
  void with_maps(const MarginMaps* maps, Body&& body) {
    if (!maps) return body(DeviceMaps{});
    const auto from = on_device(maps->from.data(), maps->from.size());
    const auto slope = on_device(maps->slope.data(), maps->slope.size());
    const auto to = on_device(maps->to.data(), maps->to.size());
    body(DeviceMaps{from.data(), slope.data(), to.data()});
  }
  Buffer<double> on_device(const double* host, std::size_t count) {
    if (!host) return {};
    auto b = buffer<double>(count);
    upload(b.data(), host, count * sizeof(double));
    return b;
  }
  // products are read four elements at a time
  static void expect_aligned(MatrixView<const float> m) {
    if (m.rows && m.data && (reinterpret_cast<std::uintptr_t>(m.data) % 16 || m.stride % 4))
      throw Error("SHAPE", "a factor of a product does not begin at a row of a matrix");
  }

  Runtime runtime_;
  Precision precision_;
  // what waits to be begun with, in one launch
  std::vector<PackJob> packs_;
  std::optional<MergeLinear> merge_;
  std::optional<BatchDraw<float>> draw_;
  MatrixView<float> cotangent_;  // of the batch
  std::vector<ThinProduct> thin_inner_, thin_columns_;
  std::optional<MergedGradient<float>> merged_gradient_;  // that is still to be made
  // SKLAR_CUDA_FUSED=0: networks layer by layer, for comparisons
  bool fused_ = true;
  Buffer<unsigned> saturated_;
  Buffer<unsigned> blocks_done_;
  Buffer<AdamScalars<float>> scalars_;
  LossSums losses_;  // that are still to be summed
  Buffer<double> partials_;
  std::vector<const float*> norms_of_;  // whose norms the latest operation left in partials_,
  std::size_t norm_parts_ = 0;          // in so many parts each
  TrainWorkspace train_workspace_;
  Buffer<float> workspace_;
  Buffer<std::uint16_t> rounded_;  // of plain values, for one operation
  std::size_t processors_, most_shared_;
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
