// Sorting and ranks by their definitions, special functions by published values, margins by identities.
#include "margins/margin.hpp"

#include <algorithm>
#include <numeric>

#include "check.hpp"
#include "closed_form.hpp"
#include "core/normal.h"
#include "margins/columns.hpp"
#include "margins/pareto.hpp"
#include "margins/search.hpp"
#include "margins/sorted_column.hpp"
#include "special/special.hpp"

using namespace sklar;

namespace {

using Vector = std::vector<double>;
const CancelFlag go;

// Values of every size and sign, some of them many times.
Vector values_with_ties(std::size_t n, double grain) {
  const Vector z = closed_form::normals(n, 2, 5);
  Vector x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double value = z[2 * i] * std::pow(10, 3 * z[2 * i + 1]);
    x[i] = grain > 0 ? grain * std::round(value / grain) : value;
  }
  return x;
}

}  // namespace

TEST_CASE("weighted rows: levels, and generalised Pareto laws of repeated excesses") {
  const Vector x{3, 1, 2, 2, std::numeric_limits<double>::quiet_NaN()}, weights{2, 1, 3, 0.5, 4};
  const RankOptions mean{false, 1, 2};
  const SortedColumn column = sort_column(x, &weights, &mean, go);
  CHECK(column.weights == Vector({1, 3, 0.5, 2}));
  Vector levels(5), two(5);
  rank_levels(1, {column.ranks}, levels, go);
  // of a sum of 6.5
  CHECK_NEAR(levels[0], (4.5 + 1.5) / 7.5, 1e-15);
  CHECK_NEAR(levels[1], 1 / 7.5, 1e-15);
  CHECK_NEAR(levels[2], (1 + 2.25) / 7.5, 1e-15);
  CHECK(levels[2] == levels[3]);
  CHECK(std::isnan(levels[4]));
  const RankOptions random{true, 1, 2};
  const SortedColumn drawn = sort_column(x, &weights, &random, go);
  rank_levels(1, {drawn.ranks}, two, go);
  CHECK(two[2] != two[3]);
  CHECK_NEAR(3 * two[2] + 0.5 * two[3], 3.5 * levels[2], 0.35);

  Vector excesses, repeated, times;
  for (int i = 1; i <= 40; ++i) {
    excesses.push_back(-std::log1p(-i / 41.0));
    times.push_back(1 + i % 3);
    repeated.insert(repeated.end(), 1 + i % 3, excesses.back());
  }
  const ParetoFit one = fit_pareto(excesses, times, -0.5), many = fit_pareto(repeated, {}, -0.5);
  CHECK_NEAR(one.scale, many.scale, 1e-6);
  CHECK_NEAR(one.shape, many.shape, 1e-6);
  CHECK_NEAR(fit_pareto(excesses, Vector(40, 1.0), -0.5).distance, fit_pareto(excesses, {}, -0.5).distance,
             1e-12);
  CHECK_THROWS(fit_pareto(excesses, {1.0}, -0.5), Error, error.code() == "SHAPE");
}

TEST_CASE("the first value that is not below another, from any guess") {
  for (const std::size_t n : {1, 2, 3, 10, 33}) {
    Vector values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = std::floor(static_cast<double>(i) / 2);
    for (double x = -0.5; x < static_cast<double>(n); x += 0.25) {
      const auto expected =
          static_cast<std::size_t>(std::lower_bound(values.begin(), values.end(), x) - values.begin());
      CHECK_EQUAL(lower_bound(values.data(), n, x), expected);
      const double two[2] = {x, x + 1};
      std::size_t found[2];
      lower_bounds<2>(values.data(), n, two, found);
      CHECK_EQUAL(found[0], expected);
      CHECK_EQUAL(found[1], lower_bound(values.data(), n, x + 1));
      for (std::size_t guess = 0; guess < n; ++guess)
        CHECK_EQUAL(lower_bound_near(values.data(), n, x, guess), expected);
    }
  }
}

TEST_CASE("columns are sorted, with their different values and ranks") {
  for (const std::size_t n : {1, 2, 17, 5000})
    for (const double grain : {0.0, 0.5, 50.0}) {
      const Vector x = values_with_ties(n, grain);
      const RankOptions mean{false, 1, 2};
      const SortedColumn column = sort_column(x, nullptr, &mean, go);
      Vector expected = x;
      std::sort(expected.begin(), expected.end());
      CHECK(column.sorted == expected);
      for (const double value : column.sorted) CHECK(!(value == 0 && std::signbit(value)));
      Vector distinct = expected;
      distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
      CHECK_EQUAL(column.ranks->distinct, distinct.size());
      for (std::size_t i = 0; i < n; ++i) {
        const auto [low, high] = std::equal_range(expected.begin(), expected.end(), x[i]);
        const auto first = low - expected.begin() + 1, last = high - expected.begin();
        CHECK_EQUAL(static_cast<long>(column.ranks->twice_rank[i]), static_cast<long>(first + last));
        CHECK_EQUAL(distinct[column.ranks->value_of_row(i)], x[i]);
      }
    }
}

