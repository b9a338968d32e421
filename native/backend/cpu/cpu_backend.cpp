#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "backend/cpu/elementwise.hpp"
#include "backend/cpu/kernels.hpp"
#include "backend/operations/adam.h"
#include "backend/rows/classifier.h"
#include "backend/rows/cube.h"
#include "backend/rows/ties.h"
#include "backend/rows/trajectory.h"
#include "backend/rows/velocity.h"
#include "core/error.hpp"
#include "core/normal.h"
#include "core/random/shuffle.h"
#include "core/threads/cpu.hpp"
#include "core/threads/thread_pool.hpp"

namespace sklar {
namespace {

using namespace cpu;

template <class T>
const KernelTable<T>& kernels() {
#if defined(SKLAR_X86)
  if (instruction_set() == InstructionSet::avx512) return avx512_kernels<T>();
  if (instruction_set() == InstructionSet::avx2) return avx2_kernels<T>();
#endif
  return baseline_kernels<T>();
}

template <class T>
const ElementwiseTable<T>& elements() {
#if defined(SKLAR_X86)
  if (instruction_set() == InstructionSet::avx512) return avx512_elementwise<T>();
  if (instruction_set() == InstructionSet::avx2) return avx2_elementwise<T>();
#endif
  return baseline_elementwise<T>();
}

constexpr std::size_t row_chunk = 128;                 // rows of a task of elementwise work
constexpr std::size_t block_rows = linear_chunk_rows;  // that go through a sequence of operations together
constexpr std::size_t many_weights = 1 << 22;          // more than the caches keep from one block to the next
constexpr std::size_t few_elements = 1 << 16;  // of gradients that every block of rows has sums of its own of
constexpr std::size_t parameter_chunk = 4096;  // parameters of one; fixed, norms are summed chunk by chunk
constexpr std::size_t group = 8;  // rows that triangular products take at once, one a vector lane

std::size_t chunks(std::size_t count, std::size_t size) { return (count + size - 1) / size; }

// The order of the rows of the epoch that a draw belongs to, worked out once for each epoch.
class Epochs {
 public:
  Epochs(std::uint64_t seed, std::size_t rows) : seed_(seed), rows_(rows) {}
  const ShuffleKey& of(std::uint64_t draw) {
    const std::uint64_t epoch = draw / rows_;
    if (epoch != epoch_) key_ = shuffle_key(seed_, epoch_ = epoch);
    return key_;
  }

 private:
  std::uint64_t seed_, rows_, epoch_ = ~std::uint64_t{0};
  ShuffleKey key_{};
};

template <class T>
class CpuBackend final : public Backend<T> {
 public:
  explicit CpuBackend(std::size_t threads)
      : pool_(threads ? threads : cpu_cores()), kernels_(kernels<T>()), elements_(elements<T>()) {
    scratch_.resize(pool_.threads());
  }

  void* allocate_bytes(std::size_t bytes) override {
    const std::size_t size = std::max<std::size_t>(chunks(bytes, 64) * 64, 64);
    void* p = std::aligned_alloc(64, size);
    if (!p)
      throw Error("MEMORY",
                  "expected " + std::to_string(size) + " bytes of memory, the system has none left");
    std::memset(p, 0, size);
    return p;
  }
  void release_bytes(void* p, std::size_t) noexcept override { std::free(p); }

