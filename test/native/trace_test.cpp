// Estimates of the trace of a Jacobian, by the fields that the solvers take (docs/mathematics.md, D.2; number
// 20 of the table in I).
#include "fields/trace.hpp"
#include "core/random/philox.h"
#include "field_values.hpp"
#include "model/cdc.hpp"
#include "support.hpp"

using namespace support;
using Kind = TraceEstimator::Kind;

namespace {

constexpr std::uint64_t seed = 92;

// 2 (|A|^2 - sum a_ii^2) and 2 |A|^2 of a symmetric matrix: the variances of one probe
double rademacher_variance(const Square& a) {
  double sum = 0;
  for (std::size_t i = 0; i < a.dim; ++i)
    for (std::size_t j = 0; j < a.dim; ++j) sum += i == j ? 0 : 2 * a(i, j) * a(i, j);
  return sum;
}
double gaussian_variance(const Square& a) {
  double sum = 0;
  for (double x : a.data) sum += 2 * x * x;
  return sum;
}

// P A P, P the projection on what is orthogonal to A times the vectors
Square outside_range(const Square& a, const std::vector<Vector>& vectors) {
  const std::size_t d = a.dim;
  Square p = closed_form::identity(d);
  for (const Vector& v : vectors) {
    const Vector q = closed_form::apply(p, closed_form::apply(a, v.data()).data());
    double square = 0;
    for (double x : q) square += x * x;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j) p(i, j) -= q[i] * q[j] / square;
  }
  return closed_form::multiply(p, closed_form::multiply(a, p));
}

// The mean variance of one estimate of hutch++ for rows 0, 1, ..., each with a sketch of its own.
double sketched_variance(const Square& a, std::size_t vectors, std::size_t rows) {
  const auto backend = make_cpu_backend<double>(1);
  const Matrix<double> normals = backend->matrix(rows, a.dim);
  std::vector<std::vector<Vector>> sketch(rows);
  for (std::size_t k = 0; k < vectors; ++k) {
    backend->normals(normals, seed, 0, k, kTagTraceSketch);
    for (std::size_t i = 0; i < rows; ++i)
      sketch[i].emplace_back(normals.view().row(i), normals.view().row(i) + a.dim);
  }
  double sum = 0;
  for (const auto& s : sketch) sum += rademacher_variance(outside_range(a, s));
  return sum / static_cast<double>(rows);
}

// The field's Jacobian is `a` at `point`: every row stands there, with probes of its own.
template <class T>
void check_variances(Backend<T>& backend, Field<T>& field, const Vector& point, Form form, const Square& a,
                     std::size_t rows) {
  const std::size_t d = a.dim;
  Vector all;
  for (std::size_t i = 0; i < rows; ++i) all.insert(all.end(), point.begin(), point.end());
  const Matrix<T> y = on_backend(backend, all, d, true), out = backend.matrix(rows, d);
  const Vector time(rows, 0.0);
  const struct {
    TraceEstimator trace;
    double variance;
  } cases[] = {{{Kind::rademacher, 8, seed, 0}, rademacher_variance(a)},
               {{Kind::gaussian, 8, seed, 0}, gaussian_variance(a)},
               {{Kind::hutchpp, 12, seed, 0}, sketched_variance(a, 4, rows)}};
  for (const auto& c : cases) {
    Vector estimates(rows * c.trace.columns());
    field.divergence(y, time.data(), form, c.trace, out, estimates.data());
    field_values::Mean mean, square;
    for (double value : estimates) {
      mean.add(value);
      square.add((value - closed_form::trace(a)) * (value - closed_form::trace(a)));
    }
    CHECK_NEAR(mean.mean(), closed_form::trace(a), 4 * mean.error());
    CHECK_NEAR(square.mean(), c.variance, 0.1 * c.variance);
  }
}

// G = (I - R^-1) z at data
Square jacobian_at_data(const Square& r) {
  return closed_form::combine(1, closed_form::identity(r.dim), -1, closed_form::inverse(r));
}

template <class T>
void check_gaussian_copula(std::size_t d, double rho, std::size_t rows) {
  const Square r = closed_form::equicorrelation(d, rho);
  const auto backend = make_cpu_backend<T>(2);
  const auto field = make_closed_form_field<T>(*backend, make_mixture({1}, {r.data}, d), Process::ou);
  check_variances<T>(*backend, *field, closed_form::normals(1, d, 91), Form::gradient, jacobian_at_data(r),
                     rows);
}

}  // namespace

