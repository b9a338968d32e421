// Fields of process/field.hpp evaluated at rows of the host, and means with their standard errors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "closed_form/closed_form.hpp"

namespace field_values {

using Vector = std::vector<double>;

struct Result {
  Vector values, divergence, log_density;
};

// A closed-form copula's field on a backend of its own.
template <class T = double>
class Probe {
 public:
  Probe(std::shared_ptr<const sklar::ClosedForm> copula, sklar::Process process)
      : backend_(sklar::make_cpu_backend<T>(1)),
        row_(copula->row(process)),
        field_(sklar::make_closed_form_field<T>(*backend_, std::move(copula), process)) {}

  sklar::Field<T>& field() { return *field_; }

  // time: one for each row
  Result at(const Vector& rows, const Vector& time, sklar::Form form,
            const sklar::TraceEstimator& trace = {}) {
    const std::size_t d = field_->dim(), n = time.size(), columns = trace.columns();
    sklar::Matrix<T> y = backend_->matrix(n, d + 1), out = backend_->matrix(n, d),
                     again = backend_->matrix(n, d);
    std::vector<T> host(n * (d + 1), T(1));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < d; ++j) host[i * (d + 1) + j] = static_cast<T>(rows[i * d + j]);
    backend_->upload_matrix(y, host.data());
    auto times = backend_->template buffer<double>(n),
         numbers = backend_->template buffer<double>(n * columns);
    backend_->upload(times.data(), time.data(), n * sizeof(double));
    Result r{Vector(n * d), Vector(n * columns), Vector(n)};
    std::vector<T> values(n * d), same(n * d);
    field_->evaluate(y, times.data(), form, out);
    backend_->download_matrix(values.data(), out);
    field_->divergence(y, times.data(), form, trace, again, numbers.data());
    backend_->download_matrix(same.data(), again);
    agree = agree && values == same;
    r.values.assign(values.begin(), values.end());
    backend_->download(r.divergence.data(), numbers.data(), n * columns * sizeof(double));
    std::vector<double> x(d);
    for (std::size_t i = 0; i < n; ++i) {
      std::copy_n(host.begin() + static_cast<std::ptrdiff_t>(i * (d + 1)), d, x.begin());
      row_->set(time[i], x.data());
      r.log_density[i] = row_->value();
    }
    return r;
  }
  Result at(const Vector& rows, double time, sklar::Form form, const sklar::TraceEstimator& trace = {}) {
    return at(rows, Vector(rows.size() / field_->dim(), time), form, trace);
  }

  bool agree = true;  // evaluate and divergence gave the same field every time

 private:
  std::unique_ptr<sklar::Backend<T>> backend_;
  std::unique_ptr<sklar::ClosedFormRow> row_;
  std::unique_ptr<sklar::Field<T>> field_;
};

struct Mean {
  double n = 0, sum = 0, squares = 0;
  void add(double x) {
    n += 1;
    sum += x;
    squares += x * x;
  }
  double mean() const { return sum / n; }
  double variance() const { return squares / n - mean() * mean(); }
  double error() const { return std::sqrt(variance() / n); }
};

inline Vector draw(const sklar::ClosedForm& copula, std::size_t rows, std::uint64_t seed, bool to_gaussian,
                   std::uint64_t first = 0, std::size_t threads = 1) {
  Vector out(rows * copula.dim());
  sklar::closed_form_sample(copula, threads, rows, seed, first, to_gaussian, out.data(), sklar::CancelFlag());
  return out;
}

}  // namespace field_values