  void upload(void* to, const void* host, std::size_t bytes) override { copy(to, host, bytes); }
  void download(void* host, const void* from, std::size_t bytes) override { copy(host, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override {
    finish();
    if (bytes > 0) std::memcpy(to, from, bytes);  // an empty buffer is a null pointer
  }
  void clear(void* p, std::size_t bytes) override {
    finish();
    if (bytes > 0) std::memset(p, 0, bytes);
  }

  void upload_matrix_impl(MatrixView<T> to, const T* host) override {
    finish();
    for (std::size_t i = 0; i < to.rows; ++i) std::copy_n(host + i * to.columns, to.columns, to.row(i));
  }
  void download_matrix_impl(T* host, MatrixView<const T> from) override {
    finish();
    for (std::size_t i = 0; i < from.rows; ++i)
      std::copy_n(from.row(i), from.columns, host + i * from.columns);
  }

  void together(const std::function<void()>& body) override {
    if (put_off_) return body();
    put_off_ = true;
    try {
      body();
    } catch (...) {
      put_off_ = false;
      packing_.clear();
      work_.clear();
      throw;
    }
    put_off_ = false;
    finish();
  }

  // within about 64 MB, in whole chunks of the products
  std::size_t rows_at_once(std::size_t bytes) const override {
    constexpr std::size_t unit = linear_chunk_rows;
    return std::clamp((std::size_t{64} << 20) / bytes / unit * unit, unit, 84 * unit);
  }

  void transpose_impl(MatrixView<T> to, MatrixView<const T> from) override {
    finish();
    for (std::size_t i = 0; i < from.rows; ++i)
      for (std::size_t j = 0; j < from.columns; ++j)
        to.data[j * to.stride + i] = from.data[i * from.stride + j];
  }

  void fill_column_impl(MatrixView<T> m, std::size_t column, T value) override {
    finish();
    for (std::size_t i = 0; i < m.rows; ++i) m.row(i)[column] = value;
  }

  void level_cotangent_impl(MatrixView<T> cotangent, const std::int32_t* level) override {
    later(cotangent.rows, [=](std::size_t begin, std::size_t end, std::size_t) {
      const std::size_t columns = cotangent.columns;
      for (std::size_t i = begin; i < end; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          cotangent.row(i)[j] =
              sklar::rows::level_cotangent<T>(j, static_cast<std::size_t>(level[i]), columns);
    });
  }

  void adam_impl(std::span<const AdamUpdate<T>> updates, std::size_t count) override {
    finish();
    for (const AdamUpdate<T>& update : updates) adam_of_one(update, count);
  }
  void adam_of_one(const AdamUpdate<T>& u, std::size_t count) {
    const AdamOptions& options = u.options;
    TrainState* const state = u.state;
    const std::size_t tasks = chunks(count, parameter_chunk);
    std::vector<double> partial(tasks);
    auto length = [&](std::size_t i) { return std::min(parameter_chunk, count - i * parameter_chunk); };
    pool_.run(tasks, [&](std::size_t i, std::size_t) {
      partial[i] = elements_.sum_of_squares(u.gradient + i * parameter_chunk, length(i));
    });
    double sum = 0;
    for (double p : partial) sum += p;
    const double norm = std::sqrt(sum) / options.gradient_scale;
    const double rate = learning_rate_at(options.rate, state->step);
    const auto scalars = adam_scalars<T>(options, norm, rate, state->step);
    pool_.run(tasks, [&](std::size_t i, std::size_t) {
      const std::size_t at = i * parameter_chunk;
      elements_.adam({u.parameters + at, u.gradient + at, u.m + at, u.v + at,
                      options.ema_decay > 0 ? u.average + at : nullptr, length(i), scalars});
    });
    end_adam_step(*state, norm, rate);
  }

  void draw_tied_impl(const TiedDraw<T>& f) override {
    const std::size_t n = f.data.rows, d = f.data.columns;
    if (!f.state) {
      each_row(
          n, [&](std::size_t i) { sklar::rows::draw_tied(f, i, f.round, nullptr, sklar::rows::OneLane{}); });
      return;
    }
    const std::uint64_t step = f.state->step;
    const auto fresh = [&](std::size_t row, std::size_t i) {
      sklar::rows::draw_tied(f, row, step, f.work + i * d, sklar::rows::OneLane{});
    };
    if (f.batch >= n) {
      each_row(n, [&](std::size_t i) { fresh(i, i); });
      return;
    }
    // One epoch after the other: a row that both draw must not be two threads' at once.
    const std::uint64_t first = step * f.batch, epoch = first / n;
    const std::size_t turn = std::min<std::size_t>(f.batch, n - first % n);
    const auto part = [&](std::size_t from, std::size_t to, const ShuffleKey& order) {
      each_row(to - from,
               [&](std::size_t k) { fresh(shuffled((first + from + k) % n, n, order), from + k); });
    };
    part(0, turn, shuffle_key(f.seed, epoch));
    part(turn, f.batch, shuffle_key(f.seed, epoch + 1));
  }

  void draw_velocity_impl(const VelocityDraw<T>& draw) override {
    const std::size_t d = draw.head.dim;
    later(draw.y.rows, [=, this](std::size_t begin, std::size_t end, std::size_t) {
      const std::uint32_t tag = noise_tag(draw.head.process);
      elements_.normals(draw.target.row(begin), draw.target.stride, end - begin, d, draw.seed, begin,
                        draw.state->step, tag);
      Epochs epochs(draw.seed, draw.data.rows);
      const std::uint64_t first = draw.state->step * draw.y.rows;
      fetched(draw.data, epochs, first, begin, end, [&](std::size_t i, const T* from) {
        const double time = draw.time[i] = sklar::rows::time_of_row(draw, i);
        T* y = draw.y.row(i);
        T* target = draw.target.row(i);  // holds the noise
        sklar::rows::path_of_row(draw, i, 0, d, time, from, target);
        y[d] = 1;
      });
    });
  }

  void velocity_features_impl(const VelocityHead& head, MatrixView<const T> y, const double* time,
                              MatrixView<T> x) override {
    later(y.rows, [=](std::size_t begin, std::size_t end, std::size_t) {
      double features[velocity_time_features];
      for (std::size_t i = begin; i < end; ++i) {
        if (i == begin || time[i] != time[i - 1]) velocity_time(head, time[i], features);
        sklar::rows::velocity_features(head, y.row(i), features, x.row(i));
      }
    });
  }

  void velocity_loss_impl(const VelocityLoss<T>& loss) override {
    auto sum_up = [=] {
      double sum = 0;
      for (std::size_t i = 0; i < loss.y.rows; ++i) sum += loss.row_losses[i];
      loss.state->squared_error = sum;
      loss.state->cross_entropy = 0;
    };
    later(
        loss.y.rows,
        [=](std::size_t begin, std::size_t end, std::size_t) {
          for (std::size_t i = begin; i < end; ++i)
            sklar::rows::velocity_loss(loss, i, sklar::rows::OneLane{});
        },
        sum_up);
  }

  void velocity_output_impl(const VelocityForm& form, MatrixView<const T> y, const double* time,
                            MatrixView<const T> n, MatrixView<T> out) override {
    each_row(y.rows, [&](std::size_t i) {
      sklar::rows::velocity_output(form, y.row(i), time[i], n.row(i), out.row(i));
    });
  }

  void velocity_cotangent_impl(const VelocityHead& head, MatrixView<const T> y, MatrixView<const T> direction,
                               MatrixView<T> e) override {
    each_row(e.rows, [&](std::size_t i) {
      sklar::rows::velocity_cotangent(head, y.row(i), direction.row(i), e.row(i));
    });
  }

  void velocity_product_impl(const VelocityForm& form, MatrixView<const T> y, const double* time,
                             MatrixView<const T> n, MatrixView<const T> x_adjoint,
                             MatrixView<const T> direction, MatrixView<T> product) override {
    each_row(y.rows, [&](std::size_t i) {
      sklar::rows::velocity_product(form, y.row(i), time[i], n.row(i), x_adjoint.row(i), direction.row(i),
                                    product.row(i));
    });
  }

  void velocity_diagonal_impl(const VelocityForm& form, MatrixView<const T> y, const double* time,
                              MatrixView<const T> n, MatrixView<const T> x_adjoint, std::size_t column,
                              double* sum) override {
    each_row(y.rows, [&](std::size_t i) {
      sum[i] += sklar::rows::velocity_diagonal(form, y.row(i), time[i], n.row(i), x_adjoint.row(i), column);
    });
  }

  void normals_impl(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                    std::uint32_t tag) override {
    rows(out.rows, [&](std::size_t begin, std::size_t end) {
      elements_.normals(out.row(begin), out.stride, end - begin, out.columns, seed, first_row + begin, step,
                        tag);
    });
  }

  void fill_impl(double* to, std::size_t count, double value) override {
    finish();
    std::fill(to, to + count, value);
  }

  void add_scaled_impl(double* to, const double* x, std::size_t count, double factor, const double* row,
                       std::size_t columns) override {
    finish();
    for (std::size_t k = 0; k < count; ++k)
      to[k] += factor * (row ? row[k / columns] : 1.0) * (x ? x[k] : 1.0);
  }

  void copy_rows_impl(MatrixView<T> to, const std::uint32_t* to_rows, MatrixView<const T> from,
                      const std::uint32_t* from_rows, std::size_t count) override {
    finish();
    for (std::size_t k = 0; k < count; ++k) {
      const T* source = from.row(from_rows ? from_rows[k] : k);
      std::copy(source, source + from.columns, to.row(to_rows ? to_rows[k] : k));
    }
  }

  void keep_finite_impl(MatrixView<T> y, MatrixView<T> good, std::int32_t* failed,
                        std::int32_t mark) override {
    each_row(y.rows, [&](std::size_t i) {
      sklar::rows::keep_finite(y.row(i), good.row(i), y.columns, failed[i], mark);
    });
  }

  void error_norm_impl(const ErrorNorm<T>& norm) override {
    each_row(norm.error.rows, [&](std::size_t i) { norm.out[i] = sklar::rows::error_of_row(norm, i); });
  }

  void fold_impl(MatrixView<T> to, MatrixView<const T> y) override {
    each_row(to.rows, [&](std::size_t i) {
      for (std::size_t j = 0; j < to.columns; ++j) to.row(i)[j] = sklar::fold(y.row(i)[j]);
    });
  }

  void flip_impl(MatrixView<T> v, MatrixView<const T> y) override {
    each_row(v.rows, [&](std::size_t i) {
      for (std::size_t j = 0; j < v.columns; ++j) v.row(i)[j] *= fold_sign(y.row(i)[j]);
    });
  }

  void brownian_impl(MatrixView<T> w, MatrixView<T> h, const BrownianPath& path, const double* from,
                     const double* to) override {
    each_row(w.rows, [&](std::size_t i) {
      for (std::uint32_t pair = 0; 2 * pair < w.columns; ++pair)
        sklar::rows::brownian_pair(w, h, path, i, pair, from[i], to[i]);
    });
  }

  void signs_impl(MatrixView<T> out, std::uint64_t seed, std::uint64_t first_row, std::uint64_t step,
                  std::uint32_t tag) override {
    each_row(out.rows, [&](std::size_t i) {
      sklar::rows::signs_of_row(out.row(i), out.columns, seed, first_row + i, step, tag);
    });
  }

  void orthonormalise_impl(std::span<const MatrixView<T>> q) override {
    rows(q[0].rows, [&](std::size_t begin, std::size_t end) {
      std::vector<double> area(q.size() * q[0].columns);
      for (std::size_t i = begin; i < end; ++i)
        sklar::rows::orthonormalise_row(q.data(), q.size(), i, area.data(), 1);
    });
  }

  void row_dots_impl(double* out, std::size_t stride, MatrixView<const T> a, MatrixView<const T> b,
                     bool accumulate) override {
    rows(a.rows, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        double sum = accumulate ? out[i * stride] : 0;
        for (std::size_t j = 0; j < a.columns; ++j)
          sum += static_cast<double>(a.row(i)[j]) * static_cast<double>(b.row(i)[j]);
        out[i * stride] = sum;
      }
    });
  }

  void interpolate_levels_impl(MatrixView<T> cotangent, double* reference,
                               const LevelInterpolation& m) override {
    finish();
    for (std::size_t i = 0; i < cotangent.rows; ++i)
      reference[i] = sklar::rows::interpolate_levels_row(cotangent.row(i), cotangent.columns, m, i);
  }

  // docs/mathematics.md, A.2
  void whiten_impl(MatrixView<T> y, const double* u, bool from_gaussian, const double* cholesky,
                   double* quadratic) override {
    const std::size_t d = y.columns - 1;
    triangular(y.rows, d, [&](std::size_t first, std::size_t count, double* z, double* w) {
      for (std::size_t k = 0; k < count; ++k)
        for (std::size_t i = 0; i < d; ++i) {
          const double value = u[(first + k) * d + i];
          z[i * group + k] = from_gaussian ? value : normal_quantile(value);
        }
      double before[group] = {}, after[group] = {};
      for (std::size_t i = 0; i < d; ++i) {
        double sum[group];
        for (std::size_t k = 0; k < group; ++k) sum[k] = z[i * group + k];
        for (std::size_t k = 0; k < group; ++k) before[k] += sum[k] * sum[k];
        if (cholesky) {
          const double* l = cholesky + i * d;
          for (std::size_t j = 0; j < i; ++j)
            for (std::size_t k = 0; k < group; ++k) sum[k] -= l[j] * w[j * group + k];
          for (std::size_t k = 0; k < group; ++k) sum[k] /= l[i];
        }
        for (std::size_t k = 0; k < group; ++k) {
          w[i * group + k] = sum[k];
          after[k] += sum[k] * sum[k];
        }
      }
      for (std::size_t k = 0; k < count; ++k) {
        T* row = y.row(first + k);
        for (std::size_t i = 0; i < d; ++i) row[i] = static_cast<T>(w[i * group + k]);
        row[d] = 1;
        if (quadratic) quadratic[first + k] = 0.5 * (before[k] - after[k]);
      }
    });
  }

  void colour_impl(double* out, MatrixView<const T> y, bool to_gaussian, const double* cholesky,
                   const MarginMaps* maps) override {
    const std::size_t d = y.columns - 1;
    triangular(y.rows, d, [&](std::size_t first, std::size_t count, double* z, double* w) {
      for (std::size_t k = 0; k < count; ++k)
        for (std::size_t i = 0; i < d; ++i) w[i * group + k] = static_cast<double>(y.row(first + k)[i]);
      for (std::size_t i = 0; i < d; ++i) {
        double sum[group] = {};
        if (cholesky) {
          const double* l = cholesky + i * d;
          for (std::size_t j = 0; j <= i; ++j)
            for (std::size_t k = 0; k < group; ++k) sum[k] += l[j] * w[j * group + k];
        } else {
          for (std::size_t k = 0; k < group; ++k) sum[k] = w[i * group + k];
        }
        for (std::size_t k = 0; k < group; ++k) z[i * group + k] = sum[k];
      }
      for (std::size_t k = 0; k < count; ++k)
        for (std::size_t i = 0; i < d; ++i) {
          const double value = maps ? (*maps)(i, z[i * group + k]) : z[i * group + k];
          out[(first + k) * d + i] = to_gaussian ? value : normal_cdf(value);
        }
    });
  }

  void to_cube_impl(MatrixView<T> y, const double* x, bool from_gaussian) override {
    const std::size_t d = y.columns - 1;
    each_row(y.rows, [&](std::size_t i) {
      for (std::size_t j = 0; j < d; ++j)
        y.row(i)[j] = sklar::rows::cube_state<T>(x[i * d + j], from_gaussian);
      y.row(i)[d] = 1;
    });
  }
  void from_cube_impl(double* out, MatrixView<const T> y, bool to_gaussian, const MarginMaps* maps) override {
    const std::size_t d = y.columns - 1;
    each_row(y.rows, [&](std::size_t i) {
      for (std::size_t j = 0; j < d; ++j)
        out[i * d + j] = sklar::rows::cube_value(static_cast<double>(y.row(i)[j]), to_gaussian, maps,
                                                 [&](double z) { return (*maps)(j, z); });
    });
  }
  void to_uniform_impl(MatrixView<T> y) override {
    each_row(y.rows, [&](std::size_t i) {
      for (std::size_t j = 0; j < y.columns; ++j)
        y.row(i)[j] = sklar::rows::cube_state<T>(static_cast<double>(y.row(i)[j]), true);
    });
  }

  void log_ratio_impl(double* host, MatrixView<const T> logits, std::size_t level) override {
    finish();
    for (std::size_t i = 0; i < logits.rows; ++i)
      host[i] = sklar::rows::log_ratio(logits.row(i), logits.columns, level);
  }

  void pack_impl(PackedMatrix<T>& to, const T* w, std::size_t stride, Orientation orientation) override {
    if (!work_.empty()) finish();
    const std::size_t panels = chunks(to.columns, kernels_.tile_columns);
    const std::size_t size = panels * kernels_.tile_columns * to.inner;
    if (to.storage.size() < size) {
      finish();  // what may still have to fill the old one
      to.storage = this->template buffer<T>(size);
    }
    const std::size_t at_once =
        std::max<std::size_t>(1, 16384 / (kernels_.tile_columns * std::max<std::size_t>(to.inner, 1)));
    for (std::size_t panel = 0; panel < panels; panel += at_once)
      packing_.push_back({w, stride, to.inner, to.columns, orientation == Orientation::transposed, panel,
                          std::min(panels, panel + at_once), to.storage.data()});
    if (!put_off_) finish();
  }

  void linear_impl(MatrixView<const T> x, const PackedMatrix<T>& b, const EpilogueOperands<T>& e) override {
    LinearCall<T> call{};
    call.x = x.data;
    call.x_stride = x.stride;
    call.panels = b.storage.data();
    call.inner = b.inner;
    call.columns = b.columns;
    call.epilogue.kind = e.kind;
    call.epilogue.active = e.active;
    call.epilogue.stride = e.out[0].stride;
    for (int i = 0; i < 4; ++i) call.epilogue.in[i] = e.in[i].data;
    for (int i = 0; i < 3; ++i) call.epilogue.out[i] = e.out[i].data;
    call.epilogue.bias = e.bias;
    later(
        x.rows,
        [=, this](std::size_t begin, std::size_t end, std::size_t worker) {
          kernels_.linear(call, begin, end, scratch(worker, linear_scratch));
        },
        nullptr, b.inner * b.columns);
  }

  void outer_impl(std::span<const OuterProduct<T>> products) override {
    std::vector<OuterCall<T>> calls;
    for (const auto& p : products) {
      OuterCall<T> call{};
      call.segments = p.segments;
      for (int s = 0; s < p.segments; ++s)
        call.segment[s] = {p.segment[s].a.data, p.segment[s].a.stride, p.segment[s].b.data,
                           p.segment[s].b.stride, p.segment[s].a.rows};
      call.rows = p.segment[0].a.columns;
      call.columns = p.segment[0].b.columns;
      call.c = p.c;
      call.c_stride = p.c_stride;
      call.column_sums = p.column_sums;
      calls.push_back(call);
    }
    std::size_t elements = 0, length = 0;
    for (const auto& call : calls) {
      elements += call.rows * (call.columns + 1);
      for (int s = 0; s < call.segments; ++s) length = std::max(length, call.segment[s].length);
    }
    if (!work_.empty() && elements <= few_elements && length > block_rows)
      outer_of_blocks(calls, elements, length);
    else
      outer_of_all(calls);
  }

  // Each task has some rows of one product.
  void outer_of_all(std::span<const OuterCall<T>> calls) {
    finish();
    struct Task {
      std::size_t product, row, row_end, column, column_end;
    };
    std::vector<Task> tasks;
    std::size_t rows_in_all = 0;
    for (const auto& call : calls) rows_in_all += call.rows;
    const std::size_t wanted = chunks(rows_in_all, 3 * pool_.threads());
    const std::size_t block = std::clamp(chunks(wanted, kernels_.tile_rows) * kernels_.tile_rows,
                                         kernels_.tile_rows, outer_block_rows);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const auto& call = calls[i];
      const std::size_t height =
          std::min(block, chunks(chunks(call.rows, chunks(call.rows, block)), kernels_.tile_rows) *
                              kernels_.tile_rows);
      for (std::size_t c = 0; c < call.columns; c += outer_block_columns)
        for (std::size_t r = 0; r < call.rows; r += height)
          tasks.push_back(
              {i, r, std::min(call.rows, r + height), c, std::min(call.columns, c + outer_block_columns)});
    }
    pool_.run(tasks.size(), [&](std::size_t i, std::size_t worker) {
      this->check_cancelled();
      const Task& t = tasks[i];
      kernels_.outer(calls[t.product], t.row, t.row_end, t.column, t.column_end,
                     scratch(worker, outer_scratch));
    });
  }

