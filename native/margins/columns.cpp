#include "margins/columns.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/threads/thread_pool.hpp"
#include "margins/search.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

// Levels that a copula takes.
constexpr double least_level = std::numeric_limits<double>::min(), greatest_level = 1 - 0x1p-53;
constexpr double greatest_integer = 9007199254740991.0;

constexpr std::size_t part = 16384;

// Where equal values get their levels in (0, 1).
double share_of(const Draw& draw) { return draw.random ? (draw() + 0.5) * 0x1p-32 : 0.5; }

// To the nearest integer, halves upwards.
double rounded(double value) {
  const double below = std::floor(value);
  return std::clamp(value - below >= 0.5 ? below + 1 : below, -greatest_integer, greatest_integer) + 0.0;
}

class MarginMap final : public ColumnMap {
 public:
  MarginMap(SharedMargin margin, double rows, bool integer)
      : margin_(std::move(margin)),
        support_(margin_->support()),
        half_(0.5 / (rows + 1)),
        integer_(integer),
        atoms_(margin_->has_atoms()) {}

  void levels(const double* x, std::size_t count, Draw draw, double* out, std::size_t stride) const override {
    double after[block];
    for (std::size_t begin = 0; begin < count; begin += block) {
      const std::size_t end = std::min(count, begin + block);
      margin_->cdf_of(x + begin, end - begin, after);
      for (std::size_t i = begin; i < end; ++i, ++draw.row)
        out[i * stride] = level(x[i], after[i - begin], draw);
    }
  }

  void scores(const double* x, std::size_t count, Draw draw, double* out, std::size_t stride) const override {
    for (std::size_t i = 0; i < count; ++i, ++draw.row) out[i * stride] = score(x[i], draw);
  }

  Cell cell(double x) const override {
    if (atoms_ && margin_->is_atom(x))
      return {normal_of(margin_->level_before(x)), normal_of(margin_->level(x))};
    const double z = score(x, Draw{});
    return {z, z};
  }

  void values(const double* u, std::size_t count, std::size_t stride, double* out) const override {
    Unit levels[block];
    for (std::size_t begin = 0; begin < count; begin += block) {
      const std::size_t end = std::min(count, begin + block);
      for (std::size_t i = begin; i < end; ++i) levels[i - begin] = unit_of(u[i * stride]);
      margin_->inverse_of(levels, end - begin, out + begin);
    }
    if (integer_) std::transform(out, out + count, out, rounded);
  }
  void values_at_scores(const double* z, std::size_t count, std::size_t stride, double* out) const override {
    for (std::size_t i = 0; i < count; ++i) {
      const double score = z[i * stride];
      out[i] = margin_->at_score(std::isinf(score) ? std::copysign(greatest_score, score) : score);
    }
    if (integer_) std::transform(out, out + count, out, rounded);
  }

 private:
  static constexpr std::size_t block = 256;

  double score(double x, const Draw& draw) const {
    const bool atom = atoms_ && margin_->is_atom(x);
    if (!atom && x > support_.first && x < support_.second) return margin_->score(x);
    const Unit after = margin_->level(x), before = atom ? margin_->level_before(x) : after;
    if (x <= support_.first && after.p == 0) return normal_quantile(half_);
    if (x >= support_.second && before.q == 0) return -normal_quantile(half_);
    const double share = atom ? share_of(draw) : 0.5;
    return normal_of({before.p + share * (after.p - before.p), after.q + (1 - share) * (before.q - after.q)});
  }

  double level(double x, double after, const Draw& draw) const {
    const double before = atoms_ && margin_->is_atom(x) ? margin_->cdf_before(x) : after;
    if (x <= support_.first && after == 0) return half_;
    if (x >= support_.second && before == 1) return 1 - half_;
    const double share = after > before ? share_of(draw) : 0.5;
    return std::min(greatest_level, std::max(least_level, before + share * (after - before)));
  }

  SharedMargin margin_;
  Support support_;
  double half_;
  bool integer_, atoms_;
};

class RankMap final : public ColumnMap {
 public:
  explicit RankMap(RankBlocks blocks) : b_(std::move(blocks)) {}

