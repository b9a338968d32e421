#include <cmath>
#include <string>

#include "check.hpp"
#include "core/random/philox.h"
#include "fields/velocity_field.hpp"
#include "given_batch.hpp"
#include "train/trainer.hpp"
#include "train/velocity_objective.hpp"

using namespace sklar;

namespace {

constexpr double pi = 3.14159265358979323846;

std::vector<double> some_normals(std::size_t count, std::uint64_t seed) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<double>(philox_normals(philox(philox_counter(i, 0, 0, 200), philox_key(seed))).x);
  return values;
}

VelocityDefinition definition(Process process, std::size_t dim, std::size_t hidden, std::size_t depth,
                              std::size_t members = 1) {
  VelocityDefinition d;
  d.process = process;
  d.dim = dim;
  d.frequencies = on_cube(process) ? 3 : 0;
  d.hidden = hidden;
  d.depth = depth;
  d.members = members;
  return d;
}

VelocityDefinition published(VelocityDefinition d) {
  d.published = true;
  d.frequencies = 0;
  return d;
}

VelocityDefinition potential(VelocityDefinition d) {
  d.potential = true;
  return d;
}

std::vector<double> parameters_of(const VelocityDefinition& d) {
  return initial_parameters<double>(d.slices(), 3, false);
}

// Central differences of the loss, in double precision, for a few parameters of every layer.
void check_gradient(const VelocityDefinition& d, double slope_weight = 0) {
  constexpr std::size_t rows = 25;
  auto backend = make_cpu_backend<double>(2);
  auto network = make_velocity_network<double>(*backend, d);
  VelocityObjective<double> objective(*backend, *network, d.head(), {}, rows, slope_weight);
  std::vector<double> y(rows * d.dim), target = some_normals(rows * d.dim, 2), time(rows);
  const auto noise = some_normals(rows * d.dim, 1);
  const bool circle = d.process == Process::ou;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = circle ? noise[i] : 0.5 + 0.2 * std::tanh(noise[i]);
  for (std::size_t i = 0; i < rows; ++i)
    time[i] = (static_cast<double>(i) + 0.5) / rows * (circle ? pi / 2 : 0.9);
  given_batch::put(*backend, objective, y, target, time);
  auto loss_at = [&](const std::vector<double>& at, std::vector<double>* gradient) {
    const auto got = given_batch::derivative<double>(*backend, *network, objective, at);
    if (gradient) *gradient = got.gradient;
    return objective.loss(got.state);
  };
  const auto parameters = parameters_of(d);
  std::vector<double> gradient;
  loss_at(parameters, &gradient);
  for (const auto& slice : d.slices())
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t at = slice.offset + (j * 7919) % Network<double>::slice_size(slice);
      auto moved = parameters;
      moved[at] += 1e-5;
      const double up = loss_at(moved, nullptr);
      moved[at] -= 2e-5;
      CHECK_NEAR(gradient[at], (up - loss_at(moved, nullptr)) / 2e-5, 2e-8);
    }
}

struct Rows {
  std::size_t rows;
  std::vector<double> y, time;
};

Rows some_rows(const VelocityDefinition& d) {
  Rows r{40, some_normals(40 * d.dim, 5), {}};
  const bool circle = d.process == Process::ou;
  if (!circle)
    for (double& u : r.y) u = 0.5 + 0.45 * std::tanh(u);
  for (std::size_t i = 0; i < r.rows; ++i)
    r.time.push_back(static_cast<double>(i) / 39 * (circle ? pi / 2 : 0.9));
  return r;
}

Matrix<double> on_backend(Backend<double>& backend, const std::vector<double>& y, std::size_t rows,
                          std::size_t d) {
  Matrix<double> m = backend.matrix(rows, d + 1);
  backend.upload_matrix({m.data(), rows, d, m.stride()}, y.data());
  for (std::size_t i = 0; i < rows; ++i) m.view().row(i)[d] = 1;
  return m;
}

