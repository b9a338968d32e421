// What the processes do to closed-form copulas, simulated, against the production fields
// (docs/mathematics.md, I; the numbers of the cases are those of its table).
#include <algorithm>
#include <functional>
#include <numbers>

#include "check.hpp"
#include "closed_form.hpp"
#include "core/fold.h"
#include "field_values.hpp"
#include "support.hpp"

using namespace sklar;
using field_values::draw;
using field_values::Mean;
using field_values::Probe;
using field_values::Vector;
using support::uniformity;

namespace {

constexpr double pi = std::numbers::pi, half_pi = pi / 2;
using Shared = std::shared_ptr<const ClosedForm>;

// Dependent, yet uncorrelated.
Shared crossed() { return make_mixture({0.5, 0.5}, {{1, 0.9, 0.9, 1}, {1, -0.9, -0.9, 1}}, 2); }
Shared mixture() {
  const closed_form::Square a = closed_form::equicorrelation(3, 0.7),
                            b = closed_form::equicorrelation(3, -0.2);
  return make_mixture({0.6, 0.4}, {a.data, b.data}, 3);
}
Shared cosine() { return make_cosine(3, {0.5, -0.3}, {1, 1, 0, 1, 2, 1}); }

double uniform(std::uint64_t seed, std::uint64_t row) { return closed_form::uniform(seed, row, 0); }

struct Flight {
  Vector u, velocity;
};

// u_t and V_t of the reflected flight from rows of u_0
Flight fly(const Vector& u0, double t, std::uint64_t seed) {
  Flight f{Vector(u0.size()), closed_form::normals(u0.size(), 1, seed)};
  for (std::size_t i = 0; i < u0.size(); ++i) {
    const double y = u0[i] + t * f.velocity[i];
    f.u[i] = fold(y);
    f.velocity[i] *= fold_sign(y);
  }
  return f;
}

struct Turn {
  Vector z, velocity;  // z_theta = cos z_0 + sin noise, and its derivative
};

Turn turn(const Vector& z0, double theta, std::uint64_t seed) {
  const Vector noise = closed_form::normals(z0.size(), 1, seed);
  Turn r{Vector(z0.size()), Vector(z0.size())};
  for (std::size_t i = 0; i < z0.size(); ++i) {
    r.z[i] = std::cos(theta) * z0[i] + std::sin(theta) * noise[i];
    r.velocity[i] = -std::sin(theta) * z0[i] + std::cos(theta) * noise[i];
  }
  return r;
}

double log_density(const ClosedForm& copula, const Vector& row, bool from_gaussian) {
  return copula.log_density(row.data(), from_gaussian);
}

}  // namespace

TEST_CASE("10: pointwise log density along the Ornstein-Uhlenbeck process") {
  const std::size_t n = 30000;
  for (const Shared& copula : {crossed(), mixture()}) {
    const std::size_t d = copula->dim();
    Probe<> probe(copula, Process::ou);
    for (const Vector& z0 : {Vector{1.2, 0.9, 0.4}, Vector{-0.5, 1.1, 0.2}}) {
      const Vector row(z0.begin(), z0.begin() + static_cast<std::ptrdiff_t>(d));
      const Vector noise = closed_form::normals(n, d, 21);
      Vector z(n * d), theta(n);
      for (std::size_t i = 0; i < n; ++i) {
        theta[i] = std::asin(uniform(22, i));
        for (std::size_t j = 0; j < d; ++j)
          z[i * d + j] = std::cos(theta[i]) * row[j] + std::sin(theta[i]) * noise[i * d + j];
      }
      // integral over t of 2 <G, g*> - |G|^2 in s = sigma, uniform: dt = s ds / (1 - s^2), G = 2 w slope
      const Vector r = probe.at(z, theta, Form::slope_w).values;
      Mean m;
      for (std::size_t i = 0; i < n; ++i) {
        const double a = std::cos(theta[i]), s = std::sin(theta[i]);
        double sum = 0;
        for (std::size_t j = 0; j < d; ++j) {
          const double target = a * (row[j] - a / s * noise[i * d + j]), slope = r[i * d + j];
          sum += 2 * slope * target - 2 * a * a * slope * slope;
        }
        m.add(2 * s * sum);
      }
      CHECK_NEAR(m.mean(), log_density(*copula, row, true), 4 * m.error());
      CHECK(m.error() < 0.05);
    }
  }
}

