// A classification-diffusion copula as a field of continuous time, with the derivatives that its likelihood
// needs.
#include "integrate/steps/clock.hpp"
#include "model/cdc.hpp"
#include "model/field_rows.hpp"
#include "support.hpp"

using namespace support;

namespace {

template <class T>
std::vector<T> parameters_of(const CdcDefinition& definition) {
  const auto slices = residual_mlp_slices(definition.network);
  const std::size_t count = slices.back().offset + slices.back().rows;
  const Vector normals = closed_form::normals(count, 1, 77);
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(0.3 * normals[i]);
  return values;
}

CdcDefinition definition3(const OuLevels& levels, bool known, std::size_t hidden = 20,
                          Activation activation = Activation::silu) {
  CdcDefinition definition;
  definition.network = {3, hidden, 3, levels.count(), activation};
  definition.times = levels.time;
  if (known) definition.correlation = gaussian3.correlation().data;
  return definition;
}

}  // namespace

TEST_CASE("at a level the field is that level's, in every form") {
  const std::size_t rows = 30;
  const Vector z = closed_form::normals(rows, 3, 31);
  for (bool pure : {true, false}) {
    const OuLevels levels = uniform_levels(10, pure ? 0 : std::exp(-6.0));
    const auto backend = make_cpu_backend<double>(2);
    const CdcDefinition definition = definition3(levels, pure);
    Cdc<double> model(*backend, definition, parameters_of<double>(definition));
    const Matrix<double> y = on_backend(*backend, z, 3, true), out = backend->matrix(rows, 3);
    const Square limit = closed_form::combine(0.5, gaussian3.correlation(), -0.5, closed_form::identity(3));
    for (std::size_t k = 0; k <= levels.last(); ++k) {
      const bool last = k == levels.last();
      const std::size_t lender = last ? k - 1 : k;
      Vector g(rows * 3);
      model.field(z.data(), rows, lender, g.data(), {});
      const double theta = OuProcess::angle(levels.time[k]), alpha = OuProcess::alpha(theta);
      const Vector time(rows, theta);
      const struct {
        Form form;
        double scale;
      } forms[] = {{Form::gradient, 2 * alpha * alpha},
                   {Form::slope_w, 1},
                   {Form::slope_alpha, 2 * alpha},
                   {Form::slope_theta, -2 * alpha * std::sin(theta)}};
      for (const auto& f : forms) {
        model.continuous_field().evaluate(y, time.data(), f.form, out);
        Vector expected = last && pure ? apply_to_rows(limit, z) : g;
        for (double& x : expected) x *= f.scale / (last && pure ? 1 : 2 * levels.w[lender]);
        CHECK(largest_difference(on_host<double>(*backend, out), expected) < 1e-10);
      }
    }
    const Vector time(rows, 0.3);
    CHECK_THROWS(model.continuous_field().evaluate(y, time.data(), Form::velocity, out), Error,
                 error.code() == "VALUE");
  }
}

