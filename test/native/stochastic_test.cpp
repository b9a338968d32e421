// Integrators of stochastic differential equations, the samplers made for diffusions, correctors and the
// Brownian tree. Numbers in the names of the cases are those of the test table (docs/mathematics.md, I).
#include <array>

#include "core/random/brownian.h"
#include "integrate/solver.hpp"
#include "integrate/steps/clock.hpp"
#include "support.hpp"

using namespace support;

namespace {

template <class T>
Vector run(sklar::Field<T>& field, const SolverOptions& options, const Vector& start,
           SolverStatistics* statistics = nullptr) {
  const auto backend = make_cpu_backend<T>(1);
  const Matrix<T> y = on_backend(*backend, start, field.dim(), true);
  const auto done = integrate<T>(*backend, field, options, y, nullptr, {});
  if (statistics) *statistics = done;
  return on_host<T>(*backend, left(y, field.dim()));
}

// Uniform in theta from `first` to data.
Vector angles(double first, std::size_t steps) {
  Vector nodes;
  for (std::size_t i = 0; i <= steps; ++i)
    nodes.push_back(first * static_cast<double>(steps - i) / static_cast<double>(steps));
  return nodes;
}

// Uniform in ou time from `first` to `last`.
Vector times(double first, std::size_t steps, double last = 0) {
  Vector nodes;
  for (std::size_t i = 0; i <= steps; ++i)
    nodes.push_back(OuProcess::angle(last + (first - last) * static_cast<double>(steps - i) /
                                                static_cast<double>(steps)));
  return nodes;
}

SolverOptions with(Solver solver, Vector nodes, std::uint64_t seed = 1) {
  SolverOptions options;
  options.solver = solver;
  options.clock = Clock::theta;
  options.nodes = std::move(nodes);
  options.seed = seed;
  return options;
}

// A state that is linear in the start (coefficient 0) and in independent standard normals.
struct Linear {
  Vector c{0};
  static Linear start() { return {{1}}; }
  Linear& add(double factor, const Linear& x) {
    if (x.c.size() > c.size()) c.resize(x.c.size(), 0);
    for (std::size_t i = 0; i < x.c.size(); ++i) c[i] += factor * x.c[i];
    return *this;
  }
  double variance() const {
    double sum = 0;
    for (std::size_t i = 1; i < c.size(); ++i) sum += c[i] * c[i];
    return sum;
  }
};

Linear sum(std::initializer_list<std::pair<double, Linear>> terms) {
  Linear s;
  for (const auto& [factor, x] : terms) s.add(factor, x);
  return s;
}

// The formulas of A.8 for N(0, lambda) in one dimension, where G = excess z.
Linear recursion(const SolverOptions& o, double lambda) {
  Linear z = Linear::start(), before;
  std::size_t draws = 0;
  auto fresh = [&] {
    Linear xi;
    xi.c.assign(2 + draws, 0);
    xi.c[++draws] = 1;
    return xi;
  };
  auto excess = [&](double theta) {
    const double w = to_clock(Clock::w, theta);
    return (lambda - 1) * w / (1 + w * (lambda - 1));
  };
  auto slope = [&](double theta, const Linear& x) {  // dz/dtheta, finite at pure noise
    return sum({{theta >= reference_angle ? 0 : -std::tan(theta) * excess(theta), x}});
  };
  double previous = 0;
  for (std::size_t i = 0; i + 1 < o.nodes.size(); ++i) {
    const double t = o.nodes[i], s = o.nodes[i + 1], step = s - t;
    const double alpha_t = OuProcess::alpha(t), sigma_t = std::sin(t), alpha_s = OuProcess::alpha(s),
                 sigma_s = std::sin(s);
    const bool pure = t >= reference_angle;
    const double h = OuProcess::forward_time(t) - OuProcess::forward_time(s);
    const Linear g = sum({{excess(t), z}});
    const bool sde = o.solver == Solver::euler_maruyama || o.solver == Solver::exponential_em ||
                     o.solver == Solver::exponential_em_one_step || o.solver == Solver::sra1 ||
                     o.solver == Solver::shark;
    // E[z_0 | z] and E[noise | z]; at pure noise 0 and z
    const Linear denoised = pure ? Linear{} : sum({{alpha_t, z}, {sigma_t * sigma_t / alpha_t, g}});
    const Linear noise = pure ? z : sum({{sigma_t, z}, {-sigma_t, g}});
    if (sde && pure) {
      z = sum({{1 + alpha_s * alpha_s * (lambda - 1) / 2, z}});
    } else if (o.solver == Solver::euler) {
      z = sum({{1, z}, {step, slope(t, z)}});
    } else if (o.solver == Solver::heun) {
      const Linear k = slope(t, z), trial = sum({{1, z}, {step, k}});
      z = sum({{1, z}, {step / 2, k}, {step / 2, slope(s, trial)}});
    } else if (o.solver == Solver::rk4) {
      const Linear k1 = slope(t, z), k2 = slope(t + step / 2, sum({{1, z}, {step / 2, k1}}));
      const Linear k3 = slope(t + step / 2, sum({{1, z}, {step / 2, k2}})),
                   k4 = slope(s, sum({{1, z}, {step, k3}}));
      z = sum({{1, z}, {step / 6, k1}, {step / 3, k2}, {step / 3, k3}, {step / 6, k4}});
    } else if (o.solver == Solver::ab2) {
      const Linear k = slope(t, z);
      const double ratio = previous != 0 ? step / (2 * previous) : 0;
      z = sum({{1, z}, {step * (1 + ratio), k}, {-step * ratio, before}});
      before = k;
      previous = step;
    } else if (o.solver == Solver::ddim) {
      const double kept = pure ? 0 : std::exp(-2 * h);
      const double nu = o.eta * sigma_s * std::sqrt(1 - kept) / sigma_t;
      z = sum({{alpha_s, denoised}, {std::sqrt(std::max(sigma_s * sigma_s - nu * nu, 0.0)), noise}});
      if (nu > 0) z.add(nu, fresh());
    } else if (o.solver == Solver::dpmpp_2m || o.solver == Solver::dpmpp_2m_sde) {
      const bool noisy = o.solver == Solver::dpmpp_2m_sde;
      const double hl =
          pure ? HUGE_VAL
               : (sigma_s == 0 ? HUGE_VAL : std::log(alpha_s / sigma_s)) - std::log(alpha_t / sigma_t);
      const double share =
          std::isfinite(hl) && std::isfinite(previous) && previous > 0 ? hl / (2 * previous) : 0;
      const Linear d = sum({{1 + share, denoised}, {-share, before}});
      const double lost = noisy ? 1 - std::exp(-2 * hl) : 1 - std::exp(-hl);
      z = sum({{sigma_s / sigma_t * (noisy ? std::exp(-hl) : 1), z}, {alpha_s * lost, d}});
      if (noisy) z.add(sigma_s * std::sqrt(lost), fresh());
      before = denoised;
      previous = hl;
    } else if (o.solver == Solver::euler_maruyama) {
      z = sum({{1 - h, z}, {2 * h, g}, {std::sqrt(2 * h), fresh()}});
    } else if (o.solver == Solver::exponential_em || o.solver == Solver::exponential_em_one_step) {
      const double decay = std::exp(-h);
      const double more =
          o.solver == Solver::exponential_em && previous > 0 ? 2 * (h - 1 + decay) / previous : 0;
      z = sum({{decay, z},
               {2 * (1 - decay) + more, g},
               {-more, before},
               {std::sqrt(1 - decay * decay), fresh()}});
      before = g;
      previous = h;
    } else {
      const bool shark = o.solver == Solver::shark;
      const Linear w = sum({{std::sqrt(h), fresh()}}), area = sum({{std::sqrt(h / 12), fresh()}});
      const double c = shark ? 5.0 / 6 : 3.0 / 4, root = std::sqrt(2.0);
      auto drift = [&](double theta, const Linear& x) { return sum({{-1 + 2 * excess(theta), x}}); };
      const Linear k1 = drift(t, shark ? sum({{1, z}, {root, area}}) : z);
      const Linear k2 = drift(OuProcess::angle(OuProcess::forward_time(t) - c * h),
                              sum({{1, z}, {c * h, k1}, {root * c, w}, {shark ? root : 1.5 * root, area}}));
      z = sum({{1, z}, {shark ? 0.4 * h : h / 3, k1}, {shark ? 0.6 * h : 2 * h / 3, k2}, {root, w}});
    }
    for (std::size_t m = 0; m < o.corrector_steps; ++m) {
      const double kept = std::exp(-o.corrector_size);
      z = sum({{kept + (1 - kept) * excess(s), z}, {std::sqrt(1 - kept * kept), fresh()}});
      previous = 0;
    }
  }
  return z;
}

const char* const names[] = {
    "euler", "heun",     "rk4",          "dopri5",         "tsit5",          "ab2",
    "ddim",  "dpmpp-2m", "dpmpp-2m-sde", "euler-maruyama", "exponential-em", "exponential-em-one-step",
    "sra1",  "shark"};

}  // namespace

