#include "classical/pair_likelihood.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "classical/elliptical_cells.hpp"
#include "core/thread_pool.hpp"

namespace sklar {
namespace {

struct Block {
  Cell cell;
  double lower, upper;  // quantiles
};

// A column on the scale of the law: levels, or numbers of blocks.
struct Column {
  static constexpr std::uint32_t none = 0xffffffff;
  std::vector<std::uint32_t> block;  // of each row, or none
  std::vector<double> x, log_margin;
  std::vector<Block> blocks;
};

Column column_of(const EllipticalLaw& law, const double* lower, const double* upper, std::size_t rows,
                 std::size_t dim) {
  Column column;
  column.block.assign(rows, Column::none);
  column.x.resize(rows);
  column.log_margin.resize(rows);
  std::map<std::pair<double, double>, std::uint32_t> known;
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = lower[i * dim], b = upper[i * dim];
    if (a == b) {
      column.x[i] = law.quantile(unit_of(a));
      column.log_margin[i] = law.log_pdf(column.x[i]);
      continue;
    }
    const auto [found, fresh] = known.try_emplace({a, b}, static_cast<std::uint32_t>(column.blocks.size()));
    if (fresh) {
      const Cell cell{unit_of(a), unit_of(b), false};
      column.blocks.push_back({cell, law.quantile(cell.lower), law.quantile(cell.upper)});
    }
    column.block[i] = found->second;
  }
  return column;
}

struct Slope {
  double value = 0, score = 0;  // log-likelihood and its derivative by the correlation
  void add(double count, double log_p, double derivative) {
    value += count * log_p;
    score += count * derivative;
  }
};

class PairLikelihood {
 public:
  PairLikelihood(const EllipticalLaw& law, const EllipticalLaw& next, const Column& first,
                 const Column& second)
      : law_(law), next_(next), first_(first), second_(second) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, double> cells;
    for (std::size_t i = 0; i < first.block.size(); ++i) {
      const std::uint32_t a = first.block[i], b = second.block[i];
      if (a != Column::none && b != Column::none) {
        ++cells[{a, b}];
      } else if (a != Column::none) {
        edges_.push_back({second.x[i], &first.blocks[a]});
      } else if (b != Column::none) {
        edges_.push_back({first.x[i], &second.blocks[b]});
      } else {
        const double x = first.x[i], y = second.x[i];
        if (law.normal()) {
          squares_ += x * x + y * y;
          product_ += x * y;
          ++levels_;
        } else {
          points_.push_back({x, y});
          margins_ += first.log_margin[i] + second.log_margin[i];
        }
      }
    }
    cells_.assign(cells.begin(), cells.end());
  }

  Slope at(double rho) const {
    Slope sum;
    const double square = (1 - rho) * (1 + rho), n = law_.degrees();
    if (law_.normal()) {
      sum.value =
          -0.5 * levels_ * std::log(square) - (rho * rho * squares_ - 2 * rho * product_) / (2 * square);
      sum.score = levels_ * rho / square - (rho * squares_ - (1 + rho * rho) * product_) / (square * square);
    } else {
      const double front = -2 * half_log_two_pi - 0.5 * std::log(square);
      sum.value = -margins_;
      for (const auto& [x, y] : points_) {
        const double form = (x * x - 2 * rho * x * y + y * y) / square;
        sum.add(1, front - 0.5 * (n + 2) * std::log1p(form / n),
                (rho - (n + 2) * (rho * form - x * y) / (n + form)) / square);
      }
    }
    for (const auto& [x, block] : edges_) {
      const double spread = law_.normal() ? 1 : std::sqrt((n + x * x) / (n + 1)),
                   w = std::sqrt(square) * spread;
      const double a = (block->lower - rho * x) / w, b = (block->upper - rho * x) / w;
      const double log_p = next_.log_interval(a, b);
      const auto end = [&](double at, double limit) {
        return std::isinf(limit) ? 0 : std::exp(next_.log_pdf(at) - log_p) * (rho * limit - x);
      };
      sum.add(1, log_p, (end(b, block->upper) - end(a, block->lower)) / (square * w));
    }
    if (!cells_.empty()) {
      const auto copula = law_.normal() ? make_gaussian(rho) : make_student(rho, n);
      for (const auto& [at, count] : cells_) {
        const Block &p = first_.blocks[at.first], &q = second_.blocks[at.second];
        const double log_p = log_cell(*copula, p.cell, q.cell);
        // Plackett (1954): the derivative of the distribution function by the correlation
        const auto corner = [&](double x, double y) {
          if (std::isinf(x) || std::isinf(y)) return 0.0;
          const double form = (x * x - 2 * rho * x * y + y * y) / square;
          const double log_ring = law_.normal() ? -0.5 * form : -0.5 * n * std::log1p(form / n);
          return std::exp(log_ring - log_p - 2 * half_log_two_pi) / std::sqrt(square);
        };
        sum.add(count, log_p,
                corner(p.upper, q.upper) - corner(p.lower, q.upper) - corner(p.upper, q.lower) +
                    corner(p.lower, q.lower));
      }
    }
    return sum;
  }