  // Small products of rows that are yet to be computed: each block of them is summed while it is in a cache,
  // then the blocks' sums are added up in their order.
  void outer_of_blocks(std::span<const OuterCall<T>> calls, std::size_t elements, std::size_t length) {
    const std::size_t blocks = chunks(length, block_rows), stride = chunks(elements, 16) * 16;
    if (partial_.size() < blocks * stride) partial_ = Buffer<T>(*this, blocks * stride);
    const auto body = [=, this](std::size_t begin, std::size_t end, std::size_t worker) {
      T* to = partial_.data() + begin / block_rows * stride;
      for (OuterCall<T> call : calls) {
        for (int s = 0; s < call.segments; ++s) {
          OuterSegment<T>& segment = call.segment[s];
          const std::size_t first = std::min(begin, segment.length);
          segment.a += first * segment.a_stride;
          segment.b += first * segment.b_stride;
          segment.length = std::min(end, segment.length) - first;
        }
        call.c = to;
        call.c_stride = call.columns;
        to += call.rows * call.columns;
        if (call.column_sums) call.column_sums = to;
        to += call.rows;
        for (std::size_t c = 0; c < call.columns; c += outer_block_columns)
          for (std::size_t r = 0; r < call.rows; r += outer_block_rows)
            kernels_.outer(call, r, std::min(call.rows, r + outer_block_rows), c,
                           std::min(call.columns, c + outer_block_columns), scratch(worker, outer_scratch));
      }
    };
    work_.push_back({length, elements, 0, true, body, nullptr});
    finish();
    constexpr std::size_t at_once = 2048;
    const std::vector<T> ones(blocks, T(1));
    pool_.run(chunks(elements, at_once), [&](std::size_t i, std::size_t) {
      std::vector<const T*> sums(blocks);
      for (std::size_t b = 0; b < blocks; ++b) sums[b] = partial_.data() + b * stride + i * at_once;
      elements_.combine(partial_.data() + i * at_once, std::min(at_once, elements - i * at_once), sums.data(),
                        ones.data(), blocks);
    });
    const T* from = partial_.data();
    for (const OuterCall<T>& call : calls) {
      for (std::size_t r = 0; r < call.rows; ++r, from += call.columns)
        std::copy_n(from, call.columns, call.c + r * call.c_stride);
      if (call.column_sums) std::copy_n(from, call.rows, call.column_sums);
      from += call.rows;
    }
  }

