#include "statistics/two_sample_classifier.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/linear/dot.hpp"
#include "core/normal.h"
#include "core/threads/thread_pool.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

// Far more than Newton's method and its line search take; what ends them is the gradient.
constexpr int most_newton_steps = 50, most_halvings = 30;
constexpr std::size_t most_products = 200;
constexpr double gradient_tolerance = 1e-6;  // a row

double inner(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// One row: what its features are made of, and the log-odds of its neighbours.
struct Row {
  const double* values;
  double neighbours;
};

// The classifier two-sample test of docs/mathematics.md, G. Features of a row beside the constant and the
// neighbours: for each column its own, its square and its products with the columns after it.
struct Quadratic {
  std::size_t dim;

  std::size_t count() const { return 2 * dim + dim * (dim - 1) / 2; }
  double score(const double* at, const double* z) const {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      sum += at[0] * z[i] + at[1] * (z[i] * z[i] - 1) * sqrt_half;
      at += 2;
      double products = 0;
      for (std::size_t j = i + 1; j < dim; ++j) products += *at++ * z[j];
      sum += z[i] * products;
    }
    return sum;
  }
  // out += factor times the features of the row
  void add(double* at, double factor, const double* z) const {
    for (std::size_t i = 0; i < dim; ++i) {
      at[0] += factor * z[i];
      at[1] += factor * (z[i] * z[i] - 1) * sqrt_half;
      at += 2;
      const double share = factor * z[i];
      for (std::size_t j = i + 1; j < dim; ++j) *at++ += share * z[j];
    }
  }
};

// The same features, turned so that only as many are not zero as there are rows: a row of them has the inner
// products of the quadratic ones with all rows. What is learned with a ridge does not depend on the turn.
struct Turned {
  std::size_t rows;

  std::size_t count() const { return rows; }
  double score(const double* at, const double* features) const { return dot(at, features, rows); }
  void add(double* at, double factor, const double* features) const {
    for (std::size_t k = 0; k < rows; ++k) at[k] += factor * features[k];
  }
};

// rows x rows: L of K = L L^T, K the inner products of the quadratic features of the rows,
// z.y + (z.y)^2 / 2 + (dim - z.z - y.y) / 2.
Vector turned_features(ThreadPool& pool, const double* z, std::size_t rows, std::size_t dim,
                       const CancelFlag& cancel) {
  Vector l(rows * rows, 0.0), square(rows);
  for (std::size_t i = 0; i < rows; ++i) square[i] = dot(z + i * dim, z + i * dim, dim);
  pool.run(rows, [&](std::size_t i, std::size_t) {
    cancel.check();
    for (std::size_t j = 0; j <= i; ++j) {
      const double s = dot(z + i * dim, z + j * dim, dim);
      l[i * rows + j] = s + 0.5 * s * s + 0.5 * (static_cast<double>(dim) - square[i] - square[j]);
    }
  });
  // by blocks of columns: the block on the diagonal, then the rows below it, each by itself
  constexpr std::size_t block = 64;
  for (std::size_t first = 0; first < rows; first += block) {
    const std::size_t last = std::min(rows, first + block);
    const auto solve = [&](std::size_t i, std::size_t end) {
      double* row = &l[i * rows];
      for (std::size_t j = first; j < end; ++j) {
        const double pivot = l[j * rows + j];
        // a row that depends on others has no feature of its own
        row[j] = pivot > 0 ? (row[j] - dot(row, &l[j * rows], j)) / pivot : 0;
      }
    };
    for (std::size_t i = first; i < last; ++i) {
      solve(i, i);
      double& pivot = l[i * rows + i];
      const double left = pivot - dot(&l[i * rows], &l[i * rows], i);
      pivot = left > 1e-12 * pivot ? std::sqrt(left) : 0;
    }
    pool.run(rows - last, [&](std::size_t k, std::size_t) {
      cancel.check();
      solve(last + k, last);
    });
  }
  return l;
}