TEST_CASE("10: pointwise log density along the circle") {
  const std::size_t n = 30000;
  const Shared copula = mixture();
  Probe<> probe(copula, Process::ou);
  for (const Vector& row : {Vector{1.2, 0.9, 0.4}, Vector{-0.5, 1.1, 0.2}}) {
    const Vector noise = closed_form::normals(n, 3, 31);
    Vector z(n * 3), target(n * 3), theta(n);
    for (std::size_t i = 0; i < n; ++i) {
      theta[i] = half_pi * uniform(32, i);
      const double c = std::cos(theta[i]), s = std::sin(theta[i]);
      for (std::size_t j = 0; j < 3; ++j) {
        z[i * 3 + j] = c * row[j] + s * noise[i * 3 + j];
        target[i * 3 + j] = -s * row[j] + c * noise[i * 3 + j];
      }
    }
    const Vector v = probe.at(z, theta, Form::slope_theta).values;
    Mean m;
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < 3; ++j) sum += v[i * 3 + j] * (2 * target[i * 3 + j] - v[i * 3 + j]);
      m.add(half_pi / std::tan(theta[i]) * sum);
    }
    CHECK_NEAR(m.mean(), log_density(*copula, row, true), 4 * m.error());
    CHECK(m.error() < 0.05);
  }
}

TEST_CASE("10: pointwise log density along the reflected flight") {
  const std::size_t n = 60000;
  const double end = 1.5;  // log c_1.5 is below 1e-9
  for (const Shared& copula : {cosine(), make_fgm(3, 0.9, {0, 1, 2})}) {
    Probe<> probe(copula, Process::reflection);
    for (const Vector& row : {Vector{0.1, 0.2, 0.15}, Vector{0.8, 0.3, 0.9}}) {
      const Vector velocity = closed_form::normals(n, 3, 41);
      Vector u(n * 3), final_velocity(n * 3), time(n);
      for (std::size_t i = 0; i < n; ++i) {
        time[i] = end * uniform(42, i);
        for (std::size_t j = 0; j < 3; ++j) {
          const double y = row[j] + time[i] * velocity[i * 3 + j];
          u[i * 3 + j] = fold(y);
          final_velocity[i * 3 + j] = fold_sign(y) * velocity[i * 3 + j];
        }
      }
      const Vector v = probe.at(u, time, Form::velocity).values;
      Mean m;
      for (std::size_t i = 0; i < n; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < 3; ++j)
          sum += v[i * 3 + j] * (2 * final_velocity[i * 3 + j] - v[i * 3 + j]);
        m.add(end / time[i] * sum);
      }
      CHECK_NEAR(m.mean(), log_density(*copula, row, false), 4 * m.error());
      CHECK(m.error() < 0.1);
    }
  }
}

TEST_CASE("11: the integral of E|v|^2 / t is the total correlation, reflected flight") {
  const std::size_t n = 40000;
  const Shared copula = cosine();
  Probe<> probe(copula, Process::reflection);
  const Vector u0 = draw(*copula, n, 41, false);
  const double last = 1.5;  // exp(-pi^2 t^2) is 2e-10 there
  Vector u(n * 3), time(n);
  const Vector velocity = closed_form::normals(n, 3, 42);
  for (std::size_t i = 0; i < n; ++i) {
    time[i] = last * uniform(43, i);
    for (std::size_t j = 0; j < 3; ++j) u[i * 3 + j] = fold(u0[i * 3 + j] + time[i] * velocity[i * 3 + j]);
  }
  const Vector v = probe.at(u, time, Form::velocity).values;
  Mean difference, truth;
  for (std::size_t i = 0; i < n; ++i) {
    double square = 0;
    for (std::size_t j = 0; j < 3; ++j) square += v[i * 3 + j] * v[i * 3 + j];
    const double exact = copula->log_density(&u0[i * 3], false);
    difference.add(last * square / time[i] - exact);
    truth.add(exact);
  }
  CHECK(truth.mean() > 0.02);
  CHECK(difference.error() < 0.01);
  CHECK_NEAR(difference.mean(), 0, 3 * difference.error());
}

