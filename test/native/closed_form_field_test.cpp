// The closed-form copulas of process/closed_form.hpp against small independent implementations, finite
// differences and the equations their fields obey (docs/mathematics.md, H and I).
#include <algorithm>
#include <numbers>

#include "check.hpp"
#include "closed_form.hpp"
#include "core/error.hpp"
#include "field_values.hpp"

using namespace sklar;
using field_values::draw;
using field_values::Mean;
using field_values::Probe;
using field_values::Vector;

namespace {

constexpr double half_pi = std::numbers::pi / 2;
using Shared = std::shared_ptr<const ClosedForm>;

closed_form::Square band(std::size_t d, double rho) {
  closed_form::Square r(d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) r(i, j) = std::pow(rho, std::abs(double(i) - double(j)));
  return r;
}

struct Pair {
  const char* name;
  std::unique_ptr<closed_form::Copula> truth;
  Shared copula;
};

std::vector<Pair> pairs() {
  using namespace closed_form;
  std::vector<Pair> list;
  const Square a = band(4, 0.8), b = equicorrelation(4, -0.3), c = band(4, -0.5);
  list.push_back({"gaussian", std::make_unique<Gaussian>(a), make_mixture({1}, {a.data}, 4)});
  list.push_back({"mixture", std::make_unique<Mixture>(Vector{0.5, 0.3, 0.2}, std::vector<Square>{a, b, c}),
                  make_mixture({0.5, 0.3, 0.2}, {a.data, b.data, c.data}, 4)});
  list.push_back({"fgm 2", std::make_unique<Fgm>(2, 0.9), make_fgm(2, 0.9, {0, 1})});
  list.push_back({"fgm 3", std::make_unique<Fgm>(3, -0.8), make_fgm(3, -0.8, {0, 1, 2})});
  return list;
}

Shared cosine() { return make_cosine(3, {0.4, -0.3, 0.25}, {1, 1, 0, 0, 2, 1, 1, 2, 3}); }

struct Family {
  Shared copula;
  Process process;
  Form form;
};

std::vector<Family> families() {
  std::vector<Family> list;
  for (Pair& p : pairs()) list.push_back({p.copula, Process::ou, Form::gradient});
  list.push_back({make_fgm(4, 0.7, {1, 3}), Process::ou, Form::gradient});
  list.push_back({make_fgm(4, -0.9, {0, 2, 3}), Process::reflection, Form::velocity});
  list.push_back({cosine(), Process::reflection, Form::velocity});
  return list;
}

// Points where the process lives, and times of it.
Vector points(const Family& f, std::size_t rows) {
  const std::size_t d = f.copula->dim();
  Vector x = closed_form::normals(rows, d, 3);
  if (f.process == Process::reflection)
    for (double& value : x) value = normal_cdf(value);
  return x;
}
std::vector<double> times(Process process) {
  return process == Process::ou ? std::vector<double>{0, 0.3, 0.9, 1.5}
                                : std::vector<double>{0.05, 0.15, 0.19, 0.3, 0.7};
}

Vector moved(Vector x, std::size_t d, std::size_t column, double step) {
  for (std::size_t i = 0; i < x.size() / d; ++i) x[i * d + column] += step;
  return x;
}

}  // namespace

TEST_CASE("fields, divergences and log densities are those of the reference implementations") {
  for (Pair& p : pairs()) {
    const std::size_t d = p.truth->dim(), n = 40;
    const Vector z = closed_form::normals(n, d, 5);
    Probe<> probe(p.copula, Process::ou);
    for (const double theta : {0.0, 0.2, 0.8, 1.4, 1.57}) {
      const double w = std::cos(theta) * std::cos(theta);
      const auto truth = p.truth->at(w);
      const auto r = probe.at(z, theta, Form::gradient);
      for (std::size_t i = 0; i < n; ++i) {
        Vector g(d);
        truth->gradient(&z[i * d], g.data());
        CHECK_NEAR(r.log_density[i], truth->value(&z[i * d]), 1e-11);
        for (std::size_t j = 0; j < d; ++j) CHECK_NEAR(r.values[i * d + j], g[j], 1e-11);
        CHECK_NEAR(r.divergence[i], truth->laplacian(&z[i * d]), 1e-10);
      }
    }
    CHECK(probe.agree);
  }
}