  // docs/mathematics.md, A.1
  void draw_batch_impl(const BatchDraw<T>& b) override {
    const std::size_t batch = b.x.rows, d = b.data.columns, n = b.data.rows;
    const std::uint64_t step = b.state->step, first = step * batch;
    const PhiloxBlock turn = sklar::rows::level_turn(b);
    later(batch, [=, this](std::size_t begin, std::size_t end, std::size_t) {
      elements_.normals(b.noise.row(begin), b.noise.stride, end - begin, d, b.seed, begin, step,
                        kTagTrainNoise);
      Epochs epochs(b.seed, n);
      fetched(b.data, epochs, first, begin, end, [&](std::size_t i, const T* from) {
        const std::size_t level = sklar::rows::draw_level(b, i, turn);
        b.level[i] = static_cast<std::int32_t>(level);
        T* x = b.x.row(i);
        elements_.noised_row(x, from, b.noise.row(i), d, b.levels.alpha[level], b.levels.sigma[level]);
        x[d] = 1;
      });
    });
  }

  void classifier_loss_impl(const ClassifierLoss<T>& l) override {
    auto sum_up = [=] {
      double entropy = 0, squares = 0;
      for (std::size_t i = 0; i < l.logits.rows; ++i) {
        entropy += l.row_losses[2 * i];
        squares += l.row_losses[2 * i + 1];
      }
      l.state->cross_entropy = entropy;
      l.state->squared_error = squares;
    };
    later(
        l.logits.rows,
        [=](std::size_t begin, std::size_t end, std::size_t) {
          for (std::size_t i = begin; i < end; ++i)
            sklar::rows::classifier_loss(l, i, sklar::rows::OneLane{});
        },
        sum_up);
  }

