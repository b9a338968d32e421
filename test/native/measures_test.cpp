// Rank measures against their definitions, and the bound of the log density that a field gives against the
// log density (docs/mathematics.md, E and D.3).
#include "statistics/measures.hpp"

#include <algorithm>

#include "check.hpp"
#include "closed_form.hpp"
#include "core/error.hpp"
#include "field_values.hpp"
#include "model/field_bound.hpp"

using namespace sklar;
using field_values::draw;
using field_values::Mean;
using field_values::Vector;

namespace {

const CancelFlag go;

// Columns with no, some and many ties, and one that is another's function.
Vector rows_with_ties(std::size_t n) {
  const Vector z = closed_form::normals(n, 3, 7);
  Vector x(n * 4);
  for (std::size_t i = 0; i < n; ++i) {
    x[i * 4] = z[i * 3];
    x[i * 4 + 1] = std::round(3 * (z[i * 3] + z[i * 3 + 1]));
    x[i * 4 + 2] = std::round(z[i * 3 + 2] - 0.5 * z[i * 3]);
    x[i * 4 + 3] = -std::exp(z[i * 3]);
  }
  return x;
}

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

double tau_by_definition(const Vector& x, std::size_t n, std::size_t d, std::size_t i, std::size_t j) {
  double both = 0, first = 0, second = 0;
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = 0; b < a; ++b) {
      const double s = sign(x[a * d + i] - x[b * d + i]), t = sign(x[a * d + j] - x[b * d + j]);
      both += s * t;
      first += s * s;
      second += t * t;
    }
  return both / std::sqrt(first * second);
}

double rank(const Vector& x, std::size_t n, std::size_t d, std::size_t j, std::size_t row) {
  double result = 0.5;
  for (std::size_t i = 0; i < n; ++i)
    result += x[i * d + j] < x[row * d + j] ? 1 : x[i * d + j] == x[row * d + j] ? 0.5 : 0;
  return result;
}

}  // namespace

TEST_CASE("whole weights are repeated rows, equal ones are none") {
  constexpr std::size_t n = 60;
  const Vector x = rows_with_ties(n), ones(n, 1.0);
  Vector weights(n), repeated;
  for (std::size_t i = 0; i < n; ++i) {
    weights[i] = static_cast<double>(1 + i * 7 % 4);
    for (double k = 0; k < weights[i]; ++k) repeated.insert(repeated.end(), &x[i * 4], &x[i * 4] + 4);
  }
  const std::size_t all = repeated.size() / 4;
  const auto same = [](const Vector& a, const Vector& b) {
    for (std::size_t k = 0; k < a.size(); ++k) CHECK_NEAR(a[k], b[k], 1e-12);
  };
  const double *w = weights.data(), *none = nullptr;
  same(kendall_tau(1, x.data(), w, n, 4, go), kendall_tau(1, repeated.data(), none, all, 4, go));
  same(spearman_rho(1, x.data(), w, n, 4, go), spearman_rho(1, repeated.data(), none, all, 4, go));
  same(blomqvist_beta(1, x.data(), w, n, 4, go), blomqvist_beta(1, repeated.data(), none, all, 4, go));
  const Vector q{0.2, 0.9};
  const TailCurves one = tail_curves(1, x.data(), w, n, 4, q, go),
                   many = tail_curves(1, repeated.data(), none, all, 4, q, go);
  same(one.lower, many.lower);
  same(one.upper, many.upper);
  const KendallVariance equal = kendall_variance(1, x.data(), ones.data(), n, 4, go),
                        plain = kendall_variance(1, x.data(), none, n, 4, go);
  same(equal.pairs, plain.pairs);
  CHECK_NEAR(equal.mean, plain.mean, 1e-12);
  CHECK(kendall_variance(3, x.data(), w, n, 4, go).mean == kendall_variance(1, x.data(), w, n, 4, go).mean);
}

TEST_CASE("Kendall's tau-b by its definition, ties and all") {
  for (const std::size_t n : {2, 3, 17, 200}) {
    const Vector x = rows_with_ties(n), tau = kendall_tau(1, x.data(), nullptr, n, 4, go);
    if (n < 17) {
      CHECK_NEAR(tau[3], -1.0, 1e-15);
      continue;
    }
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) CHECK_NEAR(tau[i * 4 + j], tau_by_definition(x, n, 4, i, j), 1e-14);
  }
}