std::vector<double> values(Backend<double>& backend, Field<double>& field, const std::vector<double>& y,
                           const std::vector<double>& time, Form form) {
  const std::size_t d = field.dim(), rows = time.size();
  const auto state = on_backend(backend, y, rows, d);
  auto out = backend.matrix(rows, d);
  field.evaluate(state, time.data(), form, out);
  std::vector<double> host(rows * d);
  backend.download_matrix(host.data(), out);
  return host;
}

// Exact trace against central differences; probes against the exact trace.
void check_divergence(const VelocityDefinition& d, Form form) {
  auto backend = make_cpu_backend<double>(2);
  VelocityField<double> field(*backend, d, parameters_of(d));
  const Rows r = some_rows(d);
  const auto state = on_backend(*backend, r.y, r.rows, d.dim);
  auto out = backend->matrix(r.rows, d.dim);
  std::vector<double> exact(r.rows), expected(r.rows, 0.0);
  field.divergence(state, r.time.data(), form, {}, out, exact.data());
  for (std::size_t j = 0; j < d.dim; ++j) {
    auto up = r.y, down = r.y;
    for (std::size_t i = 0; i < r.rows; ++i) {
      up[i * d.dim + j] += 1e-5;
      down[i * d.dim + j] -= 1e-5;
    }
    const auto a = values(*backend, field, up, r.time, form), b = values(*backend, field, down, r.time, form);
    for (std::size_t i = 0; i < r.rows; ++i) expected[i] += (a[i * d.dim + j] - b[i * d.dim + j]) / 2e-5;
  }
  for (std::size_t i = 0; i < r.rows; ++i) CHECK_NEAR(exact[i], expected[i], 1e-7);

  // each estimate is right on average; a sketch of all columns leaves nothing to estimate
  for (const auto kind :
       {TraceEstimator::Kind::rademacher, TraceEstimator::Kind::gaussian, TraceEstimator::Kind::hutchpp}) {
    const bool sketch = kind == TraceEstimator::Kind::hutchpp;
    const std::size_t probes = sketch ? 3 : 20, repeats = sketch ? 300 : 20;
    TraceEstimator trace{kind, probes, 0, 0};
    const std::size_t columns = trace.columns();
    std::vector<double> sum(r.rows, 0.0), squares(r.rows, 0.0), estimates(r.rows * columns);
    for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
      trace.seed = repeat;
      field.divergence(state, r.time.data(), form, trace, out, estimates.data());
      for (std::size_t k = 0; k < estimates.size(); ++k) {
        sum[k / columns] += estimates[k];
        squares[k / columns] += estimates[k] * estimates[k];
      }
    }
    const auto count = static_cast<double>(columns * repeats);
    double worst = 0;
    for (std::size_t i = 0; i < r.rows; ++i) {
      const double mean = sum[i] / count,
                   error = std::sqrt(std::max(squares[i] / count - mean * mean, 1e-20) / count);
      worst = std::max(worst, std::abs(mean - exact[i]) / (error + 1e-12));
    }
    CHECK(worst < 4.5);
  }
  std::vector<double> all(r.rows * d.dim);
  field.divergence(state, r.time.data(), form, {TraceEstimator::Kind::hutchpp, 3 * d.dim, 7, 0}, out,
                   all.data());
  for (std::size_t k = 0; k < all.size(); ++k) CHECK_NEAR(all[k], exact[k / d.dim], 1e-9);
}