  void combine_impl(const Combine<T>& c) override {
    const std::size_t d = c.to.columns, terms = c.terms + (c.noise != 0 ? 1 : 0);
    rows(c.to.rows, [&](std::size_t begin, std::size_t end) {
      std::vector<T> noise(c.noise != 0 ? d * (end - begin) : 0);
      if (c.noise != 0)
        elements_.normals(noise.data(), d, end - begin, d, c.seed, c.first_row + begin, c.step, c.tag);
      const T* x[Combine<T>::most + 1];
      T factor[Combine<T>::most + 1];
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t k = 0; k < c.terms; ++k) {
          x[k] = c.term[k].x.row(i);
          factor[k] = static_cast<T>(c.term[k].row ? c.term[k].factor * c.term[k].row[i] : c.term[k].factor);
        }
        if (c.noise != 0) {
          x[c.terms] = noise.data() + (i - begin) * d;
          factor[c.terms] = static_cast<T>(c.noise);
        }
        elements_.combine(c.to.row(i), d, x, factor, terms);
      }
    });
  }

 private:
  T* scratch(std::size_t worker, std::size_t count) {
    auto& s = scratch_[worker];
    if (s.size() < count) s = Buffer<T>(*this, count);
    return s.data();
  }

  // Work on rows that does not depend on other rows: body(begin, end, worker), then `after` by one thread.
  struct RowWork {
    std::size_t rows, products;  // multiply-adds of a row
    std::size_t weights;         // that all rows need
    bool fixed_blocks;           // the body must get blocks of block_rows
    std::function<void(std::size_t, std::size_t, std::size_t)> body;
    std::function<void()> after;
  };