TEST_CASE("1: marginals of the reflected flight stay uniform at all times") {
  for (const Shared& copula : {cosine(), make_fgm(3, 0.9, {0, 1, 2})}) {
    const Vector u0 = draw(*copula, 20000, 53, false);
    for (const double t : {0.0, 0.05, 0.2, 0.6, 1.5}) {
      const Vector u = fly(u0, t, 54).u;
      for (std::size_t j = 0; j < 3; ++j) {
        Vector column;
        for (std::size_t i = j; i < u.size(); i += 3) column.push_back(u[i]);
        CHECK(uniformity(column) > 1e-4);
      }
    }
  }
}

TEST_CASE("12: the velocity is the mean of V_t at u_t, and no column knows its own V") {
  const std::size_t n = 100000;
  const Shared copula = cosine();
  const Vector u0 = draw(*copula, n, 51, false);
  Probe<> probe(copula, Process::reflection);
  const std::vector<std::function<double(const double*)>> functions = {
      [](const double*) { return 1.0; }, [](const double* u) { return std::sin(pi * u[0]); },
      [](const double* u) { return std::sin(pi * u[0]) * std::cos(pi * u[1]); },
      [](const double* u) { return std::sin(2 * pi * u[1]) * u[2]; },
      [](const double* u) { return u[0] * u[1] + u[2] * u[2]; }};
  for (const double t : {0.1, 0.35}) {
    const Flight f = fly(u0, t, 52);
    const Vector v = probe.at(f.u, t, Form::velocity).values;
    double largest = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      for (const auto& function : functions) {
        Mean rest, whole;
        for (std::size_t i = 0; i < n; ++i) {
          const double weight = function(&f.u[i * 3]);
          rest.add((f.velocity[i * 3 + j] - v[i * 3 + j]) * weight);
          whole.add(f.velocity[i * 3 + j] * weight);
        }
        CHECK_NEAR(rest.mean(), 0.0, 4.5 * rest.error());
        largest = std::max(largest, std::abs(whole.mean()) / whole.error());
      }
      Mean velocity, square, first, second;
      for (std::size_t i = 0; i < n; ++i) {
        const double speed = f.velocity[i * 3 + j], u = f.u[i * 3 + j];
        velocity.add(speed);
        square.add(speed * speed);
        first.add(speed * std::sin(pi * u));
        second.add((speed * speed - 1) * u);
      }
      CHECK_NEAR(velocity.mean(), 0.0, 4.5 * velocity.error());
      CHECK_NEAR(square.mean(), 1.0, 4.5 * square.error());
      CHECK_NEAR(first.mean(), 0.0, 4.5 * first.error());
      CHECK_NEAR(second.mean(), 0.0, 4.5 * second.error());
    }
    CHECK(largest > 8);  // there is something to predict
  }
}

TEST_CASE("12, 15: the normal velocity vanishes on the faces") {
  for (const Shared& copula : {cosine(), make_fgm(3, 0.9, {0, 1, 2})}) {
    Probe<> probe(copula, Process::reflection);
    for (const double t : {0.05, 0.15, 0.3, 0.7})
      for (std::size_t j = 0; j < 3; ++j)
        for (const double face : {0.0, 1.0}) {
          Vector u = {0.3, 0.6, 0.85};
          u[j] = face;
          CHECK_NEAR(probe.at(u, t, Form::velocity).values[j], 0.0, 1e-12);
        }
  }
}

