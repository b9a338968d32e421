#include "classical/cells/pair_likelihood.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

#include "classical/cells/elliptical_cells.hpp"
#include "core/threads/thread_pool.hpp"

namespace sklar {
namespace {

// A limit between levels, and its quantile.
struct Edge {
  Unit level;
  double x;
};

struct Block {
  std::uint32_t lower, upper;  // edges
};

// A column on the scale of the law: levels, or numbers of blocks.
struct Column {
  static constexpr std::uint32_t none = 0xffffffff;
  std::vector<std::uint32_t> block;  // of each row, or none
  std::vector<double> x, log_margin;
  std::vector<Edge> edges;
  std::vector<Block> blocks;

  Cell cell(std::uint32_t k) const {
    return {edges[blocks[k].lower].level, edges[blocks[k].upper].level, false};
  }
};

Column column_of(const EllipticalLaw& law, const double* lower, const double* upper, std::size_t rows,
                 std::size_t dim) {
  Column column;
  column.block.assign(rows, Column::none);
  column.x.resize(rows);
  column.log_margin.resize(rows);
  std::map<std::pair<double, double>, std::uint32_t> known;
  std::map<double, std::uint32_t> edges;
  const auto edge = [&](double level) {
    const auto [found, fresh] = edges.try_emplace(level, static_cast<std::uint32_t>(column.edges.size()));
    if (fresh) column.edges.push_back({unit_of(level), law.quantile(unit_of(level))});
    return found->second;
  };
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = lower[i * dim], b = upper[i * dim];
    if (a == b) {
      column.x[i] = law.quantile(unit_of(a));
      column.log_margin[i] = law.log_pdf(column.x[i]);
      continue;
    }
    const auto [found, fresh] = known.try_emplace({a, b}, static_cast<std::uint32_t>(column.blocks.size()));
    if (fresh) column.blocks.push_back({edge(a), edge(b)});
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

// Nodes in (0, 1) and weights of the rule of Gauss and Legendre.
struct GaussLegendre {
  static constexpr std::size_t count = 20;
  std::array<double, count> node, weight;
  GaussLegendre() {
    for (std::size_t k = 0; k < count; ++k) {
      double x = std::cos(M_PI * (static_cast<double>(k) + 0.75) / (count + 0.5)), slope = 0;
      for (int step = 0; step < 8; ++step) {
        double before = 1, value = x;
        for (std::size_t n = 2; n <= count; ++n) {
          const double m = static_cast<double>(n), next = ((2 * m - 1) * x * value - (m - 1) * before) / m;
          before = value;
          value = next;
        }
        slope = count * (x * value - before) / (x * x - 1);
        x -= value / slope;
      }
      node[k] = 0.5 * (1 - x);
      weight[k] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

// The distribution function of a pair at those corners of the edges of two columns that are asked for, and
// its derivative by the correlation (Plackett 1954), along which it goes from one correlation to the next: by
// the rule of Gauss and Legendre in the angle, as Drezner and Wesolowsky (1990) and Genz (2004) do from 0.
class Corners {
 public:
  Corners(const EllipticalLaw& law, const Column& first, const Column& second)
      : law_(law), first_(first), second_(second), across_(second.edges.size()) {
    place_.assign(first.edges.size() * across_, none);
    if (law.normal()) known_ = 0;
  }

  // A corner's number.
  std::uint32_t add(std::uint32_t i, std::uint32_t j) {
    std::uint32_t& place = place_[i * across_ + j];
    if (place != none) return place;
    place = static_cast<std::uint32_t>(corners_.size());
    const Unit u = first_.edges[i].level, v = second_.edges[j].level;
    corners_.push_back({u, v, first_.edges[i].x, second_.edges[j].x, false, 0, 0, 0});
    Corner& corner = corners_.back();
    if (u.p == 0 || v.p == 0 || u.q == 0 || v.q == 0)
      corner.value = u.p == 0 || v.p == 0 ? 0 : u.q == 0 ? v.p : u.p;
    else
      corner.inside = true;
    if (law_.normal()) corner.known = u.p * v.p;
    return place;
  }

  void move_to(double rho) {
    const double angle = std::asin(rho), square = (1 - rho) * (1 + rho);
    const double margin = M_PI / 2 - std::fmax(std::fabs(angle), std::fabs(known_));
    const double way = angle - known_;
    if (!(std::fabs(way) <= 3 * margin)) {
      const auto copula = law_.normal() ? make_gaussian(rho) : make_student(rho, law_.degrees());
      for (Corner& corner : corners_)
        if (corner.inside) corner.value = corner.known = copula->cdf(corner.u, corner.v);
      known_ = angle;
    } else {
      static const GaussLegendre rule;
      for (Corner& corner : corners_)
        if (corner.inside) corner.value = corner.known;
      for (std::size_t k = 0; k < GaussLegendre::count; ++k) {
        const double at = std::sin(known_ + way * rule.node[k]), weight = way * rule.weight[k] / (2 * M_PI);
        const double rest = (1 - at) * (1 + at);
        for (Corner& corner : corners_)
          if (corner.inside) corner.value += weight * ring(corner, at, rest);
      }
    }
    for (Corner& corner : corners_)
      if (corner.inside) corner.slope = ring(corner, rho, square) / (2 * M_PI * std::sqrt(square));
  }

  double value(std::uint32_t k) const { return corners_[k].value; }
  double slope(std::uint32_t k) const { return corners_[k].slope; }

 private:
  static constexpr std::uint32_t none = 0xffffffff;
  struct Corner {
    Unit u, v;
    double x, y;
    bool inside;
    double known, value, slope;
  };

  double ring(const Corner& corner, double rho, double square) const {
    const double form = (corner.x * corner.x - 2 * rho * corner.x * corner.y + corner.y * corner.y) / square;
    const double n = law_.degrees();
    return law_.normal() ? std::exp(-0.5 * form) : std::exp(-0.5 * n * std::log1p(form / n));
  }

  const EllipticalLaw& law_;
  const Column &first_, &second_;
  std::size_t across_;
  std::vector<std::uint32_t> place_;
  std::vector<Corner> corners_;
  double known_ = NAN;  // angle of the correlation of which `known` are the values
};

// Log probabilities of intervals of a law. Of Student's the logarithm of the distribution function is tabled
// on the line asinh(x / sqrt(degrees)), by polynomials that have its value and two derivatives at the nodes.
class Intervals {
 public:
  explicit Intervals(const EllipticalLaw& law) : law_(law) {
    if (law.normal()) return;
    const double n = law.degrees(), h = 1 / per_unit;
    std::array<double, 3> left{}, right{};  // value and derivatives
    for (double v = -reach; v < 0.5 * h; v += h, left = right) {
      const double x = std::sqrt(n) * std::sinh(v), slope = std::sqrt(n) * std::cosh(v);
      const double p = law.cdf(x).p, rate = std::exp(law.log_pdf(x) - std::log(p)) * slope;
      const double bend = x / slope - (n + 1) * x * slope / (n + x * x) - rate;
      right = {std::log(p), h * rate, h * h * rate * bend};
      if (v == -reach) continue;
      // Hermite's of degree five
      const double rise = right[0] - left[0] - left[1] - 0.5 * left[2], turn = right[1] - left[1] - left[2],
                   twist = right[2] - left[2];
      series_.push_back({left[0], left[1], 0.5 * left[2], 10 * rise - 4 * turn + 0.5 * twist,
                         -15 * rise + 7 * turn - twist, 6 * rise - 3 * turn + 0.5 * twist});
    }
  }

  // log P(a < X <= b)
  double log(double a, double b) const {
    if (law_.normal()) return law_.log_interval(a, b);
    if (a > 0) return log(-b, -a);
    const double high = b <= 0 ? cdf(b) : 1 - cdf(-b), p = high - cdf(a);
    return p > 1e-3 * high ? std::log(p) : law_.log_interval(a, b);
  }

 private:
  static constexpr double reach = 12, per_unit = 64;

  // of x <= 0
  double cdf(double x) const {
    if (std::isinf(x)) return 0;
    const double at = (std::asinh(x / std::sqrt(law_.degrees())) + reach) * per_unit;
    if (!(at >= 0)) return law_.cdf(x).p;
    const std::size_t k = std::min(static_cast<std::size_t>(at), series_.size() - 1);
    const double t = at - static_cast<double>(k);
    const double* c = series_[k].data();
    return std::exp(c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5])))));
  }

