// Distances of two samples against their definitions (docs/mathematics.md, G.3).
#include "statistics/two_sample.hpp"

#include <algorithm>
#include <map>

#include "check.hpp"
#include "closed_form.hpp"
#include "core/error.hpp"
#include "statistics/two_sample_classifier.hpp"

using namespace sklar;
using Vector = std::vector<double>;

namespace {

const CancelFlag go;
const Fraction quiet = [](double) {};

// Two samples, the second one wider; the last column has ties.
Vector two_samples(std::size_t n, std::size_t m, std::size_t dim) {
  Vector x = closed_form::normals(n + m, dim, 5);
  for (std::size_t i = 0; i < n + m; ++i) {
    if (i >= n)
      for (std::size_t k = 0; k < dim; ++k) x[i * dim + k] *= 1.3;
    x[i * dim + dim - 1] = std::round(2 * x[i * dim + dim - 1]);
  }
  return x;
}

double distance(const Vector& x, std::size_t i, std::size_t j, std::size_t dim) {
  double sum = 0;
  for (std::size_t k = 0; k < dim; ++k) sum += std::pow(x[i * dim + k] - x[j * dim + k], 2);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("normal scores count the values of the base") {
  const Vector base{3, 1, 2, 2}, x{0, 1, 2, 2.5, 9};
  const Vector z = normal_scores(1, base.data(), 4, x.data(), 5, 1, go);
  const double u[] = {0.5 / 5, 1.0 / 5, 2.5 / 5, 3.5 / 5, 4.5 / 5};
  for (std::size_t i = 0; i < 5; ++i) CHECK_NEAR(normal_cdf(z[i]), u[i], 1e-15);
}

TEST_CASE("distances of margins are those of the definitions, with ties") {
  const std::size_t n = 37, m = 52, dim = 3;
  const Vector x = two_samples(n, m, dim);
  const auto result = margin_distances(2, x.data(), n + m, n, dim, go);
  for (std::size_t j = 0; j < dim; ++j) {
    // over the pooled values v, with multiplicity: sup |F - G|, and n m / (n + m)^2 sum (F - G)^2 where no
    // value is twice
    double largest = 0, squares = 0;
    std::map<double, int> count;
    for (std::size_t i = 0; i < n + m; ++i) {
      const double v = x[i * dim + j];
      ++count[v];
      double f = 0, g = 0;
      for (std::size_t k = 0; k < n + m; ++k) (k < n ? f : g) += x[k * dim + j] <= v;
      largest = std::max(largest, std::abs(f / n - g / m));
      squares += std::pow(f / n - g / m, 2);
    }
    CHECK_NEAR(result.kolmogorov[j], largest, 1e-15);
    if (count.size() == n + m)
      CHECK_NEAR(result.cramer[j], squares * n * m / ((n + m) * (n + m)), 1e-12);
    else
      CHECK_EQUAL(j, dim - 1);
  }
  // midranks of (1, 2) and (2, 3): 1, 2.5 and 2.5, 4, so U = 2 (0 + .25) + 2 (1.5^2 + 2^2) = 13
  const Vector tied{1, 2, 2, 3};
  CHECK_NEAR(margin_distances(1, tied.data(), 4, 2, 1, go).cramer[0], 13.0 / 16 - 15.0 / 24, 1e-15);
}

TEST_CASE("sums over pairs are those of the definition, for any relabelling and number of threads") {
  const std::size_t n = 70, m = 95, rows = n + m, dim = 3, relabellings = 12;
  const Vector x = two_samples(n, m, dim);
  for (const Vector& bandwidths : {Vector{}, Vector{0.7, 2.0}}) {
    const auto sums = pair_sums(1, x.data(), rows, n, dim, bandwidths, relabellings, 9, go, quiet);
    auto value = [&](std::size_t i, std::size_t j) {
      const double r = distance(x, i, j, dim);
      if (bandwidths.empty()) return r;
      double sum = 0;
      for (const double h : bandwidths) sum += std::exp(-r * r / (2 * h * h)) / 2;
      return sum;
    };
    double total = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      double first = 0, second = 0;
      for (std::size_t j = 0; j < rows; ++j)
        if (j != i) (j < n ? first : second) += value(i, j);
      CHECK_NEAR(sums.to_first[i], first, 1e-10);
      CHECK_NEAR(sums.to_second[i], second, 1e-10);
      total += (first + second) / 2;
    }
    // whatever the relabelling, the three kinds of pairs are all pairs; on average it takes its share
    double within = 0, between = 0;
    for (std::size_t p = 0; p < relabellings; ++p) {
      CHECK(sums.within_first[p] > 0 && sums.within_first[p] + sums.between[p] < total);
      within += sums.within_first[p] / relabellings;
      between += sums.between[p] / relabellings;
    }
    const double pairs = rows * (rows - 1) / 2.0;
    CHECK_NEAR(within / total, n * (n - 1) / 2.0 / pairs, 0.02);
    CHECK_NEAR(between / total, n * m / pairs, 0.02);
    const auto threaded = pair_sums(3, x.data(), rows, n, dim, bandwidths, relabellings, 9, go, quiet);
    CHECK(sums.to_first == threaded.to_first && sums.to_second == threaded.to_second);
    CHECK(sums.within_first == threaded.within_first && sums.between == threaded.between);
  }
}

TEST_CASE("relabellings draw rows evenly") {
  // the values of pairs of a row at 1 among rows at 0 count whether it was drawn
  const std::size_t rows = 10, first = 3, count = 6000;
  for (const std::size_t far : {0u, 4u, 9u}) {
    Vector x(rows, 0.0);
    x[far] = 1;
    const auto sums = pair_sums(2, x.data(), rows, first, 1, {}, count, 4, go, quiet);
    double drawn = 0;
    for (const double sum : sums.within_first) {
      CHECK(sum == 0 || sum == first - 1);
      drawn += sum > 0;
    }
    CHECK_NEAR(drawn / count, 0.3, 4 * std::sqrt(0.21 / count));
  }
}

TEST_CASE("the median distance") {
  const Vector x{0, 1, 3, 7};  // 1, 2, 3, 4, 6, 7
  CHECK_EQUAL(median_distance(x.data(), 4, 1, go), 4.0);
  CHECK_EQUAL(median_distance(x.data(), 3, 1, go), 2.0);
}

TEST_CASE("Wasserstein distances of unequal samples on a line are those of their quantile functions") {
  const std::size_t n = 8, m = 13;
  const Vector x = closed_form::normals(n + m, 1, 3);
  Vector a(x.begin(), x.begin() + n), b(x.begin() + n, x.end());
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  for (const std::size_t order : {1u, 2u}) {
    double expected = 0;
    for (std::size_t k = 0; k < n * m; ++k)
      expected += std::pow(std::abs(a[k / m] - b[k / n]), order) / static_cast<double>(n * m);
    for (const double value : sliced_wasserstein(1, x.data(), n + m, n, 1, 3, order, 1, go, quiet))
      CHECK_NEAR(value, expected, 1e-13);
  }
}

TEST_CASE("sliced distances of a shift are those of the shift along directions uniform on the sphere") {
  const std::size_t n = 20, dim = 5, directions = 4000;
  Vector x = closed_form::normals(n, dim, 3);
  x.insert(x.end(), x.begin(), x.end());
  for (std::size_t i = n; i < 2 * n; ++i) x[i * dim + 2] += 3;
  const Vector squares = sliced_wasserstein(1, x.data(), 2 * n, n, dim, directions, 2, 8, go, quiet);
  double mean = 0;
  for (const double square : squares) {
    CHECK(square <= 9.0 + 1e-12);
    mean += square / directions;
  }
  // E (theta_2)^2 = 1 / dim, Var = 2 (dim - 1) / (dim^2 (dim + 2))
  CHECK_NEAR(mean, 9.0 / 5, 9 * 4 * std::sqrt(2 * 4.0 / (25 * 7) / directions));
  CHECK(squares == sliced_wasserstein(3, x.data(), 2 * n, n, dim, directions, 2, 8, go, quiet));
}

TEST_CASE("the classifier finds the log-odds of a quadratic truth, from the other folds alone") {
  // N(0, R) with correlation +-0.6: log-odds 2 * 0.6 / (1 - 0.36) x y
  const std::size_t rows = 6000, dim = 3;
  Vector z = closed_form::normals(rows, dim, 11);
  std::vector<std::int32_t> labels(rows), folds(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    labels[i] = static_cast<std::int32_t>(i % 2);
    folds[i] = static_cast<std::int32_t>(i / 2 % 3);
    const double r = labels[i] == 1 ? 0.6 : -0.6;
    z[i * dim + 1] = r * z[i * dim] + 0.8 * z[i * dim + 1];
  }
  const Vector scores = classifier_scores(1, z.data(), rows, dim, labels, folds, 3, 1.0, 20, go);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const double truth = 1.875 * z[i * dim] * z[i * dim + 1];
    error += std::pow(scores[i] - truth, 2);
    size += truth * truth;
  }
  CHECK(error / size < 0.02);
  CHECK(scores == classifier_scores(2, z.data(), rows, dim, labels, folds, 3, 1.0, 20, go));
  // other labels in a fold leave its scores as they are
  for (std::size_t i = 0; i < rows; ++i)
    if (folds[i] == 1) labels[i] = 0;
  const Vector again = classifier_scores(1, z.data(), rows, dim, labels, folds, 3, 1.0, 20, go);
  for (std::size_t i = 0; i < rows; ++i)
    if (folds[i] == 1) CHECK(again[i] == scores[i]);
}

