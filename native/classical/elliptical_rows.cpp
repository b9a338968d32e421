#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <string>

#include "classical/cells/elliptical_cells.hpp"
#include "classical/rows.hpp"
#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/linear/dot.hpp"
#include "core/linear/symmetric.hpp"
#include "core/linear/triangular.h"
#include "core/threads/row_loop.hpp"
#include "special/student_t.hpp"

namespace sklar {
namespace {

// docs/mathematics.md, M.2. Columns x rows: y <- L^-1 y (of the first `count` columns) and y <- L y for many
// rows at once.
void solve_lower_of_rows(const std::vector<double>& l, std::size_t dim, std::vector<double>& y,
                         std::size_t rows, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    double* to = &y[i * rows];
    const double* factor = &l[i * dim];
    std::size_t k = 0;
    for (; k + 4 <= i; k += 4) {  // four at a time: memory is what takes time
      const double *a = &y[k * rows], *b = a + rows, *c = b + rows, *d = c + rows;
      const double fa = factor[k], fb = factor[k + 1], fc = factor[k + 2], fd = factor[k + 3];
      for (std::size_t r = 0; r < rows; ++r)
        to[r] = (((to[r] - fa * a[r]) - fb * b[r]) - fc * c[r]) - fd * d[r];
    }
    for (; k < i; ++k) {
      const double* from = &y[k * rows];
      for (std::size_t r = 0; r < rows; ++r) to[r] -= factor[k] * from[r];
    }
    const double pivot = 1 / factor[i];
    for (std::size_t r = 0; r < rows; ++r) to[r] *= pivot;
  }
}

void multiply_lower(const std::vector<double>& l, std::size_t dim, std::vector<double>& y, std::size_t rows) {
  for (std::size_t i = dim; i-- > 0;) {
    double* to = &y[i * rows];
    for (std::size_t r = 0; r < rows; ++r) to[r] *= l[i * dim + i];
    for (std::size_t k = 0; k < i; ++k) {
      const double factor = l[i * dim + k];
      const double* from = &y[k * rows];
      for (std::size_t r = 0; r < rows; ++r) to[r] += factor * from[r];
    }
  }
}

class GaussianTransform final : public RosenblattRows {
 public:
  GaussianTransform(std::vector<double> factor, std::size_t dim) : factor_(std::move(factor)), dim_(dim) {}

  void rosenblatt(Unit* u, std::size_t rows) const override {
    apply(u, rows, [](const auto& l, std::size_t dim, auto& y, std::size_t count) {
      solve_lower_of_rows(l, dim, y, count, dim);
    });
  }
  void inverse_rosenblatt(Unit* e, std::size_t rows) const override { apply(e, rows, multiply_lower); }

 private:
  template <class Map>
  void apply(Unit* u, std::size_t rows, Map&& map) const {
    std::vector<double> y(rows * dim_);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < dim_; ++j) y[j * rows + i] = normal_of(u[i * dim_ + j]);
    map(factor_, dim_, y, rows);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < dim_; ++j) u[i * dim_ + j] = unit_of_normal(y[j * rows + i]);
  }

  std::vector<double> factor_;
  std::size_t dim_;
};

// Effort for a distribution function, and for a row of cells.
constexpr LatticeEffort cdf_effort{1e-6, 1 << 14}, cells_effort{1e-3, 1 << 11};

// A row of many cells has a probability that is far less certain than the mean of many such rows needs: the
// more cells, the fewer points.
LatticeEffort effort_for(const Cell* cells, std::size_t dim) {
  const auto count =
      std::count_if(cells, cells + dim, [](const Cell& cell) { return !cell.level && !cell.whole(); });
  const double scale = std::fmin(1, 6 / static_cast<double>(count)), share = scale * scale;
  const auto most = static_cast<std::size_t>(share * static_cast<double>(cells_effort.most));
  return {cells_effort.tolerance, std::max(std::bit_floor(most), std::size_t{32})};
}

void elliptical_cdf(const EllipticalCells& law, const Unit* u, std::size_t rows, std::size_t dim, double* out,
                    double* error) {
  std::vector<Cell> cells(dim);
  EllipticalCells::Split split;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < dim; ++j) cells[j] = {{0, 1}, u[i * dim + j], false};
    const LogEstimate estimate = law.row(cells.data(), cdf_effort, split);
    out[i] = std::exp(estimate.log_value);
    error[i] = out[i] * estimate.error;
  }
}

void elliptical_log_cells(const EllipticalCells& law, const Cell* cells, std::size_t rows, std::size_t dim,
                          double* out) {
  EllipticalCells::Split split;
  for (std::size_t i = 0; i < rows; ++i) {
    const LogEstimate estimate = law.row(&cells[i * dim], effort_for(&cells[i * dim], dim), split);
    // the logarithm of a mean is too small by half its relative variance
    out[i] = estimate.log_value + 0.5 * estimate.error * estimate.error;
  }
}