// r . (J e), e along each column, by central differences
void check_pull_back(const VelocityDefinition& d, Form form) {
  auto backend = make_cpu_backend<double>(2);
  VelocityField<double> field(*backend, d, parameters_of(d));
  const Rows r = some_rows(d);
  const auto direction = some_normals(r.rows * d.dim, 6);
  const auto state = on_backend(*backend, r.y, r.rows, d.dim);
  auto along = on_backend(*backend, direction, r.rows, d.dim), product = backend->matrix(r.rows, d.dim);
  backend->fill_column(along, d.dim, 0);
  field.pull_back(state, r.time.data(), form, along, product);
  for (std::size_t j = 0; j < d.dim; ++j) {
    auto up = r.y, down = r.y;
    for (std::size_t i = 0; i < r.rows; ++i) {
      up[i * d.dim + j] += 1e-5;
      down[i * d.dim + j] -= 1e-5;
    }
    const auto a = values(*backend, field, up, r.time, form), b = values(*backend, field, down, r.time, form);
    for (std::size_t i = 0; i < r.rows; ++i) {
      double expected = 0;
      for (std::size_t k = 0; k < d.dim; ++k)
        expected += direction[i * d.dim + k] * (a[i * d.dim + k] - b[i * d.dim + k]) / 2e-5;
      CHECK_NEAR(product.view().row(i)[j], expected, 1e-7);
    }
  }
}

}  // namespace

TEST_CASE("gradient of the velocity loss equals central differences") {
  check_gradient(definition(Process::ou, 2, 150, 2));  // merged
  check_gradient(definition(Process::ou, 3, 20, 2));
  check_gradient(definition(Process::reflection, 3, 17, 1));
  check_gradient(definition(Process::jacobi, 3, 17, 1));
  check_gradient(published(definition(Process::reflection, 3, 11, 3)));
  VelocityDefinition relu = definition(Process::ou, 3, 24, 2);
  relu.activation = Activation::published;
  check_gradient(relu);
  check_gradient(definition(Process::ou, 3, 20, 2, 5));                // 5 rows for each member
  check_gradient(potential(definition(Process::ou, 2, 150, 2)), 0.3);  // merged
  for (const double slope_weight : {0.0, 0.7})
    for (const std::size_t members : {1, 5})
      check_gradient(potential(definition(Process::ou, 3, 20, 2, members)), slope_weight);
}

TEST_CASE("the transposed Jacobian of a velocity head") {
  for (const Form form : {Form::slope_theta, Form::gradient})
    for (std::size_t members : {1, 3}) {
      check_pull_back(definition(Process::ou, 3, 20, 2, members), form);
      check_pull_back(potential(definition(Process::ou, 3, 20, 2, members)), form);
    }
  check_pull_back(definition(Process::reflection, 4, 20, 2), Form::velocity);
  check_pull_back(definition(Process::jacobi, 4, 20, 2), Form::velocity);
}

TEST_CASE("the divergence of a velocity head") {
  for (const Form form : {Form::slope_theta, Form::slope_w, Form::slope_alpha, Form::gradient})
    for (std::size_t members : {1, 3}) {
      check_divergence(definition(Process::ou, 3, 20, 2, members), form);
      check_divergence(potential(definition(Process::ou, 3, 20, 2, members)), form);
    }
  check_divergence(definition(Process::reflection, 4, 20, 2), Form::velocity);
  check_divergence(definition(Process::jacobi, 4, 20, 2), Form::velocity);
}

TEST_CASE("forms of a flow differ by their factors, and are finite at both ends") {
  const auto d = definition(Process::ou, 3, 20, 2);
  auto backend = make_cpu_backend<double>(1);
  VelocityField<double> field(*backend, d, parameters_of(d));
  const Rows r = some_rows(d);  // the first time is 0, the last pi / 2
  const auto theta = values(*backend, field, r.y, r.time, Form::slope_theta);
  const auto w = values(*backend, field, r.y, r.time, Form::slope_w);
  const auto alpha = values(*backend, field, r.y, r.time, Form::slope_alpha);
  const auto gradient = values(*backend, field, r.y, r.time, Form::gradient);
  for (std::size_t i = 0; i < theta.size(); ++i) {
    const std::size_t row = i / d.dim;
    const double t = r.time[row], c = row == r.rows - 1 ? 0 : std::cos(t);
    CHECK(std::isfinite(w[i]));
    CHECK_NEAR(theta[i], -2 * std::sin(t) * c * w[i], 1e-12);
    CHECK_NEAR(gradient[i], 2 * c * c * w[i], 1e-12);
    CHECK_NEAR(alpha[i], 2 * c * w[i], 1e-12);
    if (row == 0 || row == r.rows - 1) CHECK_EQUAL(theta[i], 0.0);
  }
}

