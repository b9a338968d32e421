#pragma once

#include "integrate/solver.hpp"

// Whole tables through an integrator, in batches: from rows of the host to states of a field and back.
namespace sklar {

// How the states of a field stand to rows. On the Gaussian scale z = L y, mapped column by column; on the
// cube the state is the row on the copula scale.
struct RowScale {
  const double* cholesky = nullptr;  // dim x dim; null: z = y
  const MarginMaps* maps = nullptr;  // of results, on the Gaussian scale; null: none
  bool from_gaussian = false,
       to_gaussian = false;  // scales of the rows that go in and come out; else copula scale
};

// Adds to the error of an integration the states of its rows, as rows of the caller. y: what was integrated,
// row 0 being `first_row` of the stream.
template <class T>
void add_states(Diverged& error, Backend<T>& backend, Process process, MatrixView<const T> y,
                std::uint64_t first_row, const RowScale& scale);

// Both throw Diverged, with values on the scale that rows come out at, without margin maps.

// Rows from the reference to data. start: rows x dim, or null: draws of the reference, the same for every
// process. out: rows x dim.
template <class T>
SolverStatistics sample_field(Backend<T>& backend, Field<T>& field, const SolverOptions& options,
                              const RowScale& scale, const double* start, std::size_t rows, double* out,
                              const CancelFlag& cancel, const Fraction& progress);

// Rows from data to the reference, and the log density of the copula at data (docs/mathematics.md, D.1;
// normalised, the law at the last node taken to be the reference's).
struct FlowLikelihood {
  TraceEstimator trace;
  double* end = nullptr;             // rows x dim: where they arrive
  double* log_pdf = nullptr;         // rows
  double* standard_error = nullptr;  // rows, of log_pdf by its probes; 0 for one estimate; null: not wanted
};
template <class T>
SolverStatistics flow_log_pdf(Backend<T>& backend, Field<T>& field, const SolverOptions& options,
                              const RowScale& scale, const double* x, std::size_t rows,
                              const FlowLikelihood& out, const CancelFlag& cancel, const Fraction& progress);

// log c_t of rows at a time, by a field that is known as a gradient, up to the model's normaliser
// (docs/mathematics.md, A.2). out: rows
template <class T>
void potential_log_pdf(Backend<T>& backend, Field<T>& field, double time, const RowScale& scale,
                       const double* x, std::size_t rows, double* out, const CancelFlag& cancel,
                       const Fraction& progress);

}  // namespace sklar