  const EllipticalLaw& law_;
  std::vector<std::array<double, 6>> series_;
};

// Rows that have a level in one column and lie in one block of the other. What they add to the likelihood is
// a smooth function of the level: of many rows it is summed by its polynomial through Chebyshev's nodes,
// whose sums over the rows do not depend on the correlation, wherever that is exact to nine digits.
class Edges {
 public:
  Edges(const EllipticalLaw& law, const EllipticalLaw& next, const Intervals& intervals, Edge lower,
        Edge upper)
      : law_(law), next_(next), intervals_(intervals), lower_(lower), upper_(upper) {}

  void add(double x, double weight) {
    x_.push_back(x);
    of_x_.push_back(weight);
    size_ += weight;
  }
  bool empty() const { return x_.empty(); }

  void prepare() {
    if (x_.size() < 3 * nodes) return;
    const auto [least, most] = std::minmax_element(x_.begin(), x_.end());
    const double low = to_line(*least), high = to_line(*most);
    const double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    if (!(half > 0)) return;
    std::array<double, nodes> sums{};
    constexpr std::size_t chunk = 256;
    double t[chunk], before[chunk], now[chunk];
    for (std::size_t first = 0; first < x_.size(); first += chunk) {
      const std::size_t count = std::min(chunk, x_.size() - first);
      for (std::size_t i = 0; i < count; ++i) {
        t[i] = now[i] = (to_line(x_[first + i]) - middle) / half;
        before[i] = 1;
        sums[1] += of_x_[first + i] * t[i];
      }
      for (std::size_t k = 2; k < nodes; ++k) {
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
          const double following = 2 * t[i] * now[i] - before[i];
          before[i] = now[i];
          now[i] = following;
          sum += of_x_[first + i] * following;
        }
        sums[k] += sum;
      }
    }
    const Chebyshev& cosines = Chebyshev::table();
    for (std::size_t m = 0; m < nodes; ++m) {
      x_of_node_[m] = from_line(middle + half * cosines.at[1][m]);
      double weight = size_ / nodes;
      for (std::size_t k = 1; k < nodes; ++k) weight += 2 * sums[k] * cosines.at[k][m] / nodes;
      weight_[m] = weight;
    }
    smooth_ = true;
  }