TEST_CASE("7: every solver's covariance on the Gaussian copula is that of its recursion") {
  const std::size_t rows = 8000;
  const Vector start = closed_form::normals(rows, 3, 8), few(start.begin(), start.begin() + 150),
               nothing(150, 0.0);
  const closed_form::Eigen e = closed_form::eigen(gaussian3.correlation());
  OuField<double> field(gaussian3);
  OuField<float> narrow(gaussian3);
  for (const char* name : names) {
    const Solver solver = parse_solver(name);
    if (solver == Solver::dopri5 || solver == Solver::tsit5) continue;  // their order is tested
    for (double first : {1.45, reference_angle})
      for (double eta : {0.0, 0.4, 1.0})
        for (std::size_t corrections : {0, 2}) {
          if (eta > 0 && (solver != Solver::ddim || corrections)) continue;
          SolverOptions options = with(solver, angles(first, 8));
          options.eta = eta;
          options.corrector_steps = corrections;
          options.corrector_size = 0.1;
          Vector gain, variance;
          for (double lambda : e.values) {
            const Linear end = recursion(options, lambda);
            gain.push_back(end.c[0]);
            variance.push_back(end.c[0] * end.c[0] + end.variance());
          }
          const Vector a = run(field, options, few), b = run(field, options, nothing);
          Vector difference(a.size());
          for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
          CHECK(largest_difference(difference, apply_to_rows(closed_form::compose(e.vectors, gain), few)) <
                1e-12);
          CHECK(largest_difference(run(narrow, options, few), a) < 2e-5);
          if (largest_difference(b, nothing) == 0) continue;
          const Vector end = run(field, options, start);
          check_covariance(covariance_of(end, 3), closed_form::compose(e.vectors, variance),
                           static_cast<double>(rows), 4);
        }
  }
}