TEST_CASE("one time for each row") {
  for (const Family& f : families()) {
    const Vector x = points(f, 5), t = {0.1, 0.7, 0.4, 0.1, 0};
    const std::size_t d = f.copula->dim();
    Probe<> probe(f.copula, f.process);
    const auto together = probe.at(x, t, f.form);
    for (std::size_t i = 0; i < t.size(); ++i) {
      const Vector row(x.begin() + static_cast<std::ptrdiff_t>(i * d),
                       x.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
      const auto alone = probe.at(row, t[i], f.form);
      CHECK_EQUAL(together.divergence[i], alone.divergence[0]);
      for (std::size_t j = 0; j < d; ++j) CHECK_EQUAL(together.values[i * d + j], alone.values[j]);
    }
  }
}

TEST_CASE("fields are the gradients of the log densities, divergences their traces") {
  for (const Family& f : families()) {
    const Vector x = points(f, 12);
    const std::size_t d = f.copula->dim(), n = 12;
    Probe<> probe(f.copula, f.process);
    const TraceEstimator two{TraceEstimator::Kind::rademacher, 2, 9, 100};
    for (const double t : times(f.process)) {
      const auto r = probe.at(x, t, f.form);
      const auto hutchinson = probe.at(x, t, f.form, two);
      const double factor = f.process == Process::ou ? 1 : -t, h = 1e-5;
      Vector trace(n, 0.0), quadratic(2 * n, 0.0);
      for (std::size_t j = 0; j < d; ++j) {
        const auto up = probe.at(moved(x, d, j, h), t, f.form),
                   down = probe.at(moved(x, d, j, -h), t, f.form);
        for (std::size_t i = 0; i < n; ++i) {
          CHECK_NEAR(r.values[i * d + j], factor * (up.log_density[i] - down.log_density[i]) / (2 * h), 2e-7);
          trace[i] += (up.values[i * d + j] - down.values[i * d + j]) / (2 * h);
          for (std::size_t p = 0; p < 2; ++p) {
            auto sign = [&](std::size_t k) {
              const auto [x0, x1, x2, x3] =
                  philox(philox_counter(100 + i, static_cast<std::uint32_t>(k / 4), p, kTagTraceProbe),
                         philox_key(9));
              const std::uint32_t words[] = {x0, x1, x2, x3};
              return words[k % 4] >> 31 ? 1.0 : -1.0;
            };
            for (std::size_t k = 0; k < d; ++k)
              quadratic[i * 2 + p] +=
                  sign(j) * sign(k) * (up.values[i * d + k] - down.values[i * d + k]) / (2 * h);
          }
        }
      }
      for (std::size_t i = 0; i < n; ++i) {
        CHECK_NEAR(r.divergence[i], trace[i], 1e-5 * (1 + std::abs(trace[i])));
        for (std::size_t p = 0; p < 2; ++p)
          CHECK_NEAR(hutchinson.divergence[i * 2 + p], quadratic[i * 2 + p],
                     1e-5 * (1 + std::abs(quadratic[i * 2 + p])));
      }
    }
    CHECK(probe.agree);
  }
}

TEST_CASE("4: the log Fokker-Planck equation of both processes") {
  for (const Family& f : families()) {
    const Vector x = points(f, 12);
    const std::size_t d = f.copula->dim();
    Probe<> probe(f.copula, f.process);
    for (const double t : {0.25, 0.6, 1.2}) {
      const double h = 1e-5;
      const auto now = probe.at(x, t, f.form);
      const auto late = probe.at(x, t + h, f.form), early = probe.at(x, t - h, f.form);
      for (std::size_t i = 0; i < 12; ++i) {
        const double slope = (late.log_density[i] - early.log_density[i]) / (2 * h);
        double square = 0, inner = 0;
        for (std::size_t j = 0; j < d; ++j) {
          square += now.values[i * d + j] * now.values[i * d + j];
          inner += x[i * d + j] * now.values[i * d + j];
        }
        // ou: dF/dt = laplacian - z G + |G|^2, dt = tan(theta) dtheta; reflection, with v = -t grad F:
        // dF/dt = t (laplacian + |grad F|^2)
        const double expected = f.process == Process::ou ? std::tan(t) * (now.divergence[i] - inner + square)
                                                         : -now.divergence[i] + square / t;
        CHECK_NEAR(slope, expected, 1e-6);
      }
    }
  }
}

TEST_CASE("every form is its multiple of the gradient, and finite at both ends") {
  for (Pair& p : pairs()) {
    const std::size_t d = p.truth->dim(), n = 10;
    const Vector z = closed_form::normals(n, d, 8);
    Probe<> probe(p.copula, Process::ou);
    const auto gradient = probe.at(z, 0.7, Form::gradient);
    for (const Form form : {Form::slope_w, Form::slope_alpha, Form::slope_theta}) {
      const auto r = probe.at(z, 0.7, form);
      const double over_gradient =
          OuProcess::over_slope(form, 0.7) / OuProcess::over_slope(Form::gradient, 0.7);
      for (std::size_t i = 0; i < z.size(); ++i)
        CHECK_NEAR(r.values[i], over_gradient * gradient.values[i], 1e-12);
      for (std::size_t i = 0; i < n; ++i)
        CHECK_NEAR(r.divergence[i], over_gradient * gradient.divergence[i], 1e-11);
    }
    const closed_form::Square excess =
        closed_form::combine(1, p.truth->correlation(), -1, closed_form::identity(d));
    const auto limit = probe.at(z, half_pi, Form::slope_w), near = probe.at(z, half_pi - 1e-7, Form::slope_w);
    for (std::size_t i = 0; i < n; ++i) {
      const Vector expected = closed_form::apply(excess, &z[i * d]);
      for (std::size_t j = 0; j < d; ++j) {
        CHECK_NEAR(limit.values[i * d + j], 0.5 * expected[j], 1e-14);
        CHECK_NEAR(near.values[i * d + j], limit.values[i * d + j], 1e-5);
      }
      CHECK_NEAR(limit.divergence[i], 0.0, 1e-14);  // unit diagonals
      CHECK_EQUAL(limit.log_density[i], 0.0);
    }
    for (const Form form : {Form::gradient, Form::slope_alpha, Form::slope_theta}) {
      const auto r = probe.at(z, half_pi, form);
      for (double value : r.values) CHECK_EQUAL(value, 0.0);
    }
    for (double value : probe.at(z, 0, Form::slope_theta).values) CHECK_EQUAL(value, 0.0);
  }
  Probe<> ou(pairs()[0].copula, Process::ou), reflection(cosine(), Process::reflection);
  CHECK_THROWS(ou.at(Vector(4, 0.5), 0.5, Form::velocity), Error, error.code() == "VALUE");
  CHECK_THROWS(reflection.at(Vector(3, 0.5), 0.5, Form::gradient), Error, error.code() == "VALUE");
  for (double value : reflection.at(Vector(3, 0.3), 0, Form::velocity).values) CHECK_EQUAL(value, 0.0);
}

TEST_CASE("in single precision the field is the rounded one") {
  for (const Family& f : families()) {
    Vector x = points(f, 20);
    for (double& value : x) value = static_cast<double>(static_cast<float>(value));
    Probe<double> wide(f.copula, f.process);
    Probe<float> narrow(f.copula, f.process);
    const auto a = wide.at(x, 0.4, f.form), b = narrow.at(x, 0.4, f.form);
    for (std::size_t i = 0; i < x.size(); ++i)
      CHECK_EQUAL(b.values[i], static_cast<double>(static_cast<float>(a.values[i])));
    for (std::size_t i = 0; i < a.divergence.size(); ++i) {
      CHECK_EQUAL(a.divergence[i], b.divergence[i]);
      CHECK_EQUAL(a.log_density[i], b.log_density[i]);
    }
  }
}

TEST_CASE("the reflected FGM is its Fourier series, by images and by modes, and 1 - 2u at data") {
  const Shared copula = make_fgm(2, 1, {0, 1});
  const auto row = copula->row(Process::reflection);
  for (const double t : {0.0, 0.03, 0.1, 0.1999, 0.2001, 0.5, 1.0})
    for (const double u : {0.01, 0.2, 0.5, 0.77, 0.99}) {
      const double x[2] = {u, 0.3};
      row->set(t, x);
      double product = 1;
      for (const double value : x) {
        double series = 0;
        for (int k = 1; k < 4001; k += 2) {
          const double a = std::numbers::pi * k;
          series += 8 / (a * a) * std::exp(-0.5 * a * a * t * t) * std::cos(a * value);
        }
        product *= t == 0 ? 1 - 2 * value : series;
      }
      CHECK_NEAR(std::exp(row->value()) - 1, product, 1e-13);
    }
}

TEST_CASE("draws join, depend on their row alone, and have the moments of the copula") {
  const auto all = pairs();
  for (const Shared& copula : {all[1].copula, make_fgm(4, 0.7, {1, 3}), cosine()}) {
    const std::size_t d = copula->dim();
    const Vector whole = draw(*copula, 1000, 11, true), rest = draw(*copula, 600, 11, true, 400, 3);
    CHECK(std::equal(rest.begin(), rest.end(), whole.begin() + static_cast<std::ptrdiff_t>(400 * d)));
    const Vector u = draw(*copula, 1000, 11, false);
    Vector from_z(1000), from_u(1000);
    closed_form_log_pdf(*copula, 2, whole.data(), true, 1000, from_z.data(), CancelFlag());
    closed_form_log_pdf(*copula, 1, u.data(), false, 1000, from_u.data(), CancelFlag());
    const Process process = copula->has(Process::ou) ? Process::ou : Process::reflection;
    Probe<> probe(copula, process);
    const auto r = probe.at(process == Process::ou ? whole : u, 0,
                            process == Process::ou ? Form::gradient : Form::velocity);
    for (std::size_t i = 0; i < 1000; ++i) {
      CHECK_NEAR(from_z[i], from_u[i], 1e-9);
      CHECK_NEAR(from_z[i], r.log_density[i], 1e-9);
    }
  }
  const std::size_t n = 100000;
  const Vector z = draw(*all[1].copula, n, 3, true);
  const closed_form::Square r = all[1].truth->correlation();
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      Mean m;
      for (std::size_t k = 0; k < n; ++k) m.add(z[k * 4 + i] * z[k * 4 + j]);
      CHECK_NEAR(m.mean(), r(i, j), 4 * m.error());
    }
  const Vector f = draw(*make_fgm(4, 0.7, {1, 3}), n, 4, false), c = draw(*cosine(), n, 5, false);
  Mean pair, other, mode, margin;
  for (std::size_t k = 0; k < n; ++k) {
    pair.add((1 - 2 * f[k * 4 + 1]) * (1 - 2 * f[k * 4 + 3]));
    other.add((1 - 2 * f[k * 4]) * (1 - 2 * f[k * 4 + 3]));
    mode.add(std::cos(std::numbers::pi * 2 * c[k * 3 + 1]) * std::cos(std::numbers::pi * c[k * 3 + 2]));
    margin.add(c[k * 3 + 1]);
  }
  CHECK_NEAR(pair.mean(), 0.7 / 9, 4 * pair.error());
  CHECK_NEAR(other.mean(), 0, 4 * other.error());
  CHECK_NEAR(mode.mean(), -0.3 / 4, 4 * mode.error());
  CHECK_NEAR(margin.mean(), 0.5, 4 * margin.error());
}

