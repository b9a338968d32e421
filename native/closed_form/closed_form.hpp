#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/threads/cancel.hpp"
#include "fields/field.hpp"

// Copulas whose density, field and draws are known exactly at every time of a process (docs/mathematics.md,
// H): truth for solvers, estimators and models. Everything is computed in double, row by row.
namespace sklar {

// F_t = log c_t and its derivatives at one row and time, after `set`. The slope is what stays finite and
// differentiable at every time: dz/dw = grad F / (2 w) of ou, at theta = pi / 2 its limit (R_N - I) z / 2;
// grad F of reflection, D grad F of jacobi.
class ClosedFormRow {
 public:
  virtual ~ClosedFormRow() = default;
  // a time of the process; x on the Gaussian scale for ou, else in [0, 1]^d
  virtual void set(double time, const double* x) = 0;
  virtual double value() const = 0;
  virtual void slope(double* out) const = 0;
  // of the Jacobian of the slope
  virtual double trace() const = 0;
  virtual void jacobian_times(const double* v, double* out) const = 0;
};

class ClosedForm {
 public:
  virtual ~ClosedForm() = default;
  virtual std::size_t dim() const = 0;
  // Whether the family is closed under the process.
  virtual bool has(Process process) const = 0;
  void expect(Process process) const;  // throws Error("VALUE") unless it is
  // Scratch and state of one row at a time: one for each thread. The same of the process.
  std::unique_ptr<ClosedFormRow> row(Process process) const {
    expect(process);
    return make_row(process);
  }
  // Row `row` of the sample of `seed`, on the Gaussian scale.
  virtual void draw(std::uint64_t seed, std::uint64_t row, double* z) const = 0;
  // log c at one row of data, on either scale
  virtual double log_density(const double* x, bool from_gaussian) const = 0;

 protected:
  virtual std::unique_ptr<ClosedFormRow> make_row(Process process) const = 0;
};

// H.2: sum_m weight_m N(0, R_m), correlation matrices R_m, on the Gaussian scale. One component is the
// Gaussian copula, H.1. Closed under ou. Throws Error("VALUE") where a matrix is not positive definite.
std::shared_ptr<const ClosedForm> make_mixture(const std::vector<double>& weights,
                                               const std::vector<std::vector<double>>& correlations,
                                               std::size_t dim);

// H.3: c = 1 + theta prod_{i in columns} (1 - 2 u_i), |theta| <= 1. Closed under ou, reflection and
// jacobi.
std::shared_ptr<const ClosedForm> make_fgm(std::size_t dim, double theta, std::vector<std::size_t> columns);

// H.4: c = 1 + sum_m amplitude_m prod_i cos(pi k_mi u_i); frequencies: terms x dim, each with two entries at
// least that are not 0; sum |amplitude| <= 1. Closed under reflection.
std::shared_ptr<const ClosedForm> make_cosine(std::size_t dim, std::vector<double> amplitudes,
                                              std::vector<std::uint32_t> frequencies);

// Rows first_row.. of the sample of `seed`, rows x dim, dense. Exact draws, each from its own row number
// alone.
void closed_form_sample(const ClosedForm& copula, std::size_t threads, std::size_t rows, std::uint64_t seed,
                        std::uint64_t first_row, bool to_gaussian, double* out, const CancelFlag& cancel);

// The exact log density at rows of u (or of z, with from_gaussian), dense.
void closed_form_log_pdf(const ClosedForm& copula, std::size_t threads, const double* x, bool from_gaussian,
                         std::size_t rows, double* out, const CancelFlag& cancel);

// The field of the copula under the process, for the integrators.
template <class T>
std::unique_ptr<Field<T>> make_closed_form_field(Backend<T>& backend,
                                                 std::shared_ptr<const ClosedForm> copula, Process process);

}  // namespace sklar