TEST_CASE("the variance of Kendall's tau by its definition, for any number of threads") {
  for (const std::size_t n : {3, 17, 150}) {
    const Vector x = rows_with_ties(n);
    const KendallVariance found = kendall_variance(1, x.data(), nullptr, n, 4, go),
                          again = kendall_variance(3, x.data(), nullptr, n, 4, go);
    CHECK(found.pairs == again.pairs);
    CHECK(found.mean == again.mean);
    const double rows = static_cast<double>(n);
    Vector total(n);
    const auto variance = [&](const Vector& h) {
      double mean = 0, square = 0;
      for (const double value : h) mean += value / rows;
      for (const double value : h) square += (value - mean) * (value - mean) / rows;
      return 4 * square / rows;
    };
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < i; ++j) {
        Vector h(n);
        for (std::size_t k = 0; k < n; ++k) {
          for (std::size_t l = 0; l < n; ++l)
            h[k] += sign(x[k * 4 + i] - x[l * 4 + i]) * sign(x[k * 4 + j] - x[l * 4 + j]) / (rows - 1);
          total[k] += h[k] / 6;
        }
        CHECK_NEAR(found.pairs[i * 4 + j], variance(h), 1e-14);
        CHECK(found.pairs[j * 4 + i] == found.pairs[i * 4 + j]);
      }
    CHECK_NEAR(found.mean, variance(total), 1e-14);
    CHECK(found.pairs[0] == 0);
  }
}

TEST_CASE("Spearman's rho by its definition, ties and all") {
  const std::size_t n = 150;
  const Vector x = rows_with_ties(n), rho = spearman_rho(1, x.data(), nullptr, n, 4, go);
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) {
      double ab = 0, aa = 0, bb = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const double a = rank(x, n, 4, i, k) - 75.5, b = rank(x, n, 4, j, k) - 75.5;
        ab += a * b;
        aa += a * a;
        bb += b * b;
      }
      CHECK_NEAR(rho[i * 4 + j], ab / std::sqrt(aa * bb), 1e-14);
    }
}

TEST_CASE("Blomqvist's beta counts sides of the medians") {
  const Vector even = {1, 10, 2, 30, 3, 20, 4, 40};  // sides -- -+ +- ++
  CHECK_NEAR(blomqvist_beta(1, even.data(), nullptr, 4, 2, go)[1], 0.0, 1e-15);
  const Vector odd = {1, 3, 2, 2, 3, 1};
  CHECK_NEAR(blomqvist_beta(1, odd.data(), nullptr, 3, 2, go)[1], -1.0, 1e-15);
  const Vector x = rows_with_ties(501), beta = blomqvist_beta(1, x.data(), nullptr, 501, 4, go);
  CHECK_NEAR(beta[3], -1.0, 1e-15);
}

TEST_CASE("tail curves by their definition, and 1 for comonotone columns") {
  const std::size_t n = 400;
  const Vector x = rows_with_ties(n), q = {0.05, 0.5, 0.9};
  const TailCurves curves = tail_curves(1, x.data(), nullptr, n, 4, q, go);
  for (std::size_t level = 0; level < 3; ++level)
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) {
        // of a block of equal values the share of its levels that is beyond
        const auto below = [&](std::size_t column, std::size_t k) {
          double equal = 0;
          for (std::size_t l = 0; l < n; ++l) equal += x[l * 4 + column] == x[k * 4 + column];
          const double before = rank(x, n, 4, column, k) - 0.5 * (equal + 1);
          return std::clamp((q[level] * n - before) / equal, 0.0, 1.0);
        };
        double low = 0, high = 0;
        for (std::size_t k = 0; k < n; ++k) {
          const double a = below(i, k), b = below(j, k);
          low += i == j ? a : a * b;
          high += i == j ? 1 - a : (1 - a) * (1 - b);
        }
        const std::size_t at = level * 16 + i * 4 + j;
        CHECK_NEAR(curves.lower[at], low / n / q[level], 1e-12);
        CHECK_NEAR(curves.upper[at], high / n / (1 - q[level]), 1e-12);
        const double p = (high + 1) / (n + 2);
        CHECK_NEAR(curves.upper_error[at], std::sqrt(p * (1 - p) / n) / (1 - q[level]), 1e-12);
      }
  CHECK_NEAR(curves.lower[0], 1.0, 1e-14);
  CHECK_NEAR(curves.upper[2 * 16], 1.0, 1e-12);
  CHECK_EQUAL(curves.upper[2 * 16 + 3], 0.0);
  CHECK_THROWS(tail_curves(1, x.data(), nullptr, n, 4, {1.0}, go), Error, error.code() == "VALUE");
}