  void levels(const double* x, std::size_t count, Draw draw, double* out, std::size_t stride) const override {
    for (std::size_t i = 0; i < count; ++i, ++draw.row) out[i * stride] = rank(x[i], draw) / (b_.rows + 1);
  }
  void scores(const double* x, std::size_t count, Draw draw, double* out, std::size_t stride) const override {
    for (std::size_t i = 0; i < count; ++i, ++draw.row) out[i * stride] = score(rank(x[i], draw));
  }

  Cell cell(double x) const override {
    const std::size_t k = lower_bound(b_.values.data(), b_.values.size(), x);
    if (k < b_.values.size() && b_.values[k] == x && b_.first[k] < b_.last[k])
      return {k == 0 ? -INFINITY : score(b_.first[k] - inside()),
              k + 1 == b_.values.size() ? INFINITY : score(b_.last[k] + inside())};
    const double z = score(rank(x, Draw{}));
    return {z, z};
  }

  void values(const double* u, std::size_t count, std::size_t stride, double* out) const override {
    for (std::size_t i = 0; i < count; ++i) out[i] = value(u[i * stride]);
  }
  void values_at_scores(const double* z, std::size_t count, std::size_t stride, double* out) const override {
    for (std::size_t i = 0; i < count; ++i) out[i] = value(normal_cdf(z[i * stride]));
  }

 private:
  double inside() const { return b_.weighted ? 0 : 0.5; }

  double value(double u) const {
    const double size = b_.rows + 1;
    double rank = u * size;
    // rank / (n + 1) * (n + 1) may miss the whole number by rounding
    const double whole = std::floor(rank + 0.5);
    if (std::fabs(rank - whole) <= 2 * std::numeric_limits<double>::epsilon() * size) rank = whole;
    // the first block that does not end below the rank; blocks are nearly evenly spaced, but for large ones
    const std::size_t count = b_.last.size(),
                      guess = std::min(count - 1, static_cast<std::size_t>(u * static_cast<double>(count)));
    const std::size_t k = lower_bound_near(b_.last.data(), count, rank, guess);
    if (k == b_.values.size()) return b_.values.back();
    // the same of ranks that are no whole numbers
    const double near = b_.weighted ? 4 * std::numeric_limits<double>::epsilon() * size : 0;
    if (k == 0 || rank >= b_.first[k] - near) return b_.values[k];
    if (b_.weighted && rank <= b_.last[k - 1] + near) return b_.values[k - 1];
    const double below = b_.last[k - 1], fraction = (rank - below) / (b_.first[k] - below);
    const double lower = b_.values[k - 1], upper = b_.values[k];
    const bool both_tied = below > b_.first[k - 1] && b_.last[k] > b_.first[k];
    if (!b_.thinned && (b_.integer || both_tied)) return fraction < 0.5 ? lower : upper;
    const double between = interpolate(fraction, lower, upper);
    return b_.integer ? rounded(between) : between;
  }

  double score(double rank) const {
    const double size = b_.rows + 1;
    return normal_of({rank / size, (size - rank) / size});
  }

  // From 0.5 to rows + 0.5.
  double rank(double x, const Draw& draw) const {
    const std::size_t k = lower_bound(b_.values.data(), b_.values.size(), x);
    if (k == b_.values.size()) return b_.rows + 0.5;
    if (b_.values[k] == x) {
      const double low = b_.first[k], high = b_.last[k];
      if (low == high) return low;
      if (draw.random && b_.weighted) return low + (draw() + 0.5) * 0x1p-32 * (high - low);
      return draw.random ? low + std::floor(draw() * 0x1p-32 * (high - low + 1)) : (low + high) / 2;
    }
    if (k == 0) return 0.5;
    return b_.last[k - 1] + position(x, b_.values[k - 1], b_.values[k]) * (b_.first[k] - b_.last[k - 1]);
  }

  RankBlocks b_;
};

// body(column, begin, end) for parts of the rows of each column, one column after another: what a margin
// looks up stays in the cache, and threads seldom write to the same lines.
template <class Body>
void in_parts(std::size_t threads, std::size_t columns, std::size_t rows, const CancelFlag& cancel,
              Body&& body) {
  ThreadPool pool(threads);
  const std::size_t parts = (rows + part - 1) / part;
  pool.run(columns * parts, [&](std::size_t task, std::size_t) {
    cancel.check();
    const std::size_t begin = task % parts * part;
    body(task / parts, begin, std::min(rows, begin + part));
  });
}