TEST_CASE(
    "at the levels the field is the gradient of the log density, and dz/dw is linear in w between levels") {
  const std::size_t rows = 20;
  const OuLevels levels = uniform_levels(6, 0);
  const auto backend = make_cpu_backend<double>(2);
  const CdcDefinition definition = definition3(levels, true);
  Cdc<double> model(*backend, definition, parameters_of<double>(definition));
  auto& field = model.continuous_field();
  const Vector z = closed_form::normals(rows, 3, 32);
  const Matrix<double> y = on_backend(*backend, z, 3, true), out = backend->matrix(rows, 3);
  for (std::size_t k = 0; k < levels.last(); ++k) {
    const Vector time(rows, OuProcess::angle(levels.time[k]));
    field.evaluate(y, time.data(), Form::gradient, out);
    const Vector g = on_host<double>(*backend, out);
    for (std::size_t j = 0; j < 3; ++j) {
      Vector above(rows), up(rows), down(rows), moved = z;
      const double h = 1e-4;
      for (std::size_t i = 0; i < rows; ++i) moved[3 * i + j] = z[3 * i + j] + h;
      model.bridge(on_backend(*backend, moved, 3, true), k, 0, above.data(), up.data(), {});
      for (std::size_t i = 0; i < rows; ++i) moved[3 * i + j] = z[3 * i + j] - h;
      model.bridge(on_backend(*backend, moved, 3, true), k, 0, above.data(), down.data(), {});
      for (std::size_t i = 0; i < rows; ++i) CHECK_NEAR(g[3 * i + j], (up[i] - down[i]) / (2 * h), 1e-6);
    }
  }
  auto slope = [&](double w) {
    const Vector time(rows, from_clock(Clock::w, w));
    field.evaluate(y, time.data(), Form::slope_w, out);
    return on_host<double>(*backend, out);
  };
  for (std::size_t k = 0; k < levels.last(); ++k) {
    const Vector near = slope(levels.w[k]), far = slope(levels.w[k + 1]),
                 middle = slope(0.25 * levels.w[k] + 0.75 * levels.w[k + 1]);
    Vector expected(near.size());
    for (std::size_t i = 0; i < near.size(); ++i) expected[i] = 0.25 * near[i] + 0.75 * far[i];
    CHECK(largest_difference(middle, expected) < 1e-11);
  }
}

// Folded and unfolded input projections, both activations, more columns than one probe.
TEST_CASE("the divergence is the trace of the Jacobian, by unit vectors and by probes") {
  const std::size_t rows = 12;
  const Vector z = closed_form::normals(rows, 3, 33);
  for (std::size_t hidden : {std::size_t{20}, std::size_t{24}})
    for (Activation activation : {Activation::silu, Activation::published})
      for (bool known : {true, false}) {
        const OuLevels levels = uniform_levels(6, 0);
        const auto backend = make_cpu_backend<double>(2);
        const CdcDefinition definition = definition3(levels, known, hidden, activation);
        Cdc<double> model(*backend, definition, parameters_of<double>(definition));
        auto& field = model.continuous_field();
        const Matrix<double> y = on_backend(*backend, z, 3, true), out = backend->matrix(rows, 3);
        for (double theta : {0.0, 0.4, 1.2, 1.5, reference_angle}) {
          const Vector time(rows, theta);
          Vector expected(rows, 0.0), diagonal(rows, 0.0);
          const double h = 1e-5;
          for (std::size_t j = 0; j < 3; ++j)
            for (double sign : {1.0, -1.0}) {
              Vector moved = z;
              for (std::size_t i = 0; i < rows; ++i) moved[3 * i + j] += sign * h;
              field.evaluate(on_backend(*backend, moved, 3, true), time.data(), Form::slope_w, out);
              const Vector f = on_host<double>(*backend, out);
              for (std::size_t i = 0; i < rows; ++i) expected[i] += sign * f[3 * i + j] / (2 * h);
            }
          Vector divergence(rows);
          field.divergence(y, time.data(), Form::slope_w, {}, out, divergence.data());
          // a kink of ReLU may lie between the two sides of a difference
          const double tolerance = activation == Activation::silu ? 1e-6 : 1e-4;
          CHECK(largest_difference(divergence, expected) < tolerance);
          const Vector with = on_host<double>(*backend, out);
          field.evaluate(y, time.data(), Form::slope_w, out);
          CHECK(largest_difference(on_host<double>(*backend, out), with) < 1e-12);
          // the mean over all eight sign vectors would be exact; over many probes nearly
          const std::size_t probes = 400;
          Vector estimates(rows * probes);
          field.divergence(y, time.data(), Form::slope_w, {TraceEstimator::Kind::rademacher, probes, 5, 0},
                           out, estimates.data());
          for (std::size_t i = 0; i < rows; ++i) {
            Mean mean;
            for (std::size_t k = 0; k < probes; ++k) mean.add(estimates[i * probes + k] - divergence[i]);
            CHECK(mean.error() == 0 ? std::abs(mean.value()) < 1e-9
                                    : std::abs(mean.value()) < 4.5 * mean.error() + 1e-9);
          }
        }
      }
}