TEST_CASE("random ranks are a permutation that sorts, by seed and column") {
  const Vector x = values_with_ties(3000, 20);
  const RankOptions options{true, 7, 3}, other_seed{true, 8, 3}, other_column{true, 7, 4};
  const auto ranks_by = [&](const RankOptions& by) {
    return sort_column(x, nullptr, &by, go).ranks->twice_rank;
  };
  const std::vector<std::uint32_t> ranks = ranks_by(options);
  std::vector<std::size_t> at(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(ranks[i] % 2 == 0);
    at[ranks[i] / 2 - 1] = i;
  }
  auto sorted = at;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK_EQUAL(sorted[i], i);
  for (std::size_t i = 1; i < x.size(); ++i) CHECK(x[at[i - 1]] <= x[at[i]]);
  CHECK(ranks_by(options) == ranks);
  CHECK(ranks_by(other_seed) != ranks);
  CHECK(ranks_by(other_column) != ranks);
}

TEST_CASE("columns that are monotone functions of each other have the same hashes") {
  const RankOptions options{true, 1, 1};
  Vector x = values_with_ties(400, 5), cube = x, down = x, other = x;
  for (double& value : cube) value = value * value * value;
  for (double& value : down) value = -value;
  std::swap(*std::min_element(other.begin(), other.end()), *std::max_element(other.begin(), other.end()));
  const auto ranks = [&](const Vector& column) { return *sort_column(column, nullptr, &options, go).ranks; };
  const ColumnRanks a = ranks(x);
  CHECK_EQUAL(a.hash, ranks(cube).hash);
  CHECK_EQUAL(a.hash, ranks(down).reversed_hash);
  CHECK(a.hash != ranks(other).hash);
  CHECK(a.values_hash == ranks(x).values_hash);
  CHECK(a.values_hash != ranks(cube).values_hash);
  CHECK_EQUAL(monotone_relation(a, ranks(cube)), 1);
  CHECK_EQUAL(monotone_relation(a, ranks(down)), -1);
  CHECK_EQUAL(monotone_relation(a, ranks(other)), 0);
}

// Values of @stdlib/math-base-special-gammainc and -betainc (ports of Boost).
TEST_CASE("incomplete gamma and beta functions") {
  const double gamma[][3] = {
      {0.1, 1e-8, 0.16659398838160208},
      {0.3, 0.2, 0.6575067242697216},
      {0.5, 3, 0.9856941215645704},
      {2.5, 0.01, 0.000002987601531906594},
      {3, 9, 0.9937678048936227},
      {10, 4, 0.008132242796933857},
      {50, 60, 0.9155933189063082},
      {200, 150, 0.00005709688574208255},
      // by summing Poisson probabilities to 50 digits; the package has 0.92016
      {5000, 5100, 0.9206711189223811},
  };
  for (const auto& [a, x, p] : gamma) CHECK_NEAR(gamma_level(a, x).p / p, 1, 2e-11);
  const double beta[][4] = {
      {0.1, 0.5, 0.5, 0.20483276469913345},
      {1e-6, 0.3, 2, 0.020603606747314904},
      {0.3, 2, 5, 0.579825},
      {0.9, 8, 2, 0.774840978},
      {0.5, 50, 60, 0.8309072939016696},
      {0.02, 0.5, 100, 0.9553145036373667},
      {0.999, 0.2, 0.1, 0.6566813160068355},
      {0.4, 1000, 1400, 0.048405576628864355},
  };
  for (const auto& [x, a, b, p] : beta) CHECK_NEAR(beta_level(x, 1 - x, a, b).p / p, 1, 2e-11);
}