TEST_CASE("7: the same from a Brownian tree, whatever the batch") {
  const std::size_t rows = 1500;
  const Vector start = closed_form::normals(rows, 3, 18);
  const closed_form::Eigen e = closed_form::eigen(gaussian3.correlation());
  OuField<double> field(gaussian3);
  for (const char* name : {"dpmpp-2m-sde", "exponential-em", "sra1", "shark"})
    for (double first : {1.3, reference_angle}) {
      SolverOptions options = with(parse_solver(name), angles(first, 8), 4);
      options.brownian = Brownian::tree;
      Vector variance;
      for (double lambda : e.values) {
        const Linear end = recursion(options, lambda);
        variance.push_back(end.c[0] * end.c[0] + end.variance());
      }
      const Vector end = run(field, options, start);
      check_covariance(covariance_of(end, 3), closed_form::compose(e.vectors, variance),
                       static_cast<double>(rows), 4.5);
      options.first_row = 500;
      const Vector part(start.begin() + 1500, start.begin() + 1800);
      CHECK(run(field, options, part) == Vector(end.begin() + 1500, end.begin() + 1800));
    }
}

TEST_CASE("7: stationary solvers keep independent coordinates standard normal") {
  const std::size_t rows = 20000;
  const Gaussian independent(closed_form::identity(3));
  OuField<double> field(independent);
  const Vector start = closed_form::normals(rows, 3, 9), few(start.begin(), start.begin() + 300);
  for (const char* name : {"euler", "heun", "rk4", "dopri5", "tsit5", "ab2"})
    CHECK(run(field, with(parse_solver(name), angles(reference_angle, 6)), few) == few);
  // noise that is right at any step size, with a corrector of any size too
  for (const char* name : {"exponential-em", "exponential-em-one-step"})
    for (std::size_t corrections : {0, 3}) {
      SolverOptions options = with(parse_solver(name), angles(reference_angle, 6));
      options.corrector_steps = corrections;
      options.corrector_size = 0.7;
      const Linear end = recursion(options, 1);
      CHECK_NEAR(end.c[0] * end.c[0] + end.variance(), 1, 1e-14);
      check_covariance(covariance_of(run(field, options, start), 3), closed_form::identity(3),
                       static_cast<double>(rows), 4);
    }
}