  void sum_to(double rho, Slope& total) {
    if (smooth_ && sum_smooth(rho, total)) return;
    smooth_ = false;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const Slope one = at(x_[i], rho);
      total.add(of_x_[i], one.value, one.score);
    }
  }

 private:
  static constexpr std::size_t nodes = 32;
  static constexpr double exact = 1e-9;

  struct Chebyshev {
    double at[nodes][nodes];  // T_k at node m
    Chebyshev() {
      for (std::size_t k = 0; k < nodes; ++k)
        for (std::size_t m = 0; m < nodes; ++m)
          at[k][m] = std::cos(static_cast<double>(k) * (static_cast<double>(m) + 0.5) * M_PI / nodes);
    }
    static const Chebyshev& table() {
      static const Chebyshev known;
      return known;
    }
  };

  // A line on which quantiles of heavy tails are not far apart.
  double to_line(double x) const { return law_.normal() ? x : std::asinh(x / std::sqrt(law_.degrees())); }
  double from_line(double s) const { return law_.normal() ? s : std::sinh(s) * std::sqrt(law_.degrees()); }

  Slope at(double x, double rho) const {
    const double square = (1 - rho) * (1 + rho), n = law_.degrees();
    const double spread = law_.normal() ? 1 : std::sqrt((n + x * x) / (n + 1));
    const double w = std::sqrt(square) * spread;
    const double a = (lower_.x - rho * x) / w, b = (upper_.x - rho * x) / w;
    const double log_p = intervals_.log(a, b);
    const auto end = [&](double t, double limit) {
      return std::isinf(limit) ? 0 : std::exp(next_.log_pdf(t) - log_p) * (rho * limit - x);
    };
    return {log_p, (end(b, upper_.x) - end(a, lower_.x)) / (square * w)};
  }

  bool sum_smooth(double rho, Slope& total) const {
    const Chebyshev& cosines = Chebyshev::table();
    Slope sum;
    constexpr std::size_t last = 3;  // coefficients that have to be nothing
    std::array<Slope, last> tail;
    for (std::size_t m = 0; m < nodes; ++m) {
      const Slope one = at(x_of_node_[m], rho);
      sum.add(weight_[m], one.value, one.score);
      for (std::size_t k = 0; k < last; ++k)
        tail[k].add(2 * cosines.at[nodes - 1 - k][m] / nodes, one.value, one.score);
    }
    for (const Slope& coefficient : tail)
      if (!(std::fabs(coefficient.value) < exact && std::fabs(coefficient.score) < exact)) return false;
    total.add(1, sum.value, sum.score);
    return true;
  }

  const EllipticalLaw &law_, &next_;
  const Intervals& intervals_;
  Edge lower_, upper_;
  std::vector<double> x_, of_x_;  // of_x_: weights
  double size_ = 0;
  bool smooth_ = false;
  std::array<double, nodes> x_of_node_, weight_;
};