TEST_CASE("13: cosine moments decay at their own rate") {
  const std::size_t n = 100000;
  const Vector u0 = draw(*cosine(), n, 61, false);
  for (const double t : {0.0, 0.1, 0.25}) {
    const Vector u = fly(u0, t, 62).u;
    Mean pair, triple, absent;
    for (std::size_t i = 0; i < n; ++i) {
      const double* x = &u[i * 3];
      pair.add(std::cos(pi * x[0]) * std::cos(pi * x[1]));
      triple.add(std::cos(pi * x[0]) * std::cos(2 * pi * x[1]) * std::cos(pi * x[2]));
      absent.add(std::cos(2 * pi * x[0]) * std::cos(pi * x[2]));
    }
    CHECK_NEAR(pair.mean(), 0.5 / 4 * std::exp(-pi * pi * t * t), 4 * pair.error());
    CHECK_NEAR(triple.mean(), -0.3 / 8 * std::exp(-3 * pi * pi * t * t), 4 * triple.error());
    CHECK_NEAR(absent.mean(), 0.0, 4 * absent.error());
  }
}

TEST_CASE("16: the velocity along the circle is -tan(theta) G") {
  const std::size_t n = 100000;
  const Shared copula = mixture();
  const Vector z0 = draw(*copula, n, 71, true);
  Probe<> probe(copula, Process::ou);
  for (const double theta : {0.4, 1.1}) {
    const Turn r = turn(z0, theta, 72);
    const Vector v = probe.at(r.z, theta, Form::slope_theta).values,
                 g = probe.at(r.z, theta, Form::gradient).values;
    for (std::size_t i = 0; i < v.size(); ++i) CHECK_NEAR(v[i], -std::tan(theta) * g[i], 1e-12);
    const std::vector<std::function<double(const double*)>> functions = {
        [](const double*) { return 1.0; }, [](const double* z) { return z[0]; },
        [](const double* z) { return z[1]; }, [](const double* z) { return std::tanh(z[0] * z[2]); },
        [](const double* z) { return std::sin(z[0] + z[1] + z[2]); }};
    for (std::size_t j = 0; j < 3; ++j)
      for (const auto& function : functions) {
        Mean rest;
        for (std::size_t i = 0; i < n; ++i)
          rest.add((r.velocity[i * 3 + j] - v[i * 3 + j]) * function(&r.z[i * 3]));
        CHECK_NEAR(rest.mean(), 0.0, 4.5 * rest.error());
      }
  }
}

TEST_CASE("17: no column is pushed on average, wherever it is") {
  const std::size_t n = 100000, bins = 10;
  const auto check = [&](const Vector& x, const Vector& v, std::size_t d, auto to_unit) {
    for (std::size_t j = 0; j < d; ++j) {
      std::vector<Mean> bin(bins);
      for (std::size_t i = 0; i < n; ++i)
        bin[std::min(bins - 1, static_cast<std::size_t>(to_unit(x[i * d + j]) * bins))].add(v[i * d + j]);
      for (const Mean& m : bin) {
        CHECK(m.n > n / (2 * bins));
        CHECK_NEAR(m.mean(), 0.0, 4.5 * m.error());
      }
    }
  };
  for (const Shared& copula : {crossed(), mixture()}) {
    const std::size_t d = copula->dim();
    const Vector z = turn(draw(*copula, n, 81, true), 0.5, 82).z;
    Probe<> probe(copula, Process::ou);
    check(z, probe.at(z, 0.5, Form::slope_theta).values, d, [](double x) { return normal_cdf(x); });
  }
  const Vector u = fly(draw(*cosine(), n, 83, false), 0.2, 84).u;
  Probe<> probe(cosine(), Process::reflection);
  check(u, probe.at(u, 0.2, Form::velocity).values, 3, [](double x) { return x; });
}