TEST_CASE("8: strong orders, on one Brownian path each row") {
  const std::size_t rows = 60;
  const Vector start = closed_form::normals(rows, 3, 21);
  OuField<double> field(mixture3);
  auto at = [&](Solver solver, std::size_t steps) {
    SolverOptions options = with(solver, times(1.2, steps), 5);
    options.brownian = Brownian::tree;
    return run(field, options, start);
  };
  const Vector end = at(Solver::shark, 2048);
  const struct {
    Solver solver;
    double least, most;
  } methods[] = {{Solver::euler_maruyama, 0.8, 1.2},
                 {Solver::exponential_em_one_step, 0.8, 1.2},
                 {Solver::sra1, 1.4, 2.1},
                 {Solver::shark, 1.4, 2.1}};
  for (const auto& m : methods) {
    Vector steps, errors;
    for (std::size_t count : {32, 64, 128, 256}) {
      steps.push_back(static_cast<double>(count));
      errors.push_back(rms_difference(at(m.solver, count), end));
    }
    std::printf("      %s: strong order %.3f, error %.1e at %g steps\n", names[static_cast<int>(m.solver)],
                order(steps, errors), errors.back(), steps.back());
    CHECK(order(steps, errors) > m.least && order(steps, errors) < m.most);
  }
}

TEST_CASE("8: weak orders") {
  // of the variance, which is known exactly on the Gaussian copula
  const double lambda = 1.7;
  const struct {
    Solver solver;
    double order;
  } methods[] = {{Solver::euler_maruyama, 1},
                 {Solver::exponential_em_one_step, 1},
                 {Solver::sra1, 2},
                 {Solver::shark, 2}};
  auto variance = [&](Solver solver, std::size_t steps) {
    const Linear end = recursion(with(solver, times(1.0, steps)), lambda);
    return end.c[0] * end.c[0] + end.variance();
  };
  const double exact = (4 * variance(Solver::shark, 512) - variance(Solver::shark, 256)) / 3;
  for (const auto& m : methods) {
    Vector steps, errors;
    for (std::size_t count : {16, 32, 64, 128}) {
      steps.push_back(static_cast<double>(count));
      errors.push_back(std::abs(variance(m.solver, count) - exact));
    }
    std::printf("      %s: weak order %.3f\n", names[static_cast<int>(m.solver)], order(steps, errors));
    CHECK_NEAR(order(steps, errors), m.order, 0.2);
  }
  // the code's own gain, E[z_0 | z_T] / z_T, has them too
  const Gaussian pair(closed_form::equicorrelation(2, 0.7));
  OuField<double> field(pair);
  auto gain = [&](Solver solver, std::size_t steps) {
    const SolverOptions options = with(solver, times(1.0, steps));
    return run(field, options, {1, 1})[0] - run(field, options, {0, 0})[0];
  };
  const double limit = (4 * gain(Solver::shark, 512) - gain(Solver::shark, 256)) / 3;
  for (const auto& m : methods) {
    Vector steps, errors;
    for (std::size_t count : {16, 32, 64, 128}) {
      steps.push_back(static_cast<double>(count));
      errors.push_back(std::abs(gain(m.solver, count) - limit));
    }
    CHECK_NEAR(order(steps, errors), m.order, 0.2);
  }
}

