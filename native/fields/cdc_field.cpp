#include "fields/cdc_field.hpp"

#include "core/error.hpp"

namespace sklar {

template <class T>
CdcField<T>::CdcField(Backend<T>& backend, SecondOrderNetwork<T>& network, const OuLevels& levels,
                      const std::vector<double>& slope, std::size_t rows)
    : backend_(backend),
      network_(network),
      levels_(levels.count()),
      rows_(rows),
      known_(!slope.empty() && levels.w[levels.last()] == 0),
      w_(levels.w),
      sampler_(backend) {
  const std::size_t d = dim();
  w_on_backend_ = backend.template buffer<double>(levels_);
  backend.upload(w_on_backend_.data(), levels.w.data(), levels_ * sizeof(double));
  if (!known_) return;
  std::vector<T> host(slope.begin(), slope.end());
  for (std::size_t i = 0; i < d; ++i) trace_of_slope_ += slope[i * d + i];
  slope_ = backend.template buffer<T>(host.size());
  backend.upload(slope_.data(), host.data(), host.size() * sizeof(T));
  backend.pack(packed_slope_, slope_.data(), d, d, d, Orientation::transposed);
}

template <class T>
void CdcField<T>::reserve(std::size_t rows) {
  if (rows > rows_)
    throw Error("SHAPE", "expected at most " + std::to_string(rows_) + " rows, got " + std::to_string(rows));
  if (rows <= logits_.rows()) return;
  reference_ = backend_.template buffer<double>(rows);
  logits_ = backend_.matrix(rows, levels_);
  cotangent_ = backend_.matrix(rows, levels_);
  if (known_) slopes_ = backend_.matrix(rows, dim());
}

template <class T>
void CdcField<T>::interpolate(const double* time, std::size_t rows, Form form) {
  reserve(rows);
  expect_form(Process::ou, form);
  LevelInterpolation levels;
  levels.count = levels_;
  levels.w = w_on_backend_.data();
  levels.known_reference = known_;
  levels.theta = time;
  levels.form = form;
  backend_.interpolate_levels(cotangent_.first(rows), reference_.data(), levels);
}

// out += reference weight (slope y)
template <class T>
void CdcField<T>::add_reference(MatrixView<const T> y, MatrixView<T> out) {
  if (!known_) return;
  EpilogueOperands<T> store;
  store.out[0] = slopes_.first(y.rows);
  backend_.linear({y.data, y.rows, dim(), y.stride}, packed_slope_, store);
  Combine<T> sum;
  sum.to = out;
  sum.add(out, 1).add(slopes_.first(y.rows), 1, reference_.data());
  backend_.combine(sum);
}

// G = grad F of the level, or its interpolation (docs/mathematics.md, A.5): an adjoint pass from the
// difference of two logits. The predicted noise is sigma (z - G).
template <class T>
void CdcField<T>::evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) {
  interpolate(time, y.rows, form);
  network_.forward(y, logits_.first(y.rows), Pass::gradient);
  network_.adjoint(cotangent_.first(y.rows), out, Pass::gradient);
  add_reference(y, out);
}

// docs/mathematics.md, D.2
template <class T>
void CdcField<T>::divergence(MatrixView<const T> y, const double* time, Form form,
                             const TraceEstimator& trace, MatrixView<T> out, double* divergence) {
  const std::size_t rows = y.rows, columns = trace.columns();
  interpolate(time, rows, form);
  network_.forward(y, logits_.first(rows), Pass::training);
  network_.adjoint(cotangent_.first(rows), out, Pass::training);
  add_reference(y, out);
  // the trace of the known slope needs no estimate
  backend_.fill(divergence, rows * columns, 0);
  if (known_)
    backend_.add_scaled(divergence, nullptr, rows * columns, trace_of_slope_, reference_.data(), columns);
  sampler_.add(
      trace, rows, dim(),
      [this](MatrixView<const T> direction, MatrixView<T> product) {
        network_.hessian_product(direction, product);
      },
      divergence);
}

// The Jacobian is symmetric.
template <class T>
void CdcField<T>::pull_back(MatrixView<const T> y, const double* time, Form form, MatrixView<const T> r,
                            MatrixView<T> product) {
  interpolate(time, y.rows, form);
  network_.forward(y, logits_.first(y.rows), Pass::training);
  network_.adjoint(cotangent_.first(y.rows), product, Pass::training);
  network_.hessian_product(r, product);
  add_reference(r, product);
}

template <class T>
bool CdcField<T>::describe(FusedField<T>& field) {
  field.head = FusedField<T>::Head::levels;
  field.w = w_;
  field.slope = slope_.data();
  return network_.describe(field);
}

template class CdcField<float>;
template class CdcField<double>;

}  // namespace sklar