TEST_CASE("a generalised Pareto law is found at the maximum of its likelihood") {
  for (const double shape : {-0.3, 0.0, 0.4}) {
    // quantiles of the law: hardly any noise
    Vector excesses(4000);
    for (std::size_t i = 0; i < excesses.size(); ++i) {
      const double log = -std::log1p(-(static_cast<double>(i) + 0.5) / 4000);
      excesses[i] = 2 * (shape == 0 ? log : std::expm1(shape * log) / shape);
    }
    const ParetoFit fit = fit_pareto(excesses, {}, -0.5);
    CHECK_NEAR(fit.shape, shape, 5e-3);
    CHECK_NEAR(fit.scale, 2, 2e-2);
    CHECK(fit.distance < 1e-3);
    const auto loss = [&](double a, double s) {
      double sum = 0;
      for (const double y : excesses) sum += std::log(a) + (1 + 1 / s) * std::log1p(s * y / a);
      return sum;
    };
    const double least = loss(fit.scale, fit.shape == 0 ? 1e-9 : fit.shape);
    for (const double change : {-1e-3, 1e-3}) {
      CHECK(loss(fit.scale * (1 + change), fit.shape) >= least - 1e-6);
      CHECK(loss(fit.scale, fit.shape + change) >= least - 1e-6);
    }
    // of any unit
    Vector wide = excesses;
    for (double& y : wide) y *= 1e150;
    CHECK_NEAR(fit_pareto(wide, {}, -0.5).shape, fit.shape, 1e-7);
    CHECK_NEAR(fit_pareto(wide, {}, -0.5).scale / fit.scale, 1e150, 1e144);
  }
}

TEST_CASE("levels and values of columns do not depend on threads, and undo each other") {
  const std::size_t rows = 9000;
  Vector x = values_with_ties(rows, 0), grid = values_with_ties(rows, 1);
  const SortedColumn sorted = sort_column(x, nullptr, nullptr, go),
                     blocks = sort_column(grid, nullptr, nullptr, go);
  Vector levels(rows), values, last;
  for (std::size_t i = 0; i < rows; ++i) {
    if (i + 1 < rows && blocks.sorted[i] == blocks.sorted[i + 1]) continue;
    values.push_back(blocks.sorted[i]);
    last.push_back(static_cast<double>(i + 1));
  }
  for (std::size_t i = 0; i < rows; ++i)
    levels[i] = static_cast<double>(i + 1) / static_cast<double>(rows + 1);
  const SharedMargin smooth = make_empirical({-INFINITY, INFINITY}, rows, 1, 1, sorted.sorted, levels),
                     tied = make_discrete(values, last);
  const std::vector<SharedMap> maps = {make_margin_map(smooth, rows, false),
                                       make_margin_map(tied, rows, true)};
  const auto copula = ColumnScale::copula, gaussian = ColumnScale::gaussian;
  const Vector u = column_levels(1, maps, {1, 2}, {x, grid}, rows, 0, true, 3, copula, go);
  CHECK(column_levels(3, maps, {1, 2}, {x, grid}, rows, 0, true, 3, copula, go) == u);
  for (const double level : u) CHECK(level > 0 && level < 1);
  const auto back = column_values(2, maps, u, rows, copula, go);
  for (std::size_t i = 0; i < rows; ++i) {
    CHECK_NEAR(back[0][i], x[i], 1e-9 * (1 + std::abs(x[i])));
    CHECK_EQUAL(back[1][i], grid[i]);
  }
  // on the Gaussian scale, too, and within the cells
  const Vector z = column_levels(2, maps, {1, 2}, {x, grid}, rows, 0, true, 3, gaussian, go);
  const RowCells cells = column_cells(2, maps, {x, grid}, rows, go);
  const auto again = column_values(1, maps, z, rows, gaussian, go);
  for (std::size_t i = 0; i < 2 * rows; ++i) {
    CHECK_NEAR(normal_cdf(z[i]), u[i], 1e-15);
    CHECK(i % 2 == 0 ? cells.lower[i] == z[i] && cells.upper[i] == z[i]
                     : cells.lower[i] < z[i] && z[i] <= cells.upper[i]);
  }
  for (std::size_t i = 0; i < rows; ++i) {
    CHECK_NEAR(again[0][i], x[i], 1e-9 * (1 + std::abs(x[i])));
    CHECK_EQUAL(again[1][i], grid[i]);
  }
  // rows from the middle on, by their numbers
  const Vector late(grid.begin() + 5000, grid.end()), late_x(x.begin() + 5000, x.end());
  const Vector part = column_levels(2, maps, {1, 2}, {late_x, late}, rows - 5000, 5000, true, 3, copula, go);
  CHECK(std::equal(part.begin(), part.end(), u.begin() + 10000));
  const Vector log = column_log_pdf(2, {smooth, tied}, {x, grid}, rows, true, go);
  for (const std::size_t i : {std::size_t{0}, std::size_t{77}, rows - 1})
    CHECK_EQUAL(log[i], smooth->log_pdf(x[i]) + tied->log_pdf(grid[i]));
}