TEST_CASE("samples and likelihoods of a cdc: precisions agree, batches join, more steps than levels") {
  const OuLevels levels = uniform_levels(10, 0);
  CdcDefinition definition = definition3(levels, true);
  definition.cholesky = closed_form::lower_root(guide3).data;
  const std::size_t rows = 400;
  const auto wide = make_cpu_backend<double>(2);
  const auto narrow = make_cpu_backend<float>(2);
  const auto in_double = make_cdc_field(*wide, definition, parameters_of<double>(definition));
  const auto in_float = make_cdc_field(*narrow, definition, parameters_of<float>(definition));
  const RowScale scale{definition.cholesky.data(), nullptr, true, true};
  SolverOptions options;
  options.solver = Solver::ab2;
  options.clock = Clock::w;
  options.seed = 3;
  for (int i = 0; i <= 25; ++i) options.nodes.push_back(from_clock(Clock::w, i / 25.0));
  Vector a(rows * 3), b(rows * 3), part(100 * 3);
  const SolverStatistics s = sample_field(*wide, *in_double, options, scale, nullptr, rows, a.data(), {}, {});
  CHECK_EQUAL(s.most_evaluations, 25u);
  sample_field(*narrow, *in_float, options, scale, nullptr, rows, b.data(), {}, {});
  CHECK(largest_difference(a, b) < 1e-4);
  options.first_row = 300;
  sample_field(*wide, *in_double, options, scale, nullptr, 100, part.data(), {}, {});
  CHECK(part == Vector(a.begin() + 900, a.end()));

  // a likelihood is that of the map: its logarithm by the determinant of the map's Jacobian
  SolverOptions back;
  back.solver = Solver::rk4;
  back.clock = Clock::w;
  for (int i = 0; i <= 18; ++i) back.nodes.push_back(from_clock(Clock::w, 1 - i / 18.0));
  const std::size_t few = 8;
  const Vector x(a.begin(), a.begin() + 3 * few);
  Vector density(few), end(3 * few), error(few), estimated(few);
  FlowLikelihood out;
  out.log_pdf = density.data();
  out.end = end.data();
  flow_log_pdf(*wide, *in_double, back, scale, x.data(), few, out, {}, {});
  for (std::size_t i = 0; i < few; ++i) {
    Square jacobian(3);
    for (std::size_t j = 0; j < 3; ++j) {
      Vector up(3), down(3), value(1);
      FlowLikelihood moved;
      moved.log_pdf = value.data();
      const double h = 1e-5;
      for (double sign : {1.0, -1.0}) {
        Vector at(x.begin() + 3 * i, x.begin() + 3 * i + 3);
        at[j] += sign * h;
        moved.end = sign > 0 ? up.data() : down.data();
        flow_log_pdf(*wide, *in_double, back, scale, at.data(), 1, moved, {}, {});
      }
      for (std::size_t k = 0; k < 3; ++k) jacobian(k, j) = (up[k] - down[k]) / (2 * h);
    }
    // log det by J^T J; the reference is N(0, Sigma) in z, independence N(0, I)
    const double log_det = 0.5 * closed_form::log_determinant(
                                     closed_form::multiply(closed_form::transposed(jacobian), jacobian));
    const Gaussian guide(guide3);
    double norm = 0;
    for (std::size_t k = 0; k < 3; ++k) norm += x[3 * i + k] * x[3 * i + k] - end[3 * i + k] * end[3 * i + k];
    CHECK_NEAR(density[i], guide.at(1)->value(&end[3 * i]) + 0.5 * norm + log_det, 1e-4);
  }
  out.trace = {TraceEstimator::Kind::rademacher, 300, 9, 0};
  out.log_pdf = estimated.data();
  out.standard_error = error.data();
  flow_log_pdf(*wide, *in_double, back, scale, x.data(), few, out, {}, {});
  for (std::size_t i = 0; i < few; ++i) {
    CHECK(error[i] > 0);
    CHECK_NEAR(estimated[i], density[i], 4.5 * error[i]);
  }
}