TEST_CASE("the field of a potential is its gradient") {
  for (std::size_t members : {1, 3}) {
    const auto d = potential(definition(Process::ou, 3, 20, 2, members));
    auto backend = make_cpu_backend<double>(2);
    VelocityField<double> field(*backend, d, parameters_of(d));
    const Rows r = some_rows(d);
    for (const double time : {0.0, 0.4, 1.2, reference_angle}) {
      const auto at = [&](const std::vector<double>& y, MatrixView<double> gradient) {
        std::vector<double> f(r.rows);
        field.potential(on_backend(*backend, y, r.rows, d.dim), time, f.data(), gradient);
        return f;
      };
      const auto gradient = backend->matrix(r.rows, d.dim);
      at(r.y, gradient);
      const std::vector<double> g =
          values(*backend, field, r.y, std::vector<double>(r.rows, time), Form::gradient);
      for (std::size_t j = 0; j < d.dim; ++j) {
        auto up = r.y, down = r.y;
        for (std::size_t i = 0; i < r.rows; ++i) {
          up[i * d.dim + j] += 1e-5;
          down[i * d.dim + j] -= 1e-5;
        }
        const auto a = at(up, {}), b = at(down, {});
        for (std::size_t i = 0; i < r.rows; ++i) {
          CHECK_NEAR(gradient.view().row(i)[j], (a[i] - b[i]) / 2e-5, 1e-8);
          CHECK_EQUAL(gradient.view().row(i)[j], g[i * d.dim + j]);
        }
      }
    }
  }
}

TEST_CASE("velocities vanish on the faces of the cube") {
  for (const Process process : {Process::reflection, Process::jacobi}) {
    const auto d = definition(process, 3, 20, 2);
    auto backend = make_cpu_backend<double>(1);
    VelocityField<double> field(*backend, d, parameters_of(d));
    Rows r = some_rows(d);
    for (std::size_t i = 0; i < r.rows; ++i) r.y[i * 3 + i % 3] = static_cast<double>(i % 2);
    const auto v = values(*backend, field, r.y, r.time, Form::velocity);
    for (std::size_t i = 0; i < r.rows; ++i) CHECK_NEAR(v[i * 3 + i % 3], 0, 1e-15);
  }
}

TEST_CASE("an ensemble is the mean of its members") {
  auto backend = make_cpu_backend<double>(2);
  const auto three = definition(Process::ou, 3, 20, 2, 3), one = definition(Process::ou, 3, 20, 2);
  const auto parameters = parameters_of(three);
  const Rows r = some_rows(three);
  VelocityField<double> field(*backend, three, parameters);
  const auto mean = values(*backend, field, r.y, r.time, Form::slope_theta);
  const std::size_t count = parameters.size() / 3;
  std::vector<double> sum(mean.size(), 0.0);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto from = parameters.begin() + static_cast<std::ptrdiff_t>(i * count);
    VelocityField<double> member(*backend, one, {from, from + static_cast<std::ptrdiff_t>(count)});
    const auto v = values(*backend, member, r.y, r.time, Form::slope_theta);
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += v[k];
  }
  for (std::size_t k = 0; k < sum.size(); ++k) CHECK_NEAR(mean[k], sum[k] / 3, 1e-14);
}