// log of Gamma((n + d) / 2) / Gamma(n / 2) / (n pi)^(d/2): the product of the densities at 0 of t with n, n +
// 1,
// .. degrees, each scaled to n
double log_student_front(double degrees, std::size_t dim) {
  double sum = 0;
  for (std::size_t j = 0; j < dim; ++j) {
    const double n = degrees + static_cast<double>(j);
    sum += StudentT(n).log_pdf(0) + 0.5 * std::log(n / degrees);
  }
  return sum;
}

class StudentRows final : public ClassicalRows {
 public:
  StudentRows(double degrees, std::vector<double> factor, std::size_t dim)
      : ClassicalRows(dim),
        factor_(std::move(factor)),
        log_front_(log_student_front(degrees, dim) - half_log_determinant(factor_.data(), dim)),
        cells_(factor_, dim, degrees) {
    for (std::size_t j = 0; j < dim; ++j) t_.emplace_back(degrees + static_cast<double>(j));
  }

  void log_pdf(const Unit* u, std::size_t rows, double* out) const override {
    std::vector<double> y(rows * dim_), scale(rows);  // logarithms of what rows far out are divided by
    std::vector<Signed> x(dim_);
    for (std::size_t i = 0; i < rows; ++i) {
      out[i] = log_front_;
      for (std::size_t j = 0; j < dim_; ++j) {
        x[j] = t_[0].signed_quantile(u[i * dim_ + j]);
        scale[i] = std::fmax(scale[i], x[j].size.log - 300);
        out[i] -= t_[0].log_pdf(x[j].size);
      }
      for (std::size_t j = 0; j < dim_; ++j)
        y[j * rows + i] = scale[i] > 0 ? x[j].sign * std::exp(x[j].size.log - scale[i]) : x[j].value();
    }
    solve_lower_of_rows(factor_, dim_, y, rows, dim_);
    const double n = t_[0].degrees();
    for (std::size_t i = 0; i < rows; ++i) {
      double form = 0;
      for (std::size_t j = 0; j < dim_; ++j) form += y[j * rows + i] * y[j * rows + i];
      const double radius = std::sqrt(form);
      out[i] -=
          0.5 * (n + static_cast<double>(dim_)) * t_[0].log1p_form({radius, std::log(radius) + scale[i]});
    }
  }
  void cdf(const Unit* u, std::size_t rows, double* out, double* error) const override {
    elliptical_cdf(cells_, u, rows, dim_, out, error);
  }
  void log_cells(const Cell* cells, std::size_t rows, double* out) const override {
    elliptical_log_cells(cells_, cells, rows, dim_, out);
  }
  // (L^-1 x)_j given those before it is t with j degrees more, wider the farther out they are
  void rosenblatt(Unit* u, std::size_t rows) const override {
    std::vector<double> y(rows * dim_);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < dim_; ++j) y[j * rows + i] = t_[0].quantile(u[i * dim_ + j]);
    solve_lower_of_rows(factor_, dim_, y, rows, dim_);
    const double n = t_[0].degrees();
    for (std::size_t i = 0; i < rows; ++i) {
      double form = 0;
      for (std::size_t j = 0; j < dim_; ++j) {
        const double value = y[j * rows + i];
        u[i * dim_ + j] = t_[j].cdf(value * std::sqrt(t_[j].degrees() / (n + form)));
        form += value * value;
      }
    }
  }
  void complete(Unit* u, std::size_t rows, std::size_t known) const override {
    std::vector<double> y(rows * dim_), scale(rows);  // logarithms of what rows far out are divided by
    std::vector<Signed> x(dim_);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < dim_; ++j) {
        x[j] = t_[j < known ? 0 : j].signed_quantile(u[i * dim_ + j]);
        scale[i] = std::fmax(scale[i], x[j].size.log - 150);
      }
      for (std::size_t j = 0; j < dim_; ++j)
        y[j * rows + i] = j < known ? scaled(x[j], scale[i]) : x[j].value();
    }
    solve_lower_of_rows(factor_, dim_, y, rows, known);
    const double n = t_[0].degrees();
    for (std::size_t i = 0; i < rows; ++i) {
      double form = 0;
      for (std::size_t j = 0; j < dim_; ++j) {
        double& value = y[j * rows + i];
        if (j >= known) value *= std::sqrt((n * std::exp(-2 * scale[i]) + form) / t_[j].degrees());
        form += value * value;
      }
    }
    multiply_lower(factor_, dim_, y, rows);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = known; j < dim_; ++j)
        u[i * dim_ + j] = t_[0].cdf(signed_of(y[j * rows + i], scale[i]));
  }

 private:
  std::vector<double> factor_;
  double log_front_;
  EllipticalCells cells_;
  std::vector<StudentT> t_;
};