void check_columns(const std::vector<Vector>& x, std::size_t columns, std::size_t rows) {
  if (x.size() != columns) throw Error("SHAPE", "expected " + std::to_string(columns) + " columns");
  for (const Vector& column : x)
    if (column.size() != rows) throw Error("SHAPE", "expected " + std::to_string(rows) + " rows");
}

}  // namespace

SharedMap make_margin_map(SharedMargin margin, double rows, bool integer) {
  return std::make_shared<MarginMap>(std::move(margin), rows, integer);
}

SharedMap make_rank_map(RankBlocks blocks) {
  const std::size_t count = blocks.values.size();
  if (count == 0 || blocks.first.size() != count || blocks.last.size() != count)
    throw Error("SHAPE", "expected a value at least and as many blocks of ranks");
  return std::make_shared<RankMap>(std::move(blocks));
}

Vector column_levels(std::size_t threads, const std::vector<SharedMap>& maps,
                     const std::vector<std::uint32_t>& keys, const std::vector<Vector>& x, std::size_t rows,
                     std::uint64_t first_row, bool random, std::uint64_t seed, ColumnScale scale,
                     const CancelFlag& cancel) {
  const std::size_t width = maps.size();
  check_columns(x, width, rows);
  if (keys.size() != width) throw Error("SHAPE", "expected a key for every column");
  Vector u(rows * width);
  const PhiloxKey key = philox_key(seed);
  in_parts(threads, width, rows, cancel, [&](std::size_t j, std::size_t begin, std::size_t end) {
    const Draw draw{key, first_row + begin, keys[j], random};
    const auto convert = scale == ColumnScale::gaussian ? &ColumnMap::scores : &ColumnMap::levels;
    ((*maps[j]).*convert)(&x[j][begin], end - begin, draw, &u[begin * width + j], width);
    for (std::size_t i = begin; i < end; ++i)
      if (std::isnan(x[j][i])) u[i * width + j] = x[j][i];
  });
  return u;
}

std::vector<Vector> column_values(std::size_t threads, const std::vector<SharedMap>& maps,
                                  const Vector& levels, std::size_t rows, ColumnScale scale,
                                  const CancelFlag& cancel) {
  const std::size_t width = maps.size();
  if (levels.size() != rows * width) throw Error("SHAPE", "expected a level for every row and column");
  std::vector<Vector> x(width, Vector(rows));
  in_parts(threads, width, rows, cancel, [&](std::size_t j, std::size_t begin, std::size_t end) {
    const auto convert = scale == ColumnScale::gaussian ? &ColumnMap::values_at_scores : &ColumnMap::values;
    ((*maps[j]).*convert)(&levels[begin * width + j], end - begin, width, &x[j][begin]);
  });
  return x;
}

RowCells column_cells(std::size_t threads, const std::vector<SharedMap>& maps, const std::vector<Vector>& x,
                      std::size_t rows, const CancelFlag& cancel) {
  const std::size_t width = maps.size();
  check_columns(x, width, rows);
  RowCells cells{Vector(rows * width), Vector(rows * width)};
  in_parts(threads, width, rows, cancel, [&](std::size_t j, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto [lower, upper] = std::isnan(x[j][i]) ? Cell{-INFINITY, INFINITY} : maps[j]->cell(x[j][i]);
      cells.lower[i * width + j] = lower;
      cells.upper[i * width + j] = upper;
    }
  });
  return cells;
}

Vector column_log_pdf(std::size_t threads, const std::vector<SharedMargin>& margins,
                      const std::vector<Vector>& x, std::size_t rows, bool atoms, const CancelFlag& cancel) {
  check_columns(x, margins.size(), rows);
  constexpr double never = -std::numeric_limits<double>::infinity();
  Vector sum(rows, 0.0);
  in_parts(threads, 1, rows, cancel, [&](std::size_t, std::size_t begin, std::size_t end) {
    for (std::size_t j = 0; j < margins.size(); ++j)
      for (std::size_t i = begin; i < end; ++i) {
        if (std::isnan(x[j][i]) || (!atoms && margins[j]->is_atom(x[j][i]))) continue;
        const double log = margins[j]->log_pdf(x[j][i]);
        // an infinite density elsewhere does not make up for an impossible value
        sum[i] = log == never || sum[i] == never ? never : sum[i] + log;
      }
  });
  return sum;
}

}  // namespace sklar