  // The zero of the score nearest to `start`: a bracket that grows by the sign of the score, then the rule of
  // Illinois.
  double maximum(double start, double most) const {
    constexpr double tolerance = 1e-8;
    double a = std::clamp(start, -most, most), fa = at(a).score;
    if (fa == 0) return a;
    const double way = fa > 0 ? 1 : -1;
    double b = a, fb = fa;
    for (double step = 0.05 * (1 - a * a) + 1e-4;; step *= 2) {
      b = std::clamp(a + way * step, -most, most);
      fb = at(b).score;
      if ((fb > 0) != (fa > 0)) break;
      if (std::fabs(b) >= most) return b;
      a = b;
      fa = fb;
    }
    for (int i = 0; i < 100 && std::fabs(b - a) > tolerance; ++i) {
      double x = (a * fb - b * fa) / (fb - fa);
      if (!(x > std::fmin(a, b) && x < std::fmax(a, b))) x = 0.5 * (a + b);
      const double fx = at(x).score;
      if (fx == 0 || std::fabs(x - b) < 0.1 * tolerance) return x;
      if ((fx > 0) != (fb > 0)) {
        a = b;
        fa = fb;
      } else {
        fa *= 0.5;
      }
      b = x;
      fb = fx;
    }
    return b;
  }

 private:
  const EllipticalLaw &law_, &next_;
  const Column &first_, &second_;
  double squares_ = 0, product_ = 0, levels_ = 0, margins_ = 0;
  std::vector<std::pair<double, double>> points_;
  std::vector<std::pair<double, const Block*>> edges_;
  std::vector<std::pair<std::pair<std::uint32_t, std::uint32_t>, double>> cells_;
};

}  // namespace

PairFits fit_pairs(double degrees, const std::vector<double>& correlation, bool search, double most,
                   const std::vector<double>& lower, const std::vector<double>& upper,
                   const std::vector<std::uint32_t>& pairs, std::size_t rows, std::size_t dim,
                   std::size_t threads, const CancelFlag& cancel) {
  const EllipticalLaw law(degrees), next(degrees + 1);
  const std::size_t count = pairs.size() / 2;
  for (const std::uint32_t column : pairs)
    if (column >= dim) throw Error("SHAPE", "expected columns of pairs below " + std::to_string(dim));
  ThreadPool pool(threads);
  std::vector<Column> columns(dim);
  pool.run(dim, [&](std::size_t j, std::size_t) {
    cancel.check();
    columns[j] = column_of(law, &lower[j], &upper[j], rows, dim);
  });
  PairFits fits;
  fits.correlation.resize(count);
  fits.log_likelihood.resize(count);
  fits.information.resize(count);
  pool.run(count, [&](std::size_t k, std::size_t) {
    cancel.check();
    const std::size_t i = pairs[2 * k], j = pairs[2 * k + 1];
    const PairLikelihood likelihood(law, next, columns[i], columns[j]);
    const double start = correlation[i * dim + j];
    const double rho = search ? likelihood.maximum(start, most) : start;
    const double step = 1e-4 * (1 - rho * rho);
    fits.correlation[k] = rho;
    fits.log_likelihood[k] = likelihood.at(rho).value;
    if (search)
      fits.information[k] = (likelihood.at(rho - step).score - likelihood.at(rho + step).score) / (2 * step);
  });
  return fits;
}

}  // namespace sklar