TEST_CASE("adaptive stochastic solvers follow one path to their tolerance, row by row") {
  const std::size_t rows = 40;
  const Vector start = closed_form::normals(rows, 3, 22);
  OuField<double> field(mixture3);
  SolverOptions fine = with(Solver::shark, times(1.2, 1024), 6);
  fine.brownian = Brownian::tree;
  const Vector end = run(field, fine, start);
  for (Solver solver : {Solver::sra1, Solver::shark}) {
    double before = 1;
    for (double tolerance : {3e-2, 3e-3, 3e-4}) {
      SolverOptions options = with(solver, {OuProcess::angle(1.2), OuProcess::angle(1.15), 0}, 6);
      options.brownian = Brownian::tree;
      options.adaptive = true;
      options.rtol = options.atol = tolerance;
      SolverStatistics s;
      const Vector got = run(field, options, start, &s);
      const double error = rms_difference(got, end);
      std::printf("      %s at %.0e: error %.1e, %.1f + %.1f steps a row\n", names[static_cast<int>(solver)],
                  tolerance, error, static_cast<double>(s.accepted) / rows,
                  static_cast<double>(s.rejected) / rows);
      CHECK(error < 10 * tolerance && error < before);
      before = error;
      options.first_row = 7;
      CHECK(run(field, options, Vector(start.begin() + 21, start.begin() + 24)) ==
            Vector(got.begin() + 21, got.begin() + 24));
    }
  }
  // from pure noise the first step leaves the reference
  SolverOptions options =
      with(Solver::shark, {reference_angle, OuProcess::angle(3), OuProcess::angle(2.8), 0}, 6);
  options.adaptive = true;
  options.rtol = options.atol = 1e-2;
  for (double x : run(field, options, start)) CHECK(std::isfinite(x) && std::abs(x) < 8);
}

TEST_CASE("the reverse process of reflection, with and without a corrector") {
  const Cosine cosine(2, {{0.8, {1, 1}}});
  CosineField<double> field(cosine);
  const std::size_t rows = 1200;
  Vector start = closed_form::normals(rows, 2, 23);
  for (double& x : start) x = normal_cdf(x);
  // E[cos(pi u) cos(pi v)] = 0.8 / 4
  auto moment = [&](const Vector& u) {
    Mean m;
    for (std::size_t i = 0; i < rows; ++i) m.add(std::cos(M_PI * u[2 * i]) * std::cos(M_PI * u[2 * i + 1]));
    return m;
  };
  SolverOptions options = with(Solver::euler_maruyama, {}, 7);
  for (std::size_t i = 0; i <= 60; ++i) {
    const double share = static_cast<double>(60 - i) / 60;
    options.nodes.push_back(0.9 * share * share);
  }
  for (Brownian brownian : {Brownian::steps, Brownian::tree})
    for (std::size_t corrections : {0, 1}) {
      options.brownian = brownian;
      options.corrector_steps = corrections;
      options.corrector_size = 1e-3;
      const Vector end = run(field, options, start);
      for (double x : end) CHECK(x >= 0 && x <= 1);
      const Mean m = moment(end);
      std::printf("      moment %.4f +- %.4f of 0.2\n", m.value(), m.error());
      CHECK_NEAR(m.value(), 0.2, 0.015 + 4 * m.error());
    }
}

// ---- 23

