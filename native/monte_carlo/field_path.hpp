#pragma once

#include "fields/field.hpp"
#include "monte_carlo/level_path.hpp"

namespace sklar {

// A field at times of its process, 0 (data) first, in its own coordinates: a path of which the gradients
// alone are known, that at the last time, too, unless the field is that of a potential.
template <class T>
class FieldPath final : public LevelPath<T> {
 public:
  FieldPath(Backend<T>& backend, Field<T>& field, const std::vector<double>& times, const CancelFlag& cancel)
      : backend_(backend), field_(field), times_(times), cancel_(cancel) {}

  std::size_t dim() const override { return field_.dim(); }
  std::size_t last() const override { return times_.size() - 1; }
  void evaluate(MatrixView<const T> y, std::size_t level, double share, double* above, double* below,
                MatrixView<T> gradient) override {
    if (above || below || share != 1) {
      bridge(y, level, share, above, below, gradient);
      return;
    }
    at_level(y, level, [&](MatrixView<const T> part, std::size_t first, const double* time) {
      field_.evaluate(part, time, form(), rows_from(gradient, first, part.rows));
    });
    scale(level, gradient);
  }
  void pull_back(MatrixView<const T> y, std::size_t level, MatrixView<const T> r,
                 MatrixView<T> product) override {
    at_level(y, level, [&](MatrixView<const T> part, std::size_t first, const double* time) {
      field_.pull_back(part, time, form(), rows_from(r, first, part.rows),
                       rows_from(product, first, part.rows));
    });
    scale(level, product);
  }

 private:
  // docs/mathematics.md, A.11
  void bridge(MatrixView<const T> y, std::size_t level, double share, double* above, double* below,
              MatrixView<T> gradient) {
    const std::size_t batch = std::min(field_.batch_rows(), y.rows);
    if (gradient.data && above_.rows() < batch) above_ = backend_.matrix(batch, dim());
    in_batches(y.rows, batch, cancel_, {}, [&](std::size_t first, std::size_t count) {
      const auto part = rows_from(y, first, count);
      const auto to = rows_from(gradient, first, count);
      const auto from = gradient.data ? above_.first(count) : MatrixView<T>{};
      field_.potential(part, times_[level + 1], above ? above + first : nullptr, from);
      field_.potential(part, times_[level], below ? below + first : nullptr, to);
      if (!gradient.data) return;
      Combine<T> mix;
      mix.to = to;
      backend_.combine(mix.add(from, 1 - share).add(to, share));
    });
  }
  Form form() const { return on_cube(field_.process()) ? Form::velocity : Form::gradient; }
  // from the form to the gradient
  void scale(std::size_t level, MatrixView<T> m) {
    if (!on_cube(field_.process())) return;
    Combine<T> scaled;
    scaled.to = m;
    scaled.add(m, 1 / with_process(field_.process(),
                                   [&](auto p) { return p.over_slope(Form::velocity, times_[level]); }));
    backend_.combine(scaled);
  }
  // body(rows of y, the first of them, their times)
  template <class Body>
  void at_level(MatrixView<const T> y, std::size_t level, Body&& body) {
    const std::size_t batch = std::min(field_.batch_rows(), y.rows);
    if (time_.size() < batch) time_ = backend_.template buffer<double>(batch);
    backend_.fill(time_.data(), batch, times_[level]);
    in_batches(y.rows, batch, cancel_, {}, [&](std::size_t first, std::size_t count) {
      body(rows_from(y, first, count), first, time_.data());
    });
  }

  Backend<T>& backend_;
  Field<T>& field_;
  const std::vector<double>& times_;
  const CancelFlag& cancel_;
  Buffer<double> time_;
  Matrix<T> above_;
};

}  // namespace sklar
