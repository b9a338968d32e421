#include "closed_form/closed_form.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/normal.h"
#include "core/threads/row_loop.hpp"
#include "fields/trace.hpp"

namespace sklar {
namespace {

// body(row) for all rows, in any order
template <class Body>
void for_rows(std::size_t threads, std::size_t rows, const CancelFlag& cancel, Body&& body) {
  ThreadPool pool(threads);
  for_row_chunks(pool, rows, cancel, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) body(i);
  });
}

template <class T>
class ClosedFormField final : public Field<T> {
 public:
  ClosedFormField(Backend<T>& backend, std::shared_ptr<const ClosedForm> copula, Process process)
      : backend_(backend),
        copula_(std::move(copula)),
        process_(process),
        row_(copula_->row(process)),
        sampler_(backend) {}

  Process process() const override { return process_; }
  std::size_t dim() const override { return copula_->dim(); }
  std::size_t batch_rows() const override { return 4096; }

  void evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) override {
    std::vector<double> slope(dim());
    std::vector<T> host(y.rows * dim());
    for_each(y, time, [&](std::size_t i, double t) {
      row_->slope(slope.data());
      store(slope, scale(form, t), &host[i * dim()]);
    });
    backend_.upload_matrix(out, host.data());
  }

  void divergence(MatrixView<const T> y, const double* time, Form form, const TraceEstimator& trace,
                  MatrixView<T> out, double* divergence) override {
    if (trace.kind != TraceEstimator::Kind::exact) {
      evaluate(y, time, form, out);
      backend_.clear(divergence, y.rows * trace.columns() * sizeof(double));
      sampler_.add(
          trace, y.rows, dim(),
          [&](MatrixView<const T> direction, MatrixView<T> product) {
            multiply(y, time, form, direction, product);
          },
          divergence);
      return;
    }
    std::vector<double> slope(dim()), result(y.rows);
    std::vector<T> host(y.rows * dim());
    for_each(y, time, [&](std::size_t i, double t) {
      const double factor = scale(form, t);
      row_->slope(slope.data());
      store(slope, factor, &host[i * dim()]);
      result[i] = factor * row_->trace();
    });
    backend_.upload_matrix(out, host.data());
    backend_.upload(divergence, result.data(), result.size() * sizeof(double));
  }

  void pull_back(MatrixView<const T> y, const double* time, Form form, MatrixView<const T> r,
                 MatrixView<T> product) override {
    // the slope of jacobi is D grad F, whose Jacobian is not symmetric
    if (process_ == Process::jacobi) return Field<T>::pull_back(y, time, form, r, product);
    multiply(y, time, form, r, product);
  }

 private:
  // From the slope of ClosedFormRow to the form.
  double scale(Form form, double time) const {
    expect_form(process_, form);
    return with_process(process_, [&](auto p) { return p.over_slope(form, time); });
  }

  // product = the Jacobian times the direction
  void multiply(MatrixView<const T> y, const double* time, Form form, MatrixView<const T> direction,
                MatrixView<T> product) {
    const std::size_t d = dim();
    std::vector<T> host(direction.rows * direction.columns), result(y.rows * d);
    std::vector<double> along(d), image(d);
    backend_.download_matrix(host.data(), direction);
    for_each(y, time, [&](std::size_t i, double t) {
      for (std::size_t j = 0; j < d; ++j) along[j] = static_cast<double>(host[i * direction.columns + j]);
      row_->jacobian_times(along.data(), image.data());
      store(image, scale(form, t), &result[i * d]);
    });
    backend_.upload_matrix(product, result.data());
  }

  static void store(const std::vector<double>& slope, double factor, T* to) {
    for (std::size_t j = 0; j < slope.size(); ++j) to[j] = static_cast<T>(factor * slope[j]);
  }

  // body(row, time) with row_ set to it
  template <class Body>
  void for_each(MatrixView<const T> y, const double* time, Body&& body) {
    const std::size_t d = dim();
    std::vector<T> rows(y.rows * y.columns);
    std::vector<double> times(y.rows), x(d);
    backend_.download_matrix(rows.data(), y);
    backend_.download(times.data(), time, times.size() * sizeof(double));
    for (std::size_t i = 0; i < y.rows; ++i) {
      for (std::size_t j = 0; j < d; ++j) x[j] = static_cast<double>(rows[i * y.columns + j]);
      row_->set(times[i], x.data());
      body(i, times[i]);
    }
  }

  Backend<T>& backend_;
  std::shared_ptr<const ClosedForm> copula_;
  Process process_;
  std::unique_ptr<ClosedFormRow> row_;
  TraceSampler<T> sampler_;
};

}  // namespace

void ClosedForm::expect(Process process) const {
  if (!has(process))
    throw Error("VALUE", std::string("the family is not closed under the ") + name_of(process) + " process");
}

void closed_form_sample(const ClosedForm& copula, std::size_t threads, std::size_t rows, std::uint64_t seed,
                        std::uint64_t first_row, bool to_gaussian, double* out, const CancelFlag& cancel) {
  const std::size_t d = copula.dim();
  for_rows(threads, rows, cancel, [&](std::size_t i) {
    double* z = out + i * d;
    copula.draw(seed, first_row + i, z);
    if (!to_gaussian)
      for (std::size_t j = 0; j < d; ++j) z[j] = normal_cdf(z[j]);
  });
}

void closed_form_log_pdf(const ClosedForm& copula, std::size_t threads, const double* x, bool from_gaussian,
                         std::size_t rows, double* out, const CancelFlag& cancel) {
  for_rows(threads, rows, cancel,
           [&](std::size_t i) { out[i] = copula.log_density(x + i * copula.dim(), from_gaussian); });
}

template <class T>
std::unique_ptr<Field<T>> make_closed_form_field(Backend<T>& backend,
                                                 std::shared_ptr<const ClosedForm> copula, Process process) {
  return std::make_unique<ClosedFormField<T>>(backend, std::move(copula), process);
}

template std::unique_ptr<Field<float>> make_closed_form_field(Backend<float>&,
                                                              std::shared_ptr<const ClosedForm>, Process);
template std::unique_ptr<Field<double>> make_closed_form_field(Backend<double>&,
                                                               std::shared_ptr<const ClosedForm>, Process);

}  // namespace sklar