namespace {

struct Increments {
  Vector w, h;
};

Increments increments(double from, double to, double span, std::size_t rows, std::size_t columns,
                      const std::uint32_t* map = nullptr, std::uint64_t first_row = 0) {
  const auto backend = make_cpu_backend<double>(2);
  const Matrix<double> w = backend->matrix(rows, columns), h = backend->matrix(rows, columns);
  const Vector begin(rows, from), end(rows, to);
  backend->brownian(w, h, {11, first_row, map, span}, begin.data(), end.data());
  return {on_host<double>(*backend, w), on_host<double>(*backend, h)};
}

double moment(const Vector& a, const Vector& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total / static_cast<double>(a.size());
}

}  // namespace

TEST_CASE("23: laws of the Brownian tree") {
  const double span = 2.3;
  const std::size_t rows = 400;
  const struct {
    double from, to;
  } intervals[] = {{0, 2.3}, {0.7, 0.70001}, {0.3, 1.9}};
  for (const auto& [from, to] : intervals) {
    const Increments x = increments(from, to, span, rows, 600);
    const double h = to - from;
    CHECK_NEAR(moment(x.w, x.w) / h, 1, 0.01);
    CHECK_NEAR(moment(x.h, x.h) / (h / 12), 1, 0.01);
    CHECK_NEAR(moment(x.w, x.h) / (h / std::sqrt(12.0)), 0, 0.01);
    std::printf("      [%g, %g]: %.4f %.4f %.4f\n", from, to, moment(x.w, x.w) / h,
                moment(x.h, x.h) / (h / 12), moment(x.w, x.h) / (h / std::sqrt(12.0)));
  }
  // increments over neighbours are independent, whether or not the tree splits between them
  for (double middle : {1.15, 0.9}) {
    const Increments a = increments(0.4, middle, span, rows, 256), b = increments(middle, 2, span, rows, 256);
    const double left_length = middle - 0.4, right_length = 2 - middle,
                 scale = std::sqrt(left_length * right_length);
    CHECK_NEAR(moment(a.w, b.w) / scale, 0, 0.0125);
    CHECK_NEAR(moment(a.h, b.w) / scale * std::sqrt(12.0), 0, 0.0125);
    CHECK_NEAR(moment(a.w, b.h) / scale * std::sqrt(12.0), 0, 0.0125);
    CHECK_NEAR(moment(a.h, b.h) / scale * 12, 0, 0.0125);
  }
}

TEST_CASE("23: Chen's relation, and the same path for any batch") {
  const double span = 2.3;
  for (const auto& [from, middle, to] : {std::array{0.0, 1.15, 2.3}, {0.2, 0.9, 1.1}, {0.5, 0.50001, 2.0}}) {
    const Increments whole = increments(from, to, span, 40, 5), a = increments(from, middle, span, 40, 5),
                     b = increments(middle, to, span, 40, 5);
    const double la = middle - from, lb = to - middle;
    for (std::size_t i = 0; i < whole.w.size(); ++i) {
      CHECK_NEAR(whole.w[i], a.w[i] + b.w[i], 1e-12);
      const double area = (la * (a.h[i] + a.w[i] / 2) + lb * (a.w[i] + b.h[i] + b.w[i] / 2)) / (to - from) -
                          (a.w[i] + b.w[i]) / 2;
      CHECK_NEAR(whole.h[i], area, 1e-12);
    }
  }
  const Increments all = increments(0.3, 0.8, span, 40, 5),
                   tail = increments(0.3, 0.8, span, 10, 5, nullptr, 30);
  CHECK(Vector(all.w.begin() + 150, all.w.end()) == tail.w);
  const std::uint32_t map[] = {39, 3, 17};
  const Increments picked = increments(0.3, 0.8, span, 3, 5, map);
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t j = 0; j < 5; ++j) CHECK_EQUAL(picked.h[5 * k + j], all.h[5 * map[k] + j]);
  const Increments none = increments(0.8, 0.8, span, 2, 3);
  CHECK(none.w == Vector(6, 0.0) && none.h == Vector(6, 0.0));
}