class PairLikelihood {
 public:
  PairLikelihood(const EllipticalLaw& law, const EllipticalLaw& next, const Intervals& intervals,
                 const Column& first, const Column& second, const double* weights)
      : law_(law), first_(first), second_(second), corners_(law, first, second) {
    std::vector<Edges> of_first, of_second;
    for (const Block& block : first.blocks)
      of_first.emplace_back(law, next, intervals, first.edges[block.lower], first.edges[block.upper]);
    for (const Block& block : second.blocks)
      of_second.emplace_back(law, next, intervals, second.edges[block.lower], second.edges[block.upper]);
    std::vector<std::pair<std::uint64_t, double>> cells;  // with their weights
    for (std::size_t i = 0; i < first.block.size(); ++i) {
      const std::uint32_t a = first.block[i], b = second.block[i];
      const double weight = weights ? weights[i] : 1;
      if (a != Column::none && b != Column::none) {
        cells.emplace_back(std::uint64_t{a} << 32 | b, weight);
      } else if (a != Column::none) {
        of_first[a].add(second.x[i], weight);
      } else if (b != Column::none) {
        of_second[b].add(first.x[i], weight);
      } else {
        const double x = first.x[i], y = second.x[i];
        if (law.normal()) {
          squares_ += weight * (x * x + y * y);
          product_ += weight * (x * y);
          levels_ += weight;
        } else {
          points_.push_back({x, y, weight});
          margins_ += weight * (first.log_margin[i] + second.log_margin[i]);
        }
      }
    }
    for (auto* side : {&of_first, &of_second})
      for (Edges& edges : *side) {
        if (edges.empty()) continue;
        edges.prepare();
        edges_.push_back(std::move(edges));
      }
    std::stable_sort(cells.begin(), cells.end(),
                     [](const auto& one, const auto& other) { return one.first < other.first; });
    for (std::size_t from = 0, to = 0; from < cells.size(); from = to) {
      double count = 0;
      for (; to < cells.size() && cells[to].first == cells[from].first; ++to) count += cells[to].second;
      const auto a = static_cast<std::uint32_t>(cells[from].first >> 32),
                 b = static_cast<std::uint32_t>(cells[from].first);
      const Block &p = first.blocks[a], &q = second.blocks[b];
      cells_.push_back({a, b, count, corners_.add(p.lower, q.lower), corners_.add(p.upper, q.lower),
                        corners_.add(p.lower, q.upper), corners_.add(p.upper, q.upper)});
    }
  }

