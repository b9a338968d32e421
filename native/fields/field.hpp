#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "backend/operations/trajectory.hpp"
#include "process/process.h"

// What a model gives to the integrators: a time-dependent field over rows of a state. Process, head and
// solver are independent choices (docs/mathematics.md, 1): a solver knows the process, never the
// head.
namespace sklar {

// How a divergence, the trace of a Jacobian A, is found (docs/mathematics.md, D.2): exactly, by one
// derivative for each column, or by random probes that stay the same along a trajectory.
struct TraceEstimator {
  enum class Kind {
    exact,
    rademacher,  // Hutchinson
    gaussian,
    hutchpp,  // exact in the range of A on a third of the probes, by Rademacher probes outside it
  };
  Kind kind = Kind::exact;
  std::size_t probes = 0;  // products with A; of hutchpp a multiple of 3
  std::uint64_t seed = 0, first_row = 0;

  // Independent estimates for each row, of which the mean is taken.
  std::size_t columns() const {
    return kind == Kind::exact ? 1 : kind == Kind::hutchpp ? probes / 3 : probes;
  }
};

template <class T>
class Field {
 public:
  virtual ~Field() = default;
  virtual Process process() const = 0;
  virtual std::size_t dim() const = 0;
  // Rows that one call should be given at most: bounds the workspaces.
  virtual std::size_t batch_rows() const = 0;

  // out = the field in `form` at y (rows x dim and a column of ones); one time for each row (backend memory).
  // A form that does not belong to the process, or that is infinite at a given time, throws Error("VALUE").
  virtual void evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) = 0;
  // The same, and divergence[i] = sum_j d out_ij / dy_ij (backend memory, rows x trace.columns()).
  virtual void divergence(MatrixView<const T> y, const double* time, Form form, const TraceEstimator& trace,
                          MatrixView<T> out, double* divergence) = 0;
  // product = the transposed Jacobian of the field in y times r; r: rows x dim and a column of zeros.
  virtual void pull_back(MatrixView<const T> /*y*/, const double* /*time*/, Form, MatrixView<const T> /*r*/,
                         MatrixView<T> /*product*/) {
    throw Error("VALUE", "the field knows no products with its transposed Jacobian");
  }
  // Of a field that is known as the gradient of F = log c_t up to a constant: values[i] = F (host memory),
  // the gradient as `evaluate` gives it, at one time; null and an empty gradient are not wanted.
  virtual void potential(MatrixView<const T> /*y*/, double /*time*/, double* /*values*/,
                         MatrixView<T> /*gradient*/) {
    throw Error("VALUE", "a field has no density at its noise levels");
  }
  // What a device must know to evaluate the field in the middle of an operation of its own; false: it is of
  // no kind that a device knows.
  virtual bool describe(FusedField<T>&) { return false; }
};

const char* name_of(Process process);
// Throws Error("VALUE") unless its name is one.
Process process_of(const std::string& name);
// The same unless fields of the process have the form.
void expect_form(Process process, Form form);

}  // namespace sklar