  // Panels of one matrix.
  struct Packing {
    const T* w;
    std::size_t stride, inner, columns;
    bool transposed;
    std::size_t panel, panel_end;
    T* to;
  };

  template <class Body>
  void later(std::size_t count, Body body, std::function<void()> after = nullptr, std::size_t products = 0) {
    work_.push_back({count, products, products, false, body, std::move(after)});
    if (!put_off_) finish();
  }

  // Does what was put off. A block of rows goes through all of it while it is in the caches, and the threads
  // meet once.
  void finish() {
    if (!packing_.empty()) {
      std::vector<Packing> packing;
      packing.swap(packing_);
      pool_.run(packing.size(), [&](std::size_t i, std::size_t) {
        const Packing& p = packing[i];
        kernels_.pack(p.w, p.stride, p.inner, p.columns, p.transposed, p.panel, p.panel_end, p.to);
      });
    }
    if (work_.empty()) return;
    std::vector<RowWork> work;
    work.swap(work_);
    std::size_t weights = 0;
    for (const RowWork& w : work) weights += w.weights;
    if (weights <= many_weights)
      carry_out(work);
    else
      for (const RowWork& w : work) carry_out({&w, 1});
  }

  void carry_out(std::span<const RowWork> work) {
    std::size_t count = 0, products = 0;
    bool fixed_blocks = false;
    for (const RowWork& w : work) {
      count = std::max(count, w.rows);
      products += w.rows * w.products;
      fixed_blocks = fixed_blocks || w.fixed_blocks;
    }
    // whole tiles, shared out so that every thread gets the same
    const std::size_t tile = kernels_.tile_rows, tiles = chunks(count, tile), threads = pool_.threads();
    std::size_t blocks = chunks(count, block_rows);
    if (!fixed_blocks && products > 65536) blocks = std::min(chunks(blocks, threads) * threads, tiles);
    pool_.run(blocks, [&](std::size_t i, std::size_t worker) {
      this->check_cancelled();
      const std::size_t begin = fixed_blocks ? i * block_rows : tiles * i / blocks * tile;
      const std::size_t end = fixed_blocks ? begin + block_rows : tiles * (i + 1) / blocks * tile;
      for (const RowWork& w : work)
        if (begin < w.rows) w.body(begin, std::min(end, w.rows), worker);
    });
    for (const RowWork& w : work)
      if (w.after) w.after();
  }

