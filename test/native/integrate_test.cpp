// Integrators of ordinary differential equations on fields in closed form. Numbers in the names of the cases
// are those of the test table (docs/mathematics.md, I).
#include "integrate/rules/tableau.hpp"
#include "integrate/steps/clock.hpp"
#include "model/field_rows.hpp"
#include "support.hpp"

using namespace support;

namespace {

SolverOptions with(Solver solver, Clock clock, Vector nodes) {
  SolverOptions options;
  options.solver = solver;
  options.clock = clock;
  options.nodes = std::move(nodes);
  options.seed = 1;
  return options;
}

// `steps` steps, uniform in the clock, by default from pure noise to data.
Vector grid(Clock clock, std::size_t steps, double first = reference_angle, double last = 0) {
  Vector nodes;
  const double from = to_clock(clock, first), to = to_clock(clock, last);
  for (std::size_t i = 0; i <= steps; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(steps);
    nodes.push_back(i == 0 ? first : i == steps ? last : from_clock(clock, from + share * (to - from)));
  }
  return nodes;
}

// Reflection: nodes T (1 - i / steps)^2.
Vector quadratic_grid(double last, std::size_t steps) {
  Vector nodes;
  for (std::size_t i = 0; i <= steps; ++i) {
    const double share = static_cast<double>(steps - i) / static_cast<double>(steps);
    nodes.push_back(last * share * share);
  }
  return nodes;
}

Vector reversed(Vector nodes) {
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

template <class T>
Vector run(sklar::Field<T>& field, const SolverOptions& options, const Vector& start,
           SolverStatistics* statistics = nullptr) {
  const auto backend = make_cpu_backend<T>(1);
  const Matrix<T> y = on_backend(*backend, start, field.dim(), true);
  const auto done = integrate<T>(*backend, field, options, y, nullptr, {});
  if (statistics) *statistics = done;
  return on_host<T>(*backend, left(y, field.dim()));
}

Vector map_of(const Copula& copula, const SolverOptions& options, const Vector& start,
              SolverStatistics* statistics = nullptr) {
  OuField<double> field(copula);
  return run(field, options, start, statistics);
}

const char* name_of(Solver solver) {
  switch (solver) {
    case Solver::euler:
      return "euler";
    case Solver::heun:
      return "heun";
    case Solver::rk4:
      return "rk4";
    case Solver::dopri5:
      return "dopri5";
    case Solver::tsit5:
      return "tsit5";
    case Solver::ab2:
      return "ab2";
    default:
      return "?";
  }
}

void check_order(const Copula& copula, Solver solver, Clock clock, const std::vector<std::size_t>& counts,
                 const Vector& start, const Vector& end, double expected, double first = reference_angle,
                 double last = 0) {
  Vector steps, errors;
  for (std::size_t count : counts) {
    errors.push_back(
        rms_difference(map_of(copula, with(solver, clock, grid(clock, count, first, last)), start), end));
    steps.push_back(static_cast<double>(count));
  }
  const double slope = order(steps, errors);
  std::printf("      %s in clock %d: order %.3f, error %.1e at %g steps\n", name_of(solver),
              static_cast<int>(clock), slope, errors.back(), steps.back());
  CHECK_NEAR(slope, expected, 0.15);
}

const Cosine cosine2(2, {{0.5, {1, 1}}, {-0.3, {2, 1}}});

Vector uniforms(std::size_t count, std::uint64_t seed) {
  Vector u;
  for (std::size_t i = 0; i < count; ++i) u.push_back(closed_form::uniform(seed, i, 0));
  return u;
}

}  // namespace

TEST_CASE("clocks and their inverses") {
  for (double theta : {0.0, 1e-9, 1e-3, 0.3, 1.0, 1.5, 1.570796, reference_angle}) {
    for (Clock clock : {Clock::alpha, Clock::theta})
      CHECK_NEAR(from_clock(clock, to_clock(clock, theta)), theta, theta < 1e-3 ? 1e-7 : 1e-12);
    CHECK_NEAR(to_clock(Clock::w, from_clock(Clock::w, to_clock(Clock::w, theta))), to_clock(Clock::w, theta),
               1e-15);
    CHECK_NEAR(OuProcess::angle(OuProcess::forward_time(theta)), theta, 1e-14);
  }
  CHECK_EQUAL(to_clock(Clock::w, reference_angle), 0.0);
  CHECK_EQUAL(from_clock(Clock::w, 0), reference_angle);
  CHECK_EQUAL(OuProcess::forward_time(reference_angle), HUGE_VAL);
}

TEST_CASE("tableaus fulfil the order conditions") {
  const struct {
    Solver solver;
    int order;
  } methods[] = {
      {Solver::euler, 1}, {Solver::heun, 2}, {Solver::rk4, 4}, {Solver::dopri5, 5}, {Solver::tsit5, 5}};
  for (const auto& m : methods) {
    const Tableau& t = tableau_of(m.solver);
    for (std::size_t i = 0; i < t.stages; ++i) {
      double row = 0;
      for (double a : t.a[i]) row += a;
      CHECK_NEAR(row, t.c[i], 1e-14);
    }
    // sum b c^(k-1) = 1/k and sum b A c^(k-1) = 1/(k (k+1))
    for (int k = 1; k <= m.order; ++k) {
      double sum = 0, through = 0, error = 0;
      for (std::size_t i = 0; i < t.stages; ++i) {
        const double power = k == 1 ? 1 : std::pow(t.c[i], k - 1);
        sum += t.b[i] * power;
        error += t.e[i] * power;
        for (std::size_t j = 0; j < i; ++j)
          through += t.b[i] * t.a[i][j] * (k == 1 ? 1 : std::pow(t.c[j], k - 1));
      }
      CHECK_NEAR(sum, 1.0 / k, 1e-14);
      if (k < m.order) CHECK_NEAR(through, 1.0 / (k * (k + 1)), 1e-14);
      // the embedded solution is of order 4
      if (k < 5) CHECK_NEAR(error, 0.0, 1e-14);
    }
    if (t.embedded)
      for (std::size_t j = 0; j < t.stages; ++j) CHECK_EQUAL(t.a[t.stages - 1][j], t.b[j]);
  }
}

TEST_CASE("5: orders on the Gaussian copula, whose map is known") {
  const Vector start = closed_form::normals(16, 3, 5);
  const closed_form::Eigen e = closed_form::eigen(gaussian3.correlation());
  Vector root;
  for (double lambda : e.values) root.push_back(std::sqrt(lambda));
  const Vector end = apply_to_rows(closed_form::compose(e.vectors, root), start);
  const Clock clock = Clock::theta;
  check_order(gaussian3, Solver::euler, clock, {128, 256, 512, 1024}, start, end, 1);
  check_order(gaussian3, Solver::heun, clock, {64, 128, 256}, start, end, 2);
  check_order(gaussian3, Solver::ab2, clock, {128, 256, 512}, start, end, 2);
  check_order(gaussian3, Solver::rk4, clock, {32, 64, 128}, start, end, 4);
}

TEST_CASE("5: orders on the mixture, in three clocks") {
  const Vector start = closed_form::normals(16, 3, 6);
  const Vector end = map_of(mixture3, with(Solver::tsit5, Clock::theta, grid(Clock::theta, 400)), start);
  CHECK(largest_difference(end, reference_map(mixture3, start, 800)) < 1e-8);
  for (Clock clock : {Clock::theta, Clock::alpha, Clock::w}) {
    check_order(mixture3, Solver::euler, clock, {128, 256, 512}, start, end, 1);
    check_order(mixture3, Solver::heun, clock, {64, 128, 256}, start, end, 2);
    check_order(mixture3, Solver::ab2, clock, {128, 256, 512}, start, end, 2);
  }
  check_order(mixture3, Solver::rk4, Clock::theta, {32, 64, 128}, start, end, 4);
}

TEST_CASE("5: dopri5 and tsit5 are of order 5") {
  // away from the ends of the clock theta, about which the flow is symmetric: there methods do better than
  // their order
  const double first = 1.2, last = 0.1;
  const Vector start = closed_form::normals(16, 2, 10);
  const Vector end =
      map_of(cross, with(Solver::tsit5, Clock::theta, grid(Clock::theta, 2000, first, last)), start);
  for (Solver solver : {Solver::dopri5, Solver::tsit5})
    check_order(cross, solver, Clock::theta, {64, 90, 128}, start, end, 5, first, last);
}

TEST_CASE("6: third-order interactions lower the order in the clock w alone") {
  const Vector start = closed_form::normals(16, 3, 7);
  const Vector end = map_of(fgm3, with(Solver::tsit5, Clock::theta, grid(Clock::theta, 300)), start);
  for (Solver solver : {Solver::ab2, Solver::heun, Solver::rk4})
    check_order(fgm3, solver, Clock::w, {128, 256, 512}, start, end, 1.5);
  for (Clock clock : {Clock::theta, Clock::alpha})
    for (Solver solver : {Solver::ab2, Solver::heun})
      check_order(fgm3, solver, clock, {64, 128, 256}, start, end, 2);
  check_order(fgm3, Solver::rk4, Clock::theta, {16, 32, 64}, start, end, 4);
}

TEST_CASE("ab2 with 16 evaluations is nearer than ddim with 128") {
  const Vector start = closed_form::normals(200, 2, 8);
  const Vector end = map_of(cross, with(Solver::tsit5, Clock::theta, grid(Clock::theta, 400)), start);
  SolverStatistics few, many;
  const double ab2 =
      rms_difference(map_of(cross, with(Solver::ab2, Clock::w, grid(Clock::w, 16)), start, &few), end);
  const double ddim =
      rms_difference(map_of(cross, with(Solver::ddim, Clock::theta, grid(Clock::w, 128)), start, &many), end);
  const double ddim_theta =
      rms_difference(map_of(cross, with(Solver::ddim, Clock::theta, grid(Clock::theta, 128)), start), end);
  std::printf("      ab2, 16: %.2e; ddim, 128: %.2e on the grid of w, %.2e on that of theta\n", ab2, ddim,
              ddim_theta);
  CHECK_EQUAL(few.most_evaluations, 16u);
  CHECK_EQUAL(many.most_evaluations, 128u);
  CHECK(ab2 < ddim);
  CHECK(ab2 < ddim_theta);
  CHECK_NEAR(ab2, 5.6e-3, 2e-3);  // quoted in A.8
}

TEST_CASE("dpmpp-2m on a grid of lambda") {
  const Vector start = closed_form::normals(200, 2, 8);
  // its grid starts where sigma / alpha = 20, so the map does too
  const double first = std::atan(20.0);
  const Vector end = map_of(cross, with(Solver::tsit5, Clock::theta, grid(Clock::theta, 400, first)), start);
  auto error = [&](std::size_t steps) {
    Vector nodes;
    for (std::size_t i = 0; i < steps; ++i)
      nodes.push_back(
          std::atan(20 * std::pow(1e-3, static_cast<double>(i) / static_cast<double>(steps - 1))));
    nodes.push_back(0);
    return rms_difference(map_of(cross, with(Solver::dpmpp_2m, Clock::theta, nodes), start), end);
  };
  const double at_16 = error(16), at_32 = error(32), at_64 = error(64);
  std::printf("      %.2e with 16 evaluations, %.2e with 32, %.2e with 64\n", at_16, at_32, at_64);
  CHECK(at_16 < 2.5e-2);
  // of order 2, until the last step, to the mean at sigma / alpha = 0.02, is what remains
  CHECK(at_32 < at_16 / 2 && at_64 < at_32);
}

TEST_CASE("single precision follows double") {
  const Vector start = closed_form::normals(64, 3, 9);
  OuField<float> narrow(mixture3);
  OuField<double> wide(mixture3);
  for (Solver solver : {Solver::euler, Solver::heun, Solver::rk4, Solver::dopri5, Solver::tsit5, Solver::ab2})
    for (Clock clock : {Clock::w, Clock::alpha, Clock::theta}) {
      const SolverOptions options = with(solver, clock, grid(clock, 12));
      CHECK(largest_difference(run(narrow, options, start), run(wide, options, start)) < 2e-5);
    }
}

TEST_CASE("9: likelihood of the ou process") {
  const auto backend = make_cpu_backend<double>(2);
  const std::size_t rows = 60;
  for (const Copula* copula : {static_cast<const Copula*>(&mixture3), static_cast<const Copula*>(&fgm3)}) {
    const Vector z = copula->sample(rows, 11);
    OuField<double> field(*copula);
    Vector density(rows), exact(rows), end(rows * 3);
    for (std::size_t i = 0; i < rows; ++i) exact[i] = copula->at(1)->value(&z[3 * i]);
    FlowLikelihood out;
    out.log_pdf = density.data();
    out.end = end.data();
    SolverOptions options = with(Solver::rk4, Clock::theta, reversed(grid(Clock::theta, 40)));
    const RowScale gaussian{nullptr, nullptr, true, true};
    flow_log_pdf(*backend, field, options, gaussian, z.data(), rows, out, {}, {});
    CHECK(largest_difference(density, exact) < 1e-5);
    std::printf("      off by %.1e with 40 steps of rk4\n", largest_difference(density, exact));
    // and back again
    Vector back(rows * 3);
    options.nodes = grid(Clock::theta, 40);
    sample_field(*backend, field, options, gaussian, end.data(), rows, back.data(), {}, {});
    CHECK(largest_difference(back, z) < 1e-4);
    // an end at a finite time leaves out the log density there
    for (double last : {1.0, 2.0}) {
      Vector nodes;
      for (int i = 0; i <= 40; ++i) nodes.push_back(OuProcess::angle(last) * i / 40);
      options.nodes = nodes;
      flow_log_pdf(*backend, field, options, gaussian, z.data(), rows, out, {}, {});
      const auto there = copula->at(std::exp(-2 * last));
      for (std::size_t i = 0; i < rows; ++i)
        CHECK_NEAR(density[i] + there->value(&end[3 * i]), exact[i], 1e-5);
    }
    // the other solvers that can
    for (Solver solver : {Solver::heun, Solver::ab2, Solver::tsit5}) {
      options = with(solver, Clock::theta, reversed(grid(Clock::theta, 200)));
      flow_log_pdf(*backend, field, options, gaussian, z.data(), rows, out, {}, {});
      CHECK(largest_difference(density, exact) < (solver == Solver::tsit5 ? 1e-8 : 5e-3));
    }
    options = with(Solver::dopri5, Clock::theta, {0, 0.05, reference_angle});
    options.adaptive = true;
    options.rtol = options.atol = 1e-8;
    flow_log_pdf(*backend, field, options, gaussian, z.data(), rows, out, {}, {});
    CHECK(largest_difference(density, exact) < 1e-6);
  }
}

TEST_CASE("9: a guide is a change of variables of the likelihood too") {
  const auto backend = make_cpu_backend<double>(2);
  const std::size_t rows = 40;
  const Square root = closed_form::lower_root(guide3);
  const Mixture inner = mixture3.whitened(root);
  OuField<double> field(inner);
  const Vector z = mixture3.sample(rows, 12);
  Vector u = z, density(rows), exact(rows);
  for (double& x : u) x = normal_cdf(x);
  for (std::size_t i = 0; i < rows; ++i) exact[i] = mixture3.at(1)->value(&z[3 * i]);
  FlowLikelihood out;
  out.log_pdf = density.data();
  const SolverOptions options = with(Solver::rk4, Clock::theta, reversed(grid(Clock::theta, 80)));
  flow_log_pdf(*backend, field, options, {root.data.data(), nullptr, false, false}, u.data(), rows, out, {},
               {});
  CHECK(largest_difference(density, exact) < 1e-5);
}

TEST_CASE("14: likelihood of the reflection process") {
  const auto backend = make_cpu_backend<double>(2);
  const std::size_t rows = 80;
  const Vector u = uniforms(2 * rows, 13);
  CosineField<double> field(cosine2);
  Vector density(rows), end(2 * rows);
  FlowLikelihood out;
  out.log_pdf = density.data();
  out.end = end.data();
  for (double last : {0.5, 0.9}) {
    const SolverOptions options = with(Solver::rk4, Clock::time, reversed(quadratic_grid(last, 60)));
    flow_log_pdf(*backend, field, options, {}, u.data(), rows, out, {}, {});
    for (std::size_t i = 0; i < rows; ++i) {
      const double exact = cosine2.at(0, &u[2 * i]).log_density;
      CHECK_NEAR(density[i] + cosine2.at(last, &end[2 * i]).log_density, exact, 1e-6);
    }
    // and back again
    Vector back(2 * rows);
    sample_field(*backend, field, with(Solver::rk4, Clock::time, quadratic_grid(last, 60)), {}, end.data(),
                 rows, back.data(), {}, {});
    CHECK(largest_difference(back, u) < 1e-6);
  }
}

TEST_CASE("15: no flow through the faces, and the folded map has its order") {
  for (double t : {0.1, 0.4})
    for (double face : {0.0, 1.0})
      for (double other : {0.2, 0.7}) {
        const double u[2] = {face, other};
        CHECK_NEAR(cosine2.at(t, u).gradient[0], 0.0, 1e-12);
      }
  Vector start = uniforms(60, 14);
  // on and beside the faces, where steps cross
  for (std::size_t i = 0; i < 10; ++i)
    start[2 * i] = i % 2 ? 1 - 1e-4 * static_cast<double>(i) : 1e-4 * static_cast<double>(i);
  CosineField<double> field(cosine2);
  const Vector end = run(field, with(Solver::tsit5, Clock::time, quadratic_grid(0.9, 600)), start);
  for (double x : end) CHECK(x >= 0 && x <= 1);
  CHECK_NEAR(end[0], 0.0, 1e-12);  // what starts on a face stays there
  const struct {
    Solver solver;
    double order;
  } methods[] = {{Solver::euler, 1}, {Solver::heun, 2}, {Solver::ab2, 2}, {Solver::rk4, 4}};
  for (const auto& m : methods) {
    Vector steps, errors;
    for (std::size_t count : {40, 80, 160}) {
      steps.push_back(static_cast<double>(count));
      errors.push_back(
          rms_difference(run(field, with(m.solver, Clock::time, quadratic_grid(0.9, count)), start), end));
    }
    std::printf("      %s: order %.3f, error %.1e at %g steps\n", name_of(m.solver), order(steps, errors),
                errors.back(), steps.back());
    CHECK_NEAR(order(steps, errors), m.order, 0.2);
  }
  CosineField<float> narrow(cosine2);
  const SolverOptions options = with(Solver::heun, Clock::time, quadratic_grid(0.9, 32));
  CHECK(largest_difference(run(narrow, options, start), run(field, options, start)) < 1e-5);
}

TEST_CASE("adaptive steps keep to their tolerance, row by row") {
  const std::size_t rows = 50;
  const Vector start = closed_form::normals(rows, 2, 15);
  const Vector end = map_of(cross, with(Solver::tsit5, Clock::theta, grid(Clock::theta, 800)), start);
  for (Solver solver : {Solver::dopri5, Solver::tsit5}) {
    double before = 1;
    for (double tolerance : {1e-3, 1e-5, 1e-7, 1e-9}) {
      SolverOptions options = with(solver, Clock::theta, {reference_angle, 1.5, 0});
      options.adaptive = true;
      options.rtol = options.atol = tolerance;
      SolverStatistics s;
      const Vector got = map_of(cross, options, start, &s);
      const double error = largest_difference(got, end);
      std::printf("      %s at %.0e: error %.1e, %.1f evaluations a row (at most %llu), %.1f + %.1f steps\n",
                  name_of(solver), tolerance, error, static_cast<double>(s.evaluations) / rows,
                  static_cast<unsigned long long>(s.most_evaluations), static_cast<double>(s.accepted) / rows,
                  static_cast<double>(s.rejected) / rows);
      CHECK(error < 50 * tolerance);
      CHECK(error < before);
      CHECK(s.most_evaluations >= s.evaluations / rows);
      before = error;
      // a row does not know of the others
      const Vector one(start.begin() + 14, start.begin() + 16);
      CHECK(map_of(cross, options, one) == Vector(got.begin() + 14, got.begin() + 16));
    }
  }
  // in other clocks, and for reflection
  SolverOptions options = with(Solver::tsit5, Clock::w, {reference_angle, 1.4, 0});
  options.adaptive = true;
  options.rtol = options.atol = 1e-6;
  CHECK(largest_difference(map_of(cross, options, start), end) < 1e-4);
  CosineField<double> field(cosine2);
  const Vector u = uniforms(2 * rows, 16);
  options = with(Solver::dopri5, Clock::time, {0.9, 0.85, 0});
  options.adaptive = true;
  options.rtol = options.atol = 1e-7;
  const Vector smooth = run(field, with(Solver::tsit5, Clock::time, quadratic_grid(0.9, 400)), u);
  CHECK(largest_difference(run(field, options, u), smooth) < 1e-5);
}

namespace {

// Independence, but not finite in the first coordinate's right half after a given angle.
class Broken final : public sklar::Field<double> {
 public:
  Process process() const override { return Process::ou; }
  std::size_t dim() const override { return 2; }
  std::size_t batch_rows() const override { return 100; }
  void evaluate(MatrixView<const double> y, const double* time, Form, MatrixView<double> out) override {
    for (std::size_t i = 0; i < y.rows; ++i) {
      out.row(i)[1] = 0;
      out.row(i)[0] = y.row(i)[0] > 0 && time[i] < 0.5 ? NAN : 0;
    }
  }
  void divergence(MatrixView<const double>, const double*, Form, const TraceEstimator&, MatrixView<double>,
                  double*) override {}
};

}  // namespace

TEST_CASE(
    "a field that is not finite stops the integration, which says where and keeps the last good state") {
  const auto backend = make_cpu_backend<double>(1);
  for (bool adaptive : {false, true}) {
    SolverOptions options = with(Solver::tsit5, Clock::theta, {1, 0.75, 0.5, 0.25, 0});
    options.adaptive = adaptive;
    options.atol = 1e-3;
    options.first_row = 70;
    const Matrix<double> y = on_backend(*backend, {-1, 2, 3, 4, -5, 6, 7, 8}, 2, true);
    Broken field;
    LastGoodState last;
    CHECK_THROWS(integrate<double>(*backend, field, options, y, nullptr, {}), Diverged,
                 (last = error.state, error.code() == "DIVERGED") &&
                     error.message().find("2 rows") != std::string::npos &&
                     error.message().find("row 71") != std::string::npos &&
                     error.message().find("0.5") != std::string::npos);
    CHECK(last.rows == (std::vector<std::uint64_t>{71, 73}));
    for (double time : last.times) CHECK_NEAR(time, 0.5, adaptive ? 1e-3 : 0);
    CHECK_EQUAL(last.times.size(), 2u);
    CHECK(on_host<double>(*backend, left(y, 2)) == (Vector{-1, 2, 3, 4, -5, 6, 7, 8}));
  }
}

TEST_CASE("options that do not fit are refused") {
  const auto backend = make_cpu_backend<double>(1);
  OuField<double> ou(gaussian3);
  CosineField<double> cube(cosine2);
  const Matrix<double> y3 = on_backend(*backend, Vector(6, 0.1), 3, true),
                       y2 = on_backend(*backend, Vector(4, 0.1), 2, true);
  const SolverOptions good = with(Solver::heun, Clock::w, {1, 0.5, 0});
  auto refused = [&](auto change, bool reflection = false) {
    SolverOptions options = good;
    change(options);
    bool thrown = false;
    try {
      if (reflection)
        integrate<double>(*backend, cube, options, y2, nullptr, {});
      else
        integrate<double>(*backend, ou, options, y3, nullptr, {});
    } catch (const Error& error) {
      thrown = error.code() == "VALUE";
    }
    CHECK(thrown);
  };
  integrate<double>(*backend, ou, good, y3, nullptr, {});
  refused([](SolverOptions& o) { o.nodes = {1}; });
  refused([](SolverOptions& o) { o.nodes = {1, 1}; });
  refused([](SolverOptions& o) { o.nodes = {1, 0.5, 0.7}; });
  refused([](SolverOptions& o) { o.nodes = {1.6, 0}; });
  refused([](SolverOptions& o) { o.nodes = {1, NAN}; });
  refused([](SolverOptions& o) { o.clock = Clock::time; });
  refused([](SolverOptions& o) { o.adaptive = true, o.atol = 1; });
  refused([](SolverOptions& o) { o.solver = Solver::tsit5, o.adaptive = true; });
  refused([](SolverOptions& o) { o.eta = 0.5; });
  refused([](SolverOptions& o) { o.corrector_steps = 1; });
  refused([](SolverOptions& o) { o.solver = Solver::ddim, o.nodes = {0, 1}; });
  refused([](SolverOptions& o) { o.clock = Clock::w; }, true);
  refused([](SolverOptions& o) { o.solver = Solver::ddim; }, true);
  refused([](SolverOptions& o) { o.solver = Solver::shark; }, true);
  CHECK_THROWS(parse_solver("rk9"), Error, error.code() == "VALUE");
  CHECK_THROWS(parse_clock("noon"), Error, error.code() == "VALUE");
  CancelFlag cancelled;
  cancelled.cancel();
  CHECK_THROWS(integrate<double>(*backend, ou, good, y3, nullptr, cancelled), Error,
               error.code() == "ABORTED");
}