class GaussianRows final : public ClassicalRows {
 public:
  GaussianRows(const std::vector<double>& factor, std::size_t dim)
      : ClassicalRows(dim), cells_(factor, dim, infinity), transform_(factor, dim) {}

  void log_pdf(const Unit* u, std::size_t rows, double* out) const override {
    std::vector<Cell> cells(rows * dim_);
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = {u[i], u[i], true};
    log_cells(cells.data(), rows, out);
  }
  void cdf(const Unit* u, std::size_t rows, double* out, double* error) const override {
    elliptical_cdf(cells_, u, rows, dim_, out, error);
  }
  void log_cells(const Cell* cells, std::size_t rows, double* out) const override {
    elliptical_log_cells(cells_, cells, rows, dim_, out);
  }
  void rosenblatt(Unit* u, std::size_t rows) const override { transform_.rosenblatt(u, rows); }
  void complete(Unit* u, std::size_t rows, std::size_t known) const override {
    if (known != 1) throw Error("VALUE", "expected one known column");
    transform_.inverse_rosenblatt(u, rows);
  }

 private:
  EllipticalCells cells_;
  GaussianTransform transform_;
};

// x <- (L L^T)^-1 x
void solve_cholesky(const std::vector<double>& l, std::size_t dim, std::vector<double>& x) {
  solve_lower(l.data(), dim, x.data());
  solve_lower_transposed(l.data(), dim, x.data());
}

// S + R diag(lambda) R with unit diagonal: its fixed points are the correlation matrices R that maximise
// -log det R - tr(R^-1 S).
std::vector<double> correlation_step(const std::vector<double>& r, const std::vector<double>& s,
                                     std::size_t dim) {
  std::vector<double> square(dim * dim), lambda(dim);
  for (std::size_t i = 0; i < dim * dim; ++i) square[i] = r[i] * r[i];
  const std::vector<double> l = cholesky(square, dim);
  for (std::size_t i = 0; i < dim; ++i) lambda[i] = 1 - s[i * dim + i];
  solve_cholesky(l, dim, lambda);
  std::vector<double> next(dim * dim), weighted(dim);
  for (std::size_t i = 0; i < dim; ++i) {
    for (std::size_t k = 0; k < dim; ++k) weighted[k] = r[i * dim + k] * lambda[k];
    for (std::size_t j = 0; j <= i; ++j) {
      const double sum = s[i * dim + j] + dot(weighted.data(), &r[j * dim], dim);
      next[i * dim + j] = next[j * dim + i] = i == j ? 1 : sum;
    }
  }
  return next;
}

// Fixed points of a map by combining the last few steps so that what they miss by cancels: Anderson (1965),
// type II of Fang and Saad (2009).
class Acceleration {
 public:
  void forget() { points_.clear(); }

  // The next point, given one and where the map takes it.
  std::vector<double> next(const std::vector<double>& at, const std::vector<double>& taken) {
    Step step{taken, taken};
    for (std::size_t i = 0; i < at.size(); ++i) step.miss[i] -= at[i];
    if (points_.size() > most) points_.erase(points_.begin());
    points_.push_back(std::move(step));
    const std::size_t count = points_.size() - 1, size = at.size();
    if (count == 0) return taken;
    const std::vector<double>& miss = points_.back().miss;
    std::vector<std::vector<double>> gap(count, std::vector<double>(size));
    for (std::size_t k = 0; k < count; ++k)
      for (std::size_t i = 0; i < size; ++i) gap[k][i] = points_[k + 1].miss[i] - points_[k].miss[i];
    std::vector<double> normal(count * count), share(count);
    for (std::size_t k = 0; k < count; ++k) {
      share[k] = dot(gap[k].data(), miss.data(), size);
      for (std::size_t l = 0; l < count; ++l) normal[k * count + l] = dot(gap[k].data(), gap[l].data(), size);
      normal[k * count + k] *= 1 + 1e-10;
    }
    std::vector<double> l;
    try {
      l = cholesky(normal, count);
    } catch (const Error&) {
      forget();  // they say the same
      return taken;
    }
    solve_cholesky(l, count, share);
    std::vector<double> out = taken;
    for (std::size_t k = 0; k < count; ++k)
      for (std::size_t i = 0; i < size; ++i)
        out[i] -= share[k] * (points_[k + 1].taken[i] - points_[k].taken[i]);
    return out;
  }