  template <class Body>
  void rows(std::size_t count, Body&& body) {
    finish();
    pool_.run(chunks(count, row_chunk), [&](std::size_t i, std::size_t) {
      this->check_cancelled();
      body(i * row_chunk, std::min(count, (i + 1) * row_chunk));
    });
  }

  template <class Body>
  void each_row(std::size_t count, Body&& body) {
    rows(count, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) body(i);
    });
  }

  // body(i, row) with the row of the data that draw first + i takes. The rows lie all over the table: some
  // are asked of the memory at once.
  template <class Body>
  void fetched(MatrixView<const T> data, Epochs& epochs, std::uint64_t first, std::size_t begin,
               std::size_t end, Body&& body) {
    constexpr std::size_t at_once = 16, line = 64 / sizeof(T);
    const std::uint64_t n = data.rows;
    std::uint64_t row[at_once];
    for (std::size_t i = begin, count; i < end; i += count) {
      const std::uint64_t draw = first + i;
      count = static_cast<std::size_t>(std::min<std::uint64_t>(std::min(at_once, end - i), n - draw % n));
      elements_.shuffle(row, draw % n, count, n, epochs.of(draw));
      for (std::size_t k = 0; k < count; ++k)
        for (std::size_t j = 0; j < data.columns; j += line) __builtin_prefetch(data.row(row[k]) + j);
      for (std::size_t k = 0; k < count; ++k) body(i + k, data.row(row[k]));
    }
  }

  // rows in groups of one per lane; body(first, count, two d x group areas). Lanes beyond count hold zeros.
  template <class Body>
  void triangular(std::size_t count, std::size_t d, Body&& body) {
    rows(count, [&](std::size_t begin, std::size_t end) {
      std::vector<double> area(2 * d * group, 0.0);
      for (std::size_t i = begin; i < end; i += group)
        body(i, std::min(group, end - i), area.data(), area.data() + d * group);
    });
  }

  ThreadPool pool_;
  const KernelTable<T>& kernels_;
  const ElementwiseTable<T>& elements_;
  std::vector<Buffer<T>> scratch_;
  Buffer<T> partial_;
  std::vector<Packing> packing_;
  std::vector<RowWork> work_;
  bool put_off_ = false;
};

}  // namespace

template <class T>
std::unique_ptr<Backend<T>> make_cpu_backend(std::size_t threads) {
  return std::make_unique<CpuBackend<T>>(threads);
}
template std::unique_ptr<Backend<float>> make_cpu_backend<float>(std::size_t);
template std::unique_ptr<Backend<double>> make_cpu_backend<double>(std::size_t);

}  // namespace sklar