TEST_CASE("measures do not depend on threads, stop when cancelled, and know constant columns") {
  const std::size_t n = 700;
  Vector x = rows_with_ties(n);
  CHECK(kendall_tau(1, x.data(), nullptr, n, 4, go) == kendall_tau(3, x.data(), nullptr, n, 4, go));
  CHECK(spearman_rho(1, x.data(), nullptr, n, 4, go) == spearman_rho(3, x.data(), nullptr, n, 4, go));
  CHECK(tail_curves(1, x.data(), nullptr, n, 4, {0.9}, go).upper ==
        tail_curves(3, x.data(), nullptr, n, 4, {0.9}, go).upper);
  CancelFlag stop;
  stop.cancel();
  CHECK_THROWS(kendall_tau(1, x.data(), nullptr, n, 4, stop), Error, error.code() == "ABORTED");
  CHECK_THROWS(kendall_tau(1, x.data(), nullptr, 1, 4, go), Error, error.code() == "SHAPE");
  for (std::size_t i = 0; i < n; ++i) x[i * 4 + 2] = 5;
  for (const Vector& m :
       {kendall_tau(2, x.data(), nullptr, n, 4, go), spearman_rho(2, x.data(), nullptr, n, 4, go),
        blomqvist_beta(2, x.data(), nullptr, n, 4, go)})
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) CHECK_EQUAL(std::isnan(m[i * 4 + j]), i == 2 || j == 2);
}

TEST_CASE("the field's bound is the log density where the field is exact") {
  const std::size_t n = 1500;
  const closed_form::Square r = closed_form::equicorrelation(3, 0.6),
                            s = closed_form::equicorrelation(3, -0.3);
  const auto mixture = make_mixture({0.6, 0.4}, {r.data, s.data}, 3);
  struct Case {
    std::shared_ptr<const ClosedForm> copula;
    Process process;
  };
  const Case cases[] = {{make_mixture({1}, {r.data}, 3), Process::ou},
                        {mixture, Process::ou},
                        {make_fgm(3, -0.9, {0, 1, 2}), Process::ou},
                        {make_fgm(3, -0.9, {0, 2}), Process::reflection},
                        {make_cosine(3, {0.5, -0.4}, {1, 1, 0, 1, 2, 1}), Process::reflection}};
  const auto backend = make_cpu_backend<double>(1);
  for (const Case& c : cases) {
    const Vector z = draw(*c.copula, n, 5, true), u = draw(*c.copula, n, 5, false);
    const auto field = make_closed_form_field<double>(*backend, c.copula, c.process);
    const double reference = c.process == Process::ou ? 1.5707963267948966 : 1.5;
    Vector from_z(n), from_u(n), part(100), exact(n);
    field_bound(*backend, *field, {reference, {}, true, 8, 3, 0}, z.data(), n, from_z.data(), go, {});
    field_bound(*backend, *field, {reference, {}, false, 8, 3, 0}, u.data(), n, from_u.data(), go, {});
    field_bound(*backend, *field, {reference, {}, true, 8, 3, 700}, &z[700 * 3], 100, part.data(), go, {});
    closed_form_log_pdf(*c.copula, 1, z.data(), true, n, exact.data(), go);
    Mean rest, whole;
    for (std::size_t i = 0; i < n; ++i) {
      CHECK_NEAR(from_z[i], from_u[i], 1e-6);
      rest.add(from_z[i] - exact[i]);
      whole.add(exact[i]);
    }
    CHECK_NEAR(rest.mean(), 0.0, 4 * rest.error());
    CHECK(rest.error() < 0.5 * whole.error() + 0.01);
    CHECK(std::equal(part.begin(), part.end(), from_z.begin() + 700));
  }
  // the same rows seen through a guide: z = L y, the field knows y
  const closed_form::Square guide = closed_form::equicorrelation(3, 0.4), l = closed_form::lower_root(guide),
                            inverse = closed_form::inverse_of_lower(l);
  auto whitened = [&](const closed_form::Square& a) {
    return closed_form::multiply(closed_form::multiply(inverse, a), closed_form::transposed(inverse)).data;
  };
  const auto inner = make_mixture({0.6, 0.4}, {whitened(r), whitened(s)}, 3);
  const auto field = make_closed_form_field<double>(*backend, inner, Process::ou);
  const Vector z = draw(*mixture, n, 5, true);
  Vector bound(n), exact(n);
  field_bound(*backend, *field, {1.5707963267948966, l.data, true, 8, 3, 0}, z.data(), n, bound.data(), go,
              {});
  closed_form_log_pdf(*mixture, 1, z.data(), true, n, exact.data(), go);
  Mean rest;
  for (std::size_t i = 0; i < n; ++i) rest.add(bound[i] - exact[i]);
  CHECK_NEAR(rest.mean(), 0.0, 4 * rest.error());
  CHECK(rest.error() < 0.05);
}
