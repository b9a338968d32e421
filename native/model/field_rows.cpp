#include "model/field_rows.hpp"

#include <algorithm>
#include <cmath>

#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/linear/symmetric.hpp"
#include "core/random/philox.h"

namespace sklar {
namespace {

// y = the states of dense rows of the host (docs/mathematics.md, A.2)
template <class T>
void to_states(Backend<T>& backend, Process process, MatrixView<T> y, const double* x, const RowScale& scale,
               double* quadratic) {
  if (on_cube(process))
    backend.to_cube(y, x, scale.from_gaussian);
  else
    backend.whiten(y, x, scale.from_gaussian, scale.cholesky, quadratic);
}

template <class T>
void to_rows(Backend<T>& backend, Process process, double* out, MatrixView<const T> y,
             const RowScale& scale) {
  if (on_cube(process))
    backend.from_cube(out, y, scale.to_gaussian, scale.maps);
  else
    backend.colour(out, y, scale.to_gaussian, scale.cholesky, scale.maps);
}

// Standard normal, or the same draws on the copula scale.
template <class T>
void draw_reference(Backend<T>& backend, Process process, MatrixView<T> y, std::uint64_t seed,
                    std::uint64_t first_row) {
  const std::size_t d = y.columns - 1;
  backend.fill_column(y, d, 1);
  const MatrixView<T> inner{y.data, y.rows, d, y.stride};
  backend.normals(inner, seed, first_row, 0, kTagSampleStart);
  if (on_cube(process)) backend.to_uniform(inner);
}

// With the states of rows that diverge; body: the integration of y
template <class T, class Body>
void with_states(Backend<T>& backend, Process process, MatrixView<const T> y, std::uint64_t first_row,
                 const RowScale& scale, Body&& body) {
  try {
    body();
  } catch (Diverged& error) {
    add_states(error, backend, process, y, first_row, scale);
    throw;
  }
}

// A state may be finite where the integral of its divergence is not.
void check_densities(const double* log_pdf, std::size_t rows, std::uint64_t first_row, double time) {
  LastGoodState state;
  for (std::size_t i = 0; i < rows; ++i)
    if (!std::isfinite(log_pdf[i])) state.rows.push_back(first_row + i);
  if (state.rows.empty()) return;
  state.times.assign(state.rows.size(), time);
  const std::string message =
      "the log density left the finite numbers in " + std::to_string(state.rows.size()) +
      (state.rows.size() == 1 ? " row" : " rows") + ", first in row " + std::to_string(state.rows[0]);
  throw Diverged(message, std::move(state));
}

}  // namespace

template <class T>
void add_states(Diverged& error, Backend<T>& backend, Process process, MatrixView<const T> y,
                std::uint64_t first_row, const RowScale& scale) {
  const std::size_t d = y.columns - 1;
  std::vector<double> all(y.rows * d);
  to_rows<T>(backend, process, all.data(), y, {scale.cholesky, nullptr, false, scale.to_gaussian});
  for (const std::uint64_t row : error.state.rows) {
    const double* values = &all[(row - first_row) * d];
    error.state.values.insert(error.state.values.end(), values, values + d);
  }
}

template <class T>
SolverStatistics sample_field(Backend<T>& backend, Field<T>& field, const SolverOptions& options,
                              const RowScale& scale, const double* start, std::size_t rows, double* out,
                              const CancelFlag& cancel, const Fraction& progress) {
  SolverStatistics statistics;
  const std::size_t d = field.dim(), batch = std::min(field.batch_rows(), rows);
  if (start) check_rows(start, scale.from_gaussian, rows, d);
  if (rows == 0) return statistics;
  const Matrix<T> y = backend.matrix(batch, d + 1);
  SolverOptions part = options;
  in_batches(rows, batch, cancel, progress, [&](std::size_t first, std::size_t count) {
    part.first_row = options.first_row + first;
    if (start)
      to_states(backend, field.process(), y.first(count), start + first * d, scale, nullptr);
    else
      draw_reference(backend, field.process(), y.first(count), options.seed, part.first_row);
    with_states<T>(backend, field.process(), y.first(count), part.first_row, scale,
                   [&] { statistics.add(integrate(backend, field, part, y.first(count), nullptr, cancel)); });
    to_rows<T>(backend, field.process(), out + first * d, y.first(count), scale);
  });
  return statistics;
}

template <class T>
SolverStatistics flow_log_pdf(Backend<T>& backend, Field<T>& field, const SolverOptions& options,
                              const RowScale& scale, const double* x, std::size_t rows,
                              const FlowLikelihood& out, const CancelFlag& cancel, const Fraction& progress) {
  SolverStatistics statistics;
  const std::size_t d = field.dim(), batch = std::min(field.batch_rows(), rows);
  check_rows(x, scale.from_gaussian, rows, d);
  if (rows == 0) return statistics;
  const bool whitened = !on_cube(field.process());
  const double half = scale.cholesky ? half_log_determinant(scale.cholesky, d) : 0;

  DivergenceIntegral integral;
  integral.trace = out.trace;
  const std::size_t columns = integral.columns();
  const Matrix<T> y = backend.matrix(batch, d + 1);
  const Buffer<double> total = backend.template buffer<double>(batch * columns);
  const Buffer<double> norms = backend.template buffer<double>(batch);
  integral.total = total.data();
  std::vector<double> host(batch * columns), before(batch), after(batch);
  SolverOptions part = options;
  in_batches(rows, batch, cancel, progress, [&](std::size_t first, std::size_t count) {
    const MatrixView<T> inner{y.data(), count, d, y.stride()};
    part.first_row = options.first_row + first;
    integral.trace.first_row = out.trace.first_row + first;
    to_states(backend, field.process(), y.first(count), x + first * d, scale, out.log_pdf + first);
    backend.row_dots(norms.data(), 1, inner, inner, false);
    backend.download(before.data(), norms.data(), count * sizeof(double));
    backend.clear(total.data(), count * columns * sizeof(double));
    with_states<T>(backend, field.process(), y.first(count), part.first_row, scale, [&] {
      statistics.add(integrate(backend, field, part, y.first(count), &integral, cancel));
      backend.row_dots(norms.data(), 1, inner, inner, false);
      backend.download(after.data(), norms.data(), count * sizeof(double));
      backend.download(host.data(), total.data(), count * columns * sizeof(double));
      for (std::size_t i = 0; i < count; ++i) {
        double sum = 0, squares = 0;
        for (std::size_t k = 0; k < columns; ++k) sum += host[i * columns + k];
        const double mean = sum / static_cast<double>(columns);
        for (std::size_t k = 0; k < columns; ++k) {
          const double off = host[i * columns + k] - mean;
          squares += off * off;
        }
        // log N(y_T) + integral is the density of y; that of z over independence follows (A.2)
        const double own = whitened ? out.log_pdf[first + i] + 0.5 * (before[i] - after[i]) - half : 0;
        out.log_pdf[first + i] = own + mean;
        if (out.standard_error)
          out.standard_error[first + i] =
              columns > 1 ? std::sqrt(squares / static_cast<double>(columns * (columns - 1))) : 0;
      }
      check_densities(out.log_pdf + first, count, part.first_row, options.nodes.back());
    });
    if (out.end) to_rows<T>(backend, field.process(), out.end + first * d, y.first(count), scale);
  });
  return statistics;
}

// docs/mathematics.md, A.11
template <class T>
void potential_log_pdf(Backend<T>& backend, Field<T>& field, double time, const RowScale& scale,
                       const double* x, std::size_t rows, double* out, const CancelFlag& cancel,
                       const Fraction& progress) {
  const std::size_t d = field.dim(), batch = std::min(field.batch_rows(), rows);
  check_rows(x, scale.from_gaussian, rows, d);
  if (rows == 0) return;
  const double half = scale.cholesky ? half_log_determinant(scale.cholesky, d) : 0;
  const Matrix<T> y = backend.matrix(batch, d + 1);
  std::vector<double> guide(batch);
  in_batches(rows, batch, cancel, progress, [&](std::size_t first, std::size_t count) {
    to_states(backend, field.process(), y.first(count), x + first * d, scale, guide.data());
    field.potential(y.first(count), time, out + first, {});
    if (!scale.cholesky) return;
    for (std::size_t i = 0; i < count; ++i) out[first + i] += guide[i] - half;
  });
}

#define SKLAR_INSTANTIATE(T)                                                                            \
  template void add_states(Diverged&, Backend<T>&, Process, MatrixView<const T>, std::uint64_t,         \
                           const RowScale&);                                                            \
  template SolverStatistics sample_field(Backend<T>&, Field<T>&, const SolverOptions&, const RowScale&, \
                                         const double*, std::size_t, double*, const CancelFlag&,        \
                                         const Fraction&);                                              \
  template SolverStatistics flow_log_pdf(Backend<T>&, Field<T>&, const SolverOptions&, const RowScale&, \
                                         const double*, std::size_t, const FlowLikelihood&,             \
                                         const CancelFlag&, const Fraction&);                           \
  template void potential_log_pdf(Backend<T>&, Field<T>&, double, const RowScale&, const double*,       \
                                  std::size_t, double*, const CancelFlag&, const Fraction&);
SKLAR_INSTANTIATE(float)
SKLAR_INSTANTIATE(double)
#undef SKLAR_INSTANTIATE

}  // namespace sklar
