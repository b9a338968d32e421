#include "core/classifier.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/normal.h"
#include "core/thread_pool.hpp"

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

// One row: its columns, and the log-odds of its neighbours.
struct Row {
  const double* z;
  double neighbours;
};

// Coefficients: of the constant and of the neighbours, then for each column its own, that of its square and
// those of its products with the columns after it.
std::size_t coefficient_count(std::size_t dim) { return 2 + 2 * dim + dim * (dim - 1) / 2; }

double score(const Vector& theta, const Row& row, std::size_t dim) {
  const double *at = theta.data() + 2, *z = row.z;
  double sum = theta[0] + theta[1] * row.neighbours;
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
void add_features(Vector& out, double factor, const Row& row, std::size_t dim) {
  out[0] += factor;
  out[1] += factor * row.neighbours;
  double* at = out.data() + 2;
  const double* z = row.z;
  for (std::size_t i = 0; i < dim; ++i) {
    at[0] += factor * z[i];
    at[1] += factor * (z[i] * z[i] - 1) * sqrt_half;
    at += 2;
    const double share = factor * z[i];
    for (std::size_t j = i + 1; j < dim; ++j) *at++ += share * z[j];
  }
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

// One fold's fit.
class Fit {
 public:
  Fit(std::size_t dim, std::vector<Row> rows, std::vector<double> labels, double ridge,
      const CancelFlag& cancel)
      : dim_(dim), rows_(std::move(rows)), labels_(std::move(labels)), ridge_(ridge), cancel_(cancel) {}

  Vector run() const {
    Vector theta(coefficient_count(dim_), 0.0), weights(rows_.size());
    const double enough = gradient_tolerance * static_cast<double>(rows_.size());
    for (int step = 0; step < most_newton_steps; ++step) {
      Vector gradient = penalised(theta);
      for (std::size_t k = 0; k < rows_.size(); ++k) {
        const double p = 1 / (1 + std::exp(-score(theta, rows_[k], dim_)));
        weights[k] = p * (1 - p);
        add_features(gradient, p - labels_[k], rows_[k], dim_);
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

 private:
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
      const double s = score(theta, rows_[k], dim_);
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
        add_features(product, weights[k] * score(along, rows_[k], dim_), rows_[k], dim_);
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

  std::size_t dim_;
  std::vector<Row> rows_;
  std::vector<double> labels_;
  double ridge_;
  const CancelFlag& cancel_;
};

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
  Vector scores(rows);
  pool.run(fold_count, [&](std::size_t fold, std::size_t) {
    const auto row = [&](std::size_t i) { return Row{z + i * dim, log_odds[i * fold_count + fold]}; };
    std::vector<Row> others;
    std::vector<double> truth;
    for (std::size_t i = 0; i < rows; ++i)
      if (static_cast<std::size_t>(folds[i]) != fold) {
        others.push_back(row(i));
        truth.push_back(labels[i]);
      }
    const Vector theta = Fit(dim, std::move(others), std::move(truth), ridge, cancel).run();
    for (std::size_t i = 0; i < rows; ++i)
      if (static_cast<std::size_t>(folds[i]) == fold) scores[i] = score(theta, row(i), dim);
  });
  return scores;
}

}  // namespace sklar