// rows x fold_count: the log-odds of a row's neighbours outside of each fold.
Vector neighbour_log_odds(ThreadPool& pool, const double* z, std::size_t rows, std::size_t dim,
                          const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& folds,
                          std::size_t fold_count, std::size_t neighbours, const CancelFlag& cancel) {
  using Neighbour = std::pair<double, std::size_t>;  // squared distance, row
  Vector result(rows * fold_count);
  const std::size_t nearest = std::min(rows - 1, 4 * neighbours);
  pool.run(rows, [&](std::size_t i, std::size_t) {
    cancel.check();
    std::vector<Neighbour> others;
    others.reserve(rows - 1);
    for (std::size_t j = 0; j < rows; ++j) {
      if (j == i) continue;
      double square = 0;
      for (std::size_t k = 0; k < dim; ++k) {
        const double difference = z[i * dim + k] - z[j * dim + k];
        square += difference * difference;
      }
      others.emplace_back(square, j);
    }
    const auto end = others.begin() + static_cast<std::ptrdiff_t>(nearest);
    std::nth_element(others.begin(), end, others.end());
    std::sort(others.begin(), end);
    for (std::size_t fold = 0; fold < fold_count; ++fold) {
      std::size_t count = 0;
      double ones = 0;
      for (auto at = others.begin(); at != end && count < neighbours; ++at) {
        if (static_cast<std::size_t>(folds[at->second]) == fold) continue;
        ++count;
        ones += labels[at->second];
      }
      result[i * fold_count + fold] = std::log((ones + 0.5) / (static_cast<double>(count) - ones + 0.5));
    }
  });
  return result;
}

// One fold's fit. Coefficients: of the constant, of the neighbours and of the features.
template <class Features>
class Fit {
 public:
  Fit(Features features, std::vector<Row> rows, std::vector<double> labels, double ridge,
      const CancelFlag& cancel)
      : features_(features),
        rows_(std::move(rows)),
        labels_(std::move(labels)),
        ridge_(ridge),
        cancel_(cancel) {}

  Vector run() const {
    Vector theta(2 + features_.count(), 0.0), weights(rows_.size());
    const double enough = gradient_tolerance * static_cast<double>(rows_.size());
    for (int step = 0; step < most_newton_steps; ++step) {
      Vector gradient = penalised(theta);
      for (std::size_t k = 0; k < rows_.size(); ++k) {
        const double p = 1 / (1 + std::exp(-score(theta, rows_[k])));
        weights[k] = p * (1 - p);
        add(gradient, p - labels_[k], rows_[k]);
      }
      if (std::sqrt(inner(gradient, gradient)) <= enough) break;
      const Vector direction = newton_direction(gradient, weights);
      const double before = loss(theta), slope = inner(gradient, direction);
      double length = 1;
      Vector next(theta.size());
      bool lower = false;
      for (int halving = 0; halving < most_halvings && !lower; ++halving, length /= 2) {
        for (std::size_t k = 0; k < theta.size(); ++k) next[k] = theta[k] + length * direction[k];
        lower = loss(next) <= before + 1e-4 * length * slope;
      }
      if (!lower) break;  // as low as rounding allows
      theta.swap(next);
    }
    return theta;
  }

  double score(const Vector& theta, const Row& row) const {
    return theta[0] + theta[1] * row.neighbours + features_.score(theta.data() + 2, row.values);
  }

 private:
  // out += factor times the features of the row
  void add(Vector& out, double factor, const Row& row) const {
    out[0] += factor;
    out[1] += factor * row.neighbours;
    features_.add(out.data() + 2, factor, row.values);
  }

  Vector penalised(const Vector& v) const {
    Vector out(v.size());
    out[1] = v[1];
    for (std::size_t k = 2; k < v.size(); ++k) out[k] = ridge_ * v[k];
    return out;
  }