TEST_CASE("24: an FGM copula stays one under both processes") {
  const std::size_t n = 100000;
  const auto compare = [&](const Shared& copula, Process process, double t, const Vector& sample,
                           const Vector& independent, auto to_unit) {
    const std::size_t d = copula->dim();
    Probe<> probe(copula, process);
    const auto r = probe.at(independent, t, process == Process::ou ? Form::gradient : Form::velocity);
    const auto moment = [&](const double* x) {
      double product = 1;
      for (std::size_t j = 0; j < d; ++j) product *= 1 - 2 * to_unit(x[j]);
      return product;
    };
    // E_t[f] by simulation and as E[c_t f] under independence
    Mean simulated, weighted, total;
    for (std::size_t i = 0; i < n; ++i) {
      const double c = std::exp(r.log_density[i]);
      simulated.add(moment(&sample[i * d]));
      weighted.add((c - 1) * moment(&independent[i * d]));
      total.add(c);
    }
    CHECK_NEAR(simulated.mean(), weighted.mean(), 4 * std::hypot(simulated.error(), weighted.error()));
    CHECK_NEAR(total.mean(), 1.0, 4 * total.error());
    CHECK(std::abs(simulated.mean()) > 5 * simulated.error());
  };
  for (const Shared& copula : {make_fgm(2, 0.9, {0, 1}), make_fgm(3, -1, {0, 1, 2})}) {
    const std::size_t d = copula->dim();
    const Vector z0 = draw(*copula, n, 95, true), noise = closed_form::normals(n, d, 97);
    compare(copula, Process::ou, 0.35, turn(z0, 0.35, 96).z, noise, [](double x) { return normal_cdf(x); });
    Vector u0 = z0, uniform_rows = noise;
    for (double& u : u0) u = normal_cdf(u);
    for (double& u : uniform_rows) u = normal_cdf(u);
    compare(copula, Process::reflection, 0.08, fly(u0, 0.08, 98).u, uniform_rows, [](double x) { return x; });
  }
  // Spearman's rho of the pair, and E z_1 z_2 = w theta / pi
  const Shared pair = make_fgm(2, 0.9, {0, 1});
  const Vector z0 = draw(*pair, n, 99, true), z = turn(z0, 0.5, 96).z;
  Vector u = z0;
  for (double& x : u) x = normal_cdf(x);
  for (const double t : {0.0, 0.2}) {
    double sum = 0;
    for (int k = 1; k < 2001; k += 2)
      sum += 16 / std::pow(pi * k, 4) * std::exp(-0.5 * pi * pi * k * k * t * t);
    const Vector moved = fly(u, t, 98).u;
    Mean rho, normal;
    for (std::size_t i = 0; i < n; ++i) {
      rho.add(12 * (moved[2 * i] - 0.5) * (moved[2 * i + 1] - 0.5));
      normal.add(z[2 * i] * z[2 * i + 1]);
    }
    CHECK_NEAR(rho.mean(), 12 * 0.9 * sum * sum, 4 * rho.error());
    CHECK_NEAR(normal.mean(), std::cos(0.5) * std::cos(0.5) * 0.9 / pi, 4 * normal.error());
  }
}

// dU = (1 - 2 U) dt + sqrt(2 U (1 - U)) dB has 1 - 2 u as its first mode, with rate 2: theta falls as e^-4t.
TEST_CASE("24: an FGM copula stays one under the Jacobi process") {
  const std::size_t n = 40000, steps = 100;
  const double theta = 0.9, t = 0.1, h = t / static_cast<double>(steps);
  const auto copula = make_fgm(2, theta, {0, 1});
  Vector u = draw(*copula, n, 51, false);
  for (std::size_t k = 0; k < steps; ++k) {
    const Vector noise = closed_form::normals(n, 2, 1000 + k);
    for (std::size_t i = 0; i < u.size(); ++i) {
      const double x = u[i];
      u[i] = std::clamp(x + h * (1 - 2 * x) + std::sqrt(2 * h * x * (1 - x)) * noise[i], 0.0, 1.0);
    }
  }
  // E (1 - 2 u_1)(1 - 2 u_2) = theta_t / 9; the mean of (1 - 2 u)^2 stays 1/3
  Mean product, square;
  for (std::size_t i = 0; i < n; ++i) {
    const double a = 1 - 2 * u[2 * i], b = 1 - 2 * u[2 * i + 1];
    product.add(a * b);
    square.add(a * a);
  }
  CHECK_NEAR(product.mean(), theta * std::exp(-4 * t) / 9, 4 * product.error());
  CHECK_NEAR(square.mean(), 1.0 / 3, 4 * square.error() + 2 * h);
}