TEST_CASE("the classifier's neighbours see what no product does") {
  // signs of three independent normals whose product is the label's: all pairs are independent
  const std::size_t rows = 3000, dim = 3;
  Vector z = closed_form::normals(rows, dim, 12);
  std::vector<std::int32_t> labels(rows), folds(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    labels[i] = static_cast<std::int32_t>(i % 2);
    folds[i] = static_cast<std::int32_t>(i / 2 % 5);
    double* row = &z[i * dim];
    row[2] = std::abs(row[2]) * (row[0] * row[1] > 0 ? 1 : -1) * (labels[i] == 1 ? 1 : -1);
  }
  const Vector scores = classifier_scores(2, z.data(), rows, dim, labels, folds, 5, 9.0, 20, go);
  double right = 0;
  for (std::size_t i = 0; i < rows; ++i) right += (scores[i] > 0) == (labels[i] == 1);
  CHECK(right / rows > 0.85);
}

TEST_CASE("rows that can be told for certain end the fit too") {
  Vector z{-2, -1, -1.5, -2.5, 1, 2, 1.5, 2.5};
  const Vector scores = classifier_scores(1, z.data(), 8, 1, {0, 0, 0, 0, 1, 1, 1, 1},
                                          {0, 0, 1, 1, 0, 0, 1, 1}, 2, 0.01, 2, go);
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::isfinite(scores[i]) && (scores[i] > 0) == (i >= 4));
}

TEST_CASE("shapes are checked and jobs can be cancelled") {
  const Vector x(8, 1.0);
  CHECK_THROWS(margin_distances(1, x.data(), 8, 8, 1, go), Error, error.code() == "SHAPE");
  CHECK_THROWS(pair_sums(1, x.data(), 8, 0, 1, {}, 0, 0, go, quiet), Error, error.code() == "SHAPE");
  CHECK_THROWS(sliced_wasserstein(1, x.data(), 8, 4, 1, 2, 3, 0, go, quiet), Error, error.code() == "VALUE");
  CHECK_THROWS(classifier_scores(1, x.data(), 8, 1, {0, 1}, {0, 1}, 2, 1, 1, go), Error,
               error.code() == "SHAPE");
  CancelFlag stop;
  stop.cancel();
  CHECK_THROWS(pair_sums(1, x.data(), 8, 4, 1, {}, 0, 0, stop, quiet), Error, error.code() == "ABORTED");
}