TEST_CASE("a cancelled draw stops") {
  CancelFlag flag;
  flag.cancel();
  Vector out(4000);
  CHECK_THROWS(closed_form_sample(*make_fgm(2, 0.5, {0, 1}), 1, 2000, 1, 0, true, out.data(), flag), Error,
               error.code() == "ABORTED");
}

TEST_CASE("what is no copula is refused") {
  const auto value = [](const Error& error) { return error.code() == "VALUE"; };
  const auto shape = [](const Error& error) { return error.code() == "SHAPE"; };
  CHECK_THROWS(make_mixture({1}, {{1, 1, 1, 1}}, 2), Error, value(error));
  CHECK_THROWS(make_mixture({1, 2}, {{1, 0, 0, 1}}, 2), Error, shape(error));
  CHECK_THROWS(make_fgm(2, 1.1, {0, 1}), Error, value(error));
  CHECK_THROWS(make_fgm(2, 1, {0}), Error, value(error));
  CHECK_THROWS(make_fgm(2, 1, {0, 2}), Error, shape(error));
  CHECK_THROWS(make_cosine(2, {0.6, 0.6}, {1, 1, 2, 2}), Error, value(error));
  CHECK_THROWS(make_cosine(2, {0.6}, {1, 0}), Error, value(error));
  CHECK_THROWS(cosine()->row(Process::ou), Error, value(error));
  CHECK_THROWS(pairs()[0].copula->row(Process::reflection), Error, value(error));
}