TEST_CASE("20: variances of traces, of the Jacobians of Gaussian copulas") {
  check_gaussian_copula<double>(16, 0.7, 3000);
  check_gaussian_copula<double>(16, -0.05, 3000);
  check_gaussian_copula<float>(16, 0.7, 3000);
}

TEST_CASE("20: variances of traces, of a network's Hessian") {
  const OuLevels levels = published_levels();
  CdcDefinition definition;
  definition.network = {6, 24, 2, levels.count(), Activation::silu};
  definition.times = levels.time;
  const auto slices = residual_mlp_slices(definition.network);
  Vector parameters = closed_form::normals(slices.back().offset + slices.back().rows, 1, 77);
  for (double& x : parameters) x *= 0.4;
  const auto backend = make_cpu_backend<double>(2);
  Cdc<double> model(*backend, definition, parameters);
  const Vector point = closed_form::normals(1, 6, 78);
  const Matrix<double> y = on_backend(*backend, point, 6, true), direction = backend->matrix(1, 7),
                       product = backend->matrix(1, 6);
  Square hessian(6);
  for (std::size_t j = 0; j < 6; ++j) {
    next_unit_vectors(*backend, direction, 1, j);
    model.hessian_product(y, 0, direction, product);
    for (std::size_t i = 0; i < 6; ++i) hessian(i, j) = product.view().row(0)[i];
  }
  check_variances<double>(*backend, model.continuous_field(), point, Form::gradient, hessian, 3000);
}

TEST_CASE("of equicorrelated columns Rademacher probes are the best, as the variances say") {
  const Square a = jacobian_at_data(closed_form::equicorrelation(64, 0.7));
  CHECK_NEAR(rademacher_variance(a), 21.6, 0.05);
  CHECK_NEAR(gaussian_variance(a), 688, 0.5);
  // of twelve products
  CHECK_NEAR(std::sqrt(sketched_variance(a, 4, 40) / 4), 3.8, 0.2);
  CHECK_NEAR(std::sqrt(rademacher_variance(a) / 12), 1.34, 0.01);
}

// Products of a matrix, the same for every row.
template <class T>
void check_low_rank(double tolerance) {
  const std::size_t d = 20, rows = 30;
  const Vector v = closed_form::normals(d, 3, 5);
  const auto backend = make_cpu_backend<T>(2);
  for (const bool symmetric : {true, false}) {
    Square a(d);
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j)
        for (std::size_t k = 0; k < 2; ++k) a(i, j) += v[3 * i + k] * v[3 * j + (symmetric ? k : k + 1)];
    TraceSampler<T> sampler(*backend);
    const auto product = [&](MatrixView<const T> direction, MatrixView<T> products) {
      CHECK_EQUAL(direction.columns, d + 1);
      for (std::size_t i = 0; i < rows; ++i) {
        CHECK_EQUAL(direction.row(i)[d], T(0));
        const Vector image = closed_form::apply(a, Vector(direction.row(i), direction.row(i) + d).data());
        std::copy(image.begin(), image.end(), products.row(i));
      }
    };
    // as many sketch vectors as the rank, more, and more than columns
    for (const std::size_t vectors : {2, 5, 25}) {
      Vector sum(rows * vectors, 100.0);
      sampler.add({Kind::hutchpp, 3 * vectors, seed, 0}, rows, d, product, sum.data());
      for (double x : sum) CHECK_NEAR(x, 100 + closed_form::trace(a), tolerance);
    }
    // rows keep their probes wherever they stand
    Vector one(rows * 2, 0.0), other(rows * 2, 0.0);
    sampler.add({Kind::hutchpp, 3, seed, 0}, rows, d, product, one.data());
    sampler.add({Kind::hutchpp, 3, seed, 7}, rows, d, product, other.data());
    for (std::size_t i = 0; i + 7 < rows; ++i) CHECK_EQUAL(one[i + 7], other[i]);
  }
}

TEST_CASE("hutch++ is exact for a matrix of low rank") {
  check_low_rank<double>(1e-10);
  check_low_rank<float>(1e-3);
}