  double loss(const Vector& theta) const {
    cancel_.check();
    double sum = 0.5 * inner(theta, penalised(theta));
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const double s = score(theta, rows_[k]);
      sum += std::log1p(std::exp(-std::abs(s))) + std::max(s, 0.0) - labels_[k] * s;
    }
    return sum;
  }

  // Solves H direction = -gradient to a tenth, which is enough for Newton's method to converge.
  Vector newton_direction(const Vector& gradient, const Vector& weights) const {
    Vector direction(gradient.size(), 0.0), residual(gradient.size());
    for (std::size_t k = 0; k < gradient.size(); ++k) residual[k] = -gradient[k];
    Vector along = residual;
    double square = inner(residual, residual);
    const double enough = 0.01 * square;
    for (std::size_t count = 0; count < most_products && square > enough; ++count) {
      cancel_.check();
      Vector product = penalised(along);
      for (std::size_t k = 0; k < rows_.size(); ++k)
        add(product, weights[k] * score(along, rows_[k]), rows_[k]);
      const double length = square / inner(along, product);
      for (std::size_t k = 0; k < direction.size(); ++k) {
        direction[k] += length * along[k];
        residual[k] -= length * product[k];
      }
      const double next = inner(residual, residual);
      for (std::size_t k = 0; k < along.size(); ++k) along[k] = residual[k] + next / square * along[k];
      square = next;
    }
    return direction;
  }

  Features features_;
  std::vector<Row> rows_;
  std::vector<double> labels_;
  double ridge_;
  const CancelFlag& cancel_;
};

// Of each row by the fit to the rows of other folds. `stride`: values of a row.
template <class Features>
Vector fold_scores(ThreadPool& pool, Features features, const double* values, std::size_t stride,
                   const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& folds,
                   std::size_t fold_count, const Vector& log_odds, double ridge, const CancelFlag& cancel) {
  const std::size_t rows = labels.size();
  Vector scores(rows);
  pool.run(fold_count, [&](std::size_t fold, std::size_t) {
    const auto row = [&](std::size_t i) { return Row{values + i * stride, log_odds[i * fold_count + fold]}; };
    std::vector<Row> others;
    std::vector<double> truth;
    for (std::size_t i = 0; i < rows; ++i)
      if (static_cast<std::size_t>(folds[i]) != fold) {
        others.push_back(row(i));
        truth.push_back(labels[i]);
      }
    const Fit<Features> fit(features, std::move(others), std::move(truth), ridge, cancel);
    const Vector theta = fit.run();
    for (std::size_t i = 0; i < rows; ++i)
      if (static_cast<std::size_t>(folds[i]) == fold) scores[i] = fit.score(theta, row(i));
  });
  return scores;
}

}  // namespace

Vector classifier_scores(std::size_t threads, const double* z, std::size_t rows, std::size_t dim,
                         const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& folds,
                         std::size_t fold_count, double ridge, std::size_t neighbours,
                         const CancelFlag& cancel) {
  if (rows < 2 || dim < 1 || labels.size() != rows || folds.size() != rows)
    throw Error("SHAPE", "expected 2 rows and a column at least, and a label and a fold for each row");
  for (std::size_t i = 0; i < rows; ++i)
    if (labels[i] < 0 || labels[i] > 1 || folds[i] < 0 || static_cast<std::size_t>(folds[i]) >= fold_count)
      throw Error("VALUE", "expected labels 0 and 1, and folds below their number");
  if (!(ridge > 0)) throw Error("VALUE", "expected a ridge above 0");
  ThreadPool pool(threads);
  const Vector log_odds =
      neighbour_log_odds(pool, z, rows, dim, labels, folds, fold_count, neighbours, cancel);
  const Quadratic quadratic{dim};
  if (quadratic.count() <= rows)
    return fold_scores(pool, quadratic, z, dim, labels, folds, fold_count, log_odds, ridge, cancel);
  const Vector turned = turned_features(pool, z, rows, dim, cancel);
  return fold_scores(pool, Turned{rows}, turned.data(), rows, labels, folds, fold_count, log_odds, ridge,
                     cancel);
}

}  // namespace sklar