TEST_CASE("the gradient of an ensemble's mean is shared by its members") {
  constexpr std::size_t rows = 7;
  auto backend = make_cpu_backend<double>(1);
  const auto d = definition(Process::ou, 3, 20, 1, 2);
  auto network = make_velocity_network<double>(*backend, d);
  const auto inputs = network->input_columns();
  const auto x = on_backend(*backend, some_normals(rows * inputs, 3), rows, inputs);
  auto c = backend->matrix(rows, 3), y = backend->matrix(rows, 3);
  backend->upload_matrix(c, some_normals(rows * 3, 4).data());
  auto parameters = parameters_of(d);
  auto value = [&](Pass pass) {
    network->set_parameters(parameters.data());
    network->forward(x, y, pass);
    double sum = 0;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < 3; ++j) sum += c.view().row(i)[j] * y.view().row(i)[j];
    return sum;
  };
  value(Pass::gradient);
  std::vector<double> gradient(parameters.size());
  network->backward(c, gradient.data());
  for (const auto& slice : network->slices()) {
    parameters[slice.offset] += 1e-5;
    const double up = value(Pass::gradient);
    parameters[slice.offset] -= 2e-5;
    CHECK_NEAR(gradient[slice.offset], (up - value(Pass::gradient)) / 2e-5, 2e-8);
    parameters[slice.offset] += 1e-5;
  }
  CHECK_EQUAL(network->slices().back().name, std::string("members.1.velocity_head.bias"));
}

TEST_CASE("untrained members differ, but all are zero") {
  const auto d = definition(Process::ou, 3, 20, 1, 2);
  const auto slices = d.slices();
  const auto initial = initial_parameters<double>(slices, 3, true, 2);
  const std::size_t half = initial.size() / 2;
  CHECK(initial[0] != initial[half]);
  for (const auto& slice : slices)
    if (slice.name.find("velocity_head") != std::string::npos)
      for (std::size_t i = 0; i < Network<double>::slice_size(slice); ++i)
        CHECK_EQUAL(initial[slice.offset + i], 0.0);
}

TEST_CASE("training paths: states, velocities and times of a batch") {
  auto backend = make_cpu_backend<double>(2);
  constexpr std::size_t rows = 20000;
  for (const auto process : {Process::ou, Process::reflection}) {
    const bool circle = process == Process::ou;
    const auto d = definition(process, 2, 8, 1);
    auto network = make_velocity_network<double>(*backend, d);
    const TimeLaw law =
        circle ? TimeLaw{TimeLaw::Kind::log_sine, 0.01, 1} : TimeLaw{TimeLaw::Kind::quartic, 0, 1.5};
    VelocityObjective<double> objective(*backend, *network, d.head(), law, rows);
    auto data = backend->matrix(rows, 2);
    auto noise = some_normals(2 * rows, 9);
    for (std::size_t i = 0; i < noise.size(); ++i)
      data.view().row(i / 2)[i % 2] = circle ? noise[i] : (static_cast<double>(i / 2) + 0.5) / rows;
    TrainState state{};
    objective.draw(data, 11, &state);
    const VelocityDraw<double> batch = objective.batch_draw({}, 0, nullptr);
    // margins stay what they were, and so do those of the velocities: standard normal
    double mean = 0, square = 0, velocity = 0, product = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const double y = batch.y.row(i)[0], v = batch.target.row(i)[0];
      mean += y / rows;
      square += y * y / rows;
      velocity += v * v / rows;
      product += y * v / rows;
      CHECK_EQUAL(batch.y.row(i)[2], 1.0);
    }
    CHECK_NEAR(mean, circle ? 0 : 0.5, 0.03);
    CHECK_NEAR(square, circle ? 1 : 1.0 / 3, 0.04);
    CHECK_NEAR(velocity, 1, 0.04);
    CHECK_NEAR(product, 0, 0.03);
  }
}

TEST_CASE("forms and densities that a head does not have are refused") {
  auto backend = make_cpu_backend<double>(1);
  const auto plain = published(definition(Process::reflection, 2, 8, 2));
  VelocityField<double> field(*backend, plain, parameters_of(plain));
  auto y = backend->matrix(1, 3), out = backend->matrix(1, 2);
  const double time = 0.5;
  double divergence;
  CHECK_THROWS(field.divergence(y, &time, Form::velocity, {}, out, &divergence), Error,
               error.code() == "VALUE");
  CHECK_THROWS(field.evaluate(y, &time, Form::slope_w, out), Error, error.code() == "VALUE");
  CHECK_THROWS(VelocityField<double>(*backend, plain, {1, 2, 3}), Error, error.code() == "SHAPE");
}