 private:
  struct Step {
    std::vector<double> taken, miss;
  };
  static constexpr std::size_t most = 5;
  std::vector<Step> points_;
};

}  // namespace

std::unique_ptr<RosenblattRows> make_gaussian_transform(const ClassicalDefinition& definition) {
  return std::make_unique<GaussianTransform>(definition.factor, definition.dim);
}

std::unique_ptr<ClassicalRows> make_student_rows(const ClassicalDefinition& definition) {
  return std::make_unique<StudentRows>(definition.parameters.at(0), definition.factor, definition.dim);
}

std::unique_ptr<ClassicalRows> make_gaussian_rows(const ClassicalDefinition& definition) {
  return std::make_unique<GaussianRows>(definition.factor, definition.dim);
}

StudentFit fit_student(double degrees, std::vector<double> correlation, double shrinkage,
                       const std::vector<double>& u, const double* weights, std::size_t rows, std::size_t dim,
                       std::size_t threads, const CancelFlag& cancel) {
  check_rows(u.data(), false, rows, dim);
  const StudentT t(degrees);
  const double front = log_student_front(degrees, dim),
               n = weights ? std::accumulate(weights, weights + rows, 0.0) : static_cast<double>(rows);
  const auto weight_of = [weights](std::size_t row) { return weights ? weights[row] : 1.0; };
  ThreadPool pool(threads);
  const std::size_t chunks = row_chunks(rows);
  std::vector<double> x(rows * dim), margin(chunks), likelihood(chunks);  // x: of each chunk columns x rows
  for_row_chunks(pool, rows, cancel, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < dim; ++j) {
        const double value = t.quantile(unit_of(u[(first + i) * dim + j]));
        x[first * dim + j * count + i] = value;
        margin[first / row_chunk] += weight_of(first + i) * t.log_pdf(value);
      }
  });
  double margins = 0;
  for (double part : margin) margins += part;

  StudentFit fit;
  std::vector<std::vector<double>> scatter(chunks);
  Acceleration acceleration;
  std::vector<double> plain;  // the last step as such
  double least = infinity;    // change by a step
  for (std::size_t iteration = 1;; ++iteration) {
    std::vector<double> l;
    try {
      l = cholesky(correlation, dim);
    } catch (const Error&) {
      if (iteration == 1) throw;
      if (correlation == plain) return fit;  // it grows towards a singular matrix
      acceleration.forget();
      correlation = plain;
      continue;
    }
    for_row_chunks(pool, rows, cancel, [&](std::size_t first, std::size_t count) {
      const std::size_t chunk = first / row_chunk;
      const double* here = &x[first * dim];
      std::vector<double> y(here, here + count * dim), weight(count);
      solve_lower_of_rows(l, dim, y, count, dim);
      likelihood[chunk] = 0;
      for (std::size_t i = 0; i < count; ++i) {
        double form = 0;
        for (std::size_t j = 0; j < dim; ++j) form += y[j * count + i] * y[j * count + i];
        const double own = weight_of(first + i);
        weight[i] = own * (degrees + static_cast<double>(dim)) / (degrees + form);
        likelihood[chunk] -= own * (0.5 * (degrees + static_cast<double>(dim)) * std::log1p(form / degrees));
      }
      std::vector<double>& sum = scatter[chunk];
      sum.assign(dim * dim, 0.0);
      std::vector<double> weighted(count);
      for (std::size_t i = 0; i < dim; ++i) {
        for (std::size_t r = 0; r < count; ++r) weighted[r] = weight[r] * here[i * count + r];
        for (std::size_t j = 0; j <= i; ++j) sum[i * dim + j] = dot(weighted.data(), here + j * count, count);
      }
    });
    double total = 0;
    std::vector<double> s(dim * dim);
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      total += likelihood[chunk];
      for (std::size_t i = 0; i < s.size(); ++i) s[i] += (1 - shrinkage) * scatter[chunk][i] / n;
    }
    for (std::size_t i = 0; i < dim; ++i) {
      s[i * dim + i] += shrinkage;
      for (std::size_t j = i + 1; j < dim; ++j) s[i * dim + j] = s[j * dim + i];
    }
    fit.correlation = correlation;
    fit.log_likelihood = total + n * (front - half_log_determinant(l.data(), dim)) - margins;
    std::vector<double> next = correlation_step(correlation, s, dim);
    double change = 0;
    for (std::size_t i = 0; i < next.size(); ++i)
      change = std::fmax(change, std::fabs(next[i] - correlation[i]));
    if (!(change > 1e-7) || iteration >= 500) return fit;
    if (change > 2 * least) acceleration.forget();
    least = std::fmin(least, change);
    plain = acceleration.next(correlation, next);
    plain.swap(next);
    correlation = std::move(next);
  }
}

}  // namespace sklar