  Slope at(double rho) {
    Slope sum;
    const double square = (1 - rho) * (1 + rho), n = law_.degrees();
    if (law_.normal()) {
      sum.value =
          -0.5 * levels_ * std::log(square) - (rho * rho * squares_ - 2 * rho * product_) / (2 * square);
      sum.score = levels_ * rho / square - (rho * squares_ - (1 + rho * rho) * product_) / (square * square);
    } else {
      const double front = -2 * half_log_two_pi - 0.5 * std::log(square);
      sum.value = -margins_;
      for (const auto& [x, y, weight] : points_) {
        const double form = (x * x - 2 * rho * x * y + y * y) / square;
        sum.add(weight, front - 0.5 * (n + 2) * std::log1p(form / n),
                (rho - (n + 2) * (rho * form - x * y) / (n + form)) / square);
      }
    }
    for (Edges& edges : edges_) edges.sum_to(rho, sum);
    if (cells_.empty()) return sum;
    corners_.move_to(rho);
    std::unique_ptr<Bivariate> copula;
    for (const CountedCell& cell : cells_) {
      const double p = corners_.value(cell.upper_upper) - corners_.value(cell.lower_upper) -
                       (corners_.value(cell.upper_lower) - corners_.value(cell.lower_lower));
      double log_p = std::log(p);
      if (!(p > safe_sum)) {
        if (!copula) copula = law_.normal() ? make_gaussian(rho) : make_student(rho, n);
        log_p = log_cell(*copula, first_.cell(cell.first), second_.cell(cell.second));
      }
      const double slope = corners_.slope(cell.upper_upper) - corners_.slope(cell.lower_upper) -
                           (corners_.slope(cell.upper_lower) - corners_.slope(cell.lower_lower));
      sum.add(cell.count, log_p, slope * std::exp(-log_p));
    }
    return sum;
  }

  // The zero of the score nearest to `start`: a bracket that grows by the sign of the score, then the rule of
  // Illinois.
  double maximum(double start, double most) {
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
  struct CountedCell {
    std::uint32_t first, second;  // blocks
    double count;
    std::uint32_t lower_lower, upper_lower, lower_upper, upper_upper;  // corners
  };

  const EllipticalLaw& law_;
  const Column &first_, &second_;
  double squares_ = 0, product_ = 0, levels_ = 0, margins_ = 0;
  struct Point {
    double x, y, weight;
  };
  std::vector<Point> points_;
  std::vector<Edges> edges_;
  std::vector<CountedCell> cells_;
  Corners corners_;
};

}  // namespace

PairFits fit_pairs(double degrees, const std::vector<double>& correlation, bool search, double most,
                   std::span<const double> lower, std::span<const double> upper, const double* weights,
                   const std::vector<std::uint32_t>& pairs, std::size_t rows, std::size_t dim,
                   std::size_t threads, const CancelFlag& cancel) {
  const EllipticalLaw law(degrees), next(degrees + 1);
  const std::size_t count = pairs.size() / 2;
  for (const std::uint32_t column : pairs)
    if (column >= dim) throw Error("SHAPE", "expected columns of pairs below " + std::to_string(dim));
  ThreadPool pool(threads);
  const Intervals intervals(next);
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
    PairLikelihood likelihood(law, next, intervals, columns[i], columns[j], weights);
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
