#include "statistics/measures.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "core/threads/thread_pool.hpp"

namespace sklar {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> column_of(const double* x, std::size_t n, std::size_t d, std::size_t j) {
  if (n < 2 || n > std::numeric_limits<std::int32_t>::max())
    throw Error("SHAPE", "expected 2 rows at least and fewer than 2^31, got " + std::to_string(n));
  std::vector<double> column(n);
  for (std::size_t i = 0; i < n; ++i) column[i] = x[i * d + j];
  return column;
}

// The rows of a column by value, ties by row.
void sort_rows(const std::vector<double>& column, std::uint32_t* by_value) {
  std::iota(by_value, by_value + column.size(), 0u);
  std::sort(by_value, by_value + column.size(), [&](std::uint32_t a, std::uint32_t b) {
    return column[a] != column[b] ? column[a] < column[b] : a < b;
  });
}

// Columns side by side, and what every measure needs of them.
struct Ranks {
  std::size_t rows, dim;
  double size;                       // the sum of the weights
  std::vector<std::uint32_t> order;  // rows of a column by value, ties by row
  std::vector<std::uint32_t> dense;  // 0, 1, ...: equal for equal values
  std::vector<double> mean;          // if wanted: 1 .. rows, ties at their mean

  Ranks(ThreadPool& pool, const double* x, const double* weights, std::size_t n, std::size_t d,
        const CancelFlag& cancel, bool with_mean = false)
      : rows(n),
        dim(d),
        size(weights ? std::accumulate(weights, weights + n, 0.0) : static_cast<double>(n)),
        order(n * d),
        dense(n * d),
        mean(with_mean ? n * d : 0) {
    pool.run(d, [&](std::size_t j, std::size_t) {
      cancel.check();
      const std::vector<double> column = column_of(x, n, d, j);
      std::uint32_t* by_value = &order[j * n];
      sort_rows(column, by_value);
      std::uint32_t group = 0;
      double before = 0;  // the weight of lower values
      for (std::size_t first = 0; first < n; ++group) {
        std::size_t end = first + 1;
        while (end < n && column[by_value[end]] == column[by_value[first]]) ++end;
        double weight = static_cast<double>(end - first);
        if (weights) {
          weight = 0;
          for (std::size_t i = first; i < end; ++i) weight += weights[by_value[i]];
        }
        for (std::size_t i = first; i < end; ++i) {
          dense[j * n + by_value[i]] = group;
          if (with_mean) mean[j * n + by_value[i]] = before + 0.5 * (weight + 1);
        }
        before += weight;
        first = end;
      }
    });
  }
};

std::uint64_t pairs_of(std::uint64_t n) { return n * (n - 1) / 2; }

// Places of the rows in the order of a column, and where those of equal values begin and end.
struct Places {
  struct Run {
    std::uint32_t begin, end;
  };
  std::vector<std::uint32_t> place;
  std::vector<Run> ties;  // of values that recur, ascending
  std::uint64_t untied_pairs;

  explicit Places(const std::vector<double>& column)
      : place(column.size()), untied_pairs(pairs_of(column.size())) {
    const std::size_t n = column.size();
    std::vector<std::uint32_t> order(n);
    sort_rows(column, order.data());
    for (std::size_t first = 0, last = 0; first < n; first = last) {
      while (last < n && column[order[last]] == column[order[first]]) ++last;
      for (std::size_t k = first; k < last; ++k) place[order[k]] = static_cast<std::uint32_t>(k);
      if (last - first < 2) continue;
      ties.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)});
      untied_pairs -= pairs_of(last - first);
    }
  }

  std::vector<std::uint32_t> order() const {
    std::vector<std::uint32_t> rows(place.size());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[place[i]] = static_cast<std::uint32_t>(i);
    return rows;
  }
  Run run_of(std::uint32_t row) const {
    const std::uint32_t at = place[row];
    const auto behind = std::upper_bound(ties.begin(), ties.end(), at,
                                         [](std::uint32_t p, const Run& run) { return p < run.begin; });
    return behind != ties.begin() && at < behind[-1].end ? behind[-1] : Run{at, at + 1};
  }
};

// std::popcount without the instruction is a call.
inline std::int32_t bits_in(std::uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555;
  word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
  return static_cast<std::int32_t>((((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101) >> 56);
}

// A set of places that counts its members below a place: bits in words, the members of earlier words of the
// same block, and of earlier blocks. Both kinds of counts are as many, so that an insertion costs sqrt(n),
// and all of them are gone through, which branches on nothing that is random.
class PlaceSet {
 public:
  explicit PlaceSet(std::size_t n) {
    const std::size_t words = n / 64 + 1;
    while ((words >> shift_) > (std::size_t{1} << shift_)) ++shift_;
    before_block_.resize((words >> shift_) + 1);
    bits_.resize(before_block_.size() << shift_);
    in_block_.resize(bits_.size());
  }
  void clear() {
    std::fill(bits_.begin(), bits_.end(), 0u);
    std::fill(in_block_.begin(), in_block_.end(), 0);
    std::fill(before_block_.begin(), before_block_.end(), 0);
  }
  std::int64_t below(std::size_t place) const {
    const std::size_t word = place / 64;
    const std::uint64_t lower = bits_[word] & ((std::uint64_t{1} << (place % 64)) - 1);
    return std::int64_t{before_block_[word >> shift_]} + in_block_[word] + bits_in(lower);
  }
  void insert(std::size_t place) {
    const std::size_t word = place / 64, block = word >> shift_;
    bits_[word] |= std::uint64_t{1} << (place % 64);
    add_above(&in_block_[block << shift_], std::size_t{1} << shift_, word - (block << shift_));
    add_above(before_block_.data(), before_block_.size(), block);
  }

 private:
  static void add_above(std::int32_t* counts, std::size_t size, std::size_t place) {
    const auto above = static_cast<std::int32_t>(place);
    for (std::int32_t k = 0; k < static_cast<std::int32_t>(size); ++k) counts[k] += k > above;
  }

  std::size_t shift_ = 0;
  std::vector<std::uint64_t> bits_;
  std::vector<std::int32_t> in_block_, before_block_;
};

// Concordant pairs of rows less discordant ones. order: that of x.
std::int64_t concordance(const std::vector<std::uint32_t>& order, const Places& x, const Places& y,
                         PlaceSet& seen) {
  const std::size_t n = order.size();
  std::int64_t sum = 0;
  seen.clear();
  auto tie = x.ties.begin();
  for (std::size_t first = 0, last = 0; first < n; first = last) {
    last = tie != x.ties.end() && tie->begin == first ? (tie++)->end : first + 1;
    for (std::size_t k = first; k < last; ++k) {
      const std::uint32_t row = order[k];
      const Places::Run run = y.ties.empty() ? Places::Run{y.place[row], y.place[row]} : y.run_of(row);
      const std::int64_t lower = seen.below(run.begin);
      const std::int64_t upper = run.end - run.begin > 1 ? seen.below(run.end) : lower;
      sum += lower + upper - static_cast<std::int64_t>(first);
    }
    for (std::size_t k = first; k < last; ++k) seen.insert(y.place[order[k]]);
  }
  return sum;
}

// Of each row the sum over the others of the sign of (x_k - x_l)(y_k - y_l), x column i and y column j.
std::vector<std::int64_t> concordances(const Ranks& ranks, std::size_t i, std::size_t j) {
  const std::size_t n = ranks.rows;
  const std::uint32_t *order = &ranks.order[i * n], *x = &ranks.dense[i * n], *y = &ranks.dense[j * n];
  std::vector<std::int64_t> sums(n);
  std::vector<std::uint32_t> tree(n + 1);  // Fenwick's, of how many values of y have been seen
  const auto seen_up_to = [&](std::size_t value) {
    std::int64_t count = 0;
    for (std::size_t k = value; k > 0; k &= k - 1) count += tree[k];
    return count;
  };
  // forwards the rows of lower x are seen, backwards those of higher x
  for (const bool forwards : {true, false}) {
    std::fill(tree.begin(), tree.end(), 0u);
    const auto row = [&](std::size_t k) { return order[forwards ? k : n - 1 - k]; };
    for (std::size_t first = 0, end = 0; first < n; first = end) {
      while (end < n && x[row(end)] == x[row(first)]) ++end;
      for (std::size_t k = first; k < end; ++k) {
        const std::size_t value = y[row(k)];
        const std::int64_t lower = seen_up_to(value),
                           upper = static_cast<std::int64_t>(first) - seen_up_to(value + 1);
        sums[row(k)] += forwards ? lower - upper : upper - lower;
      }
      for (std::size_t k = first; k < end; ++k)
        for (std::size_t at = y[row(k)] + 1; at <= n; at += at & -at) ++tree[at];
    }
  }
  return sums;
}

// The same of weighted rows: the sum of the weights of the others with that sign.
std::vector<double> concordances(const Ranks& ranks, const double* weights, std::size_t i, std::size_t j) {
  const std::size_t n = ranks.rows;
  const std::uint32_t *order = &ranks.order[i * n], *x = &ranks.dense[i * n], *y = &ranks.dense[j * n];
  std::vector<double> sums(n),
      tree(n + 1);  // Fenwick's, of the weight of the values of y that have been seen
  const auto seen_up_to = [&](std::size_t value) {
    double weight = 0;
    for (std::size_t k = value; k > 0; k &= k - 1) weight += tree[k];
    return weight;
  };
  for (const bool forwards : {true, false}) {
    std::fill(tree.begin(), tree.end(), 0.0);
    const auto row = [&](std::size_t k) { return order[forwards ? k : n - 1 - k]; };
    double seen = 0;
    for (std::size_t first = 0, end = 0; first < n; first = end) {
      while (end < n && x[row(end)] == x[row(first)]) ++end;
      for (std::size_t k = first; k < end; ++k) {
        const std::size_t value = y[row(k)];
        const double balance = seen_up_to(value) - (seen - seen_up_to(value + 1));
        sums[row(k)] += forwards ? balance : -balance;
      }
      for (std::size_t k = first; k < end; ++k) {
        seen += weights[row(k)];
        for (std::size_t at = y[row(k)] + 1; at <= n; at += at & -at) tree[at] += weights[row(k)];
      }
    }
  }
  return sums;
}

// The weight of the pairs of rows that a column tells apart.
double untied_weight(const Ranks& ranks, const double* weights, std::size_t j) {
  const std::size_t n = ranks.rows;
  const std::uint32_t *order = &ranks.order[j * n], *x = &ranks.dense[j * n];
  double pairs = 0, before = 0;
  for (std::size_t first = 0, end = 0; first < n; first = end) {
    double weight = 0;
    while (end < n && x[order[end]] == x[order[first]]) weight += weights[order[end++]];
    pairs += before * weight;
    before += weight;
  }
  return pairs;
}

// The symmetric matrix of measure(i, j, worker), unit diagonal; a task is one row of it.
template <class Measure>
std::vector<double> matrix_of_pairs(ThreadPool& pool, std::size_t dim, const CancelFlag& cancel,
                                    Measure&& measure) {
  std::vector<double> result(dim * dim, 1.0);
  pool.run(dim, [&](std::size_t i, std::size_t worker) {
    for (std::size_t j = i; j < dim; ++j) {
      cancel.check();
      const double value = measure(i, j, worker);
      if (i != j)
        result[i * dim + j] = result[j * dim + i] = value;
      else if (std::isnan(value))
        result[i * dim + i] = value;
    }
  });
  return result;
}

// Correlations of the columns of a centred dim x rows array.
std::vector<double> correlations(ThreadPool& pool, const std::vector<double>& centred, const double* weights,
                                 std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  auto inner = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    if (weights)
      for (std::size_t k = 0; k < rows; ++k)
        sum += weights[k] * centred[i * rows + k] * centred[j * rows + k];
    else
      for (std::size_t k = 0; k < rows; ++k) sum += centred[i * rows + k] * centred[j * rows + k];
    return sum;
  };
  std::vector<double> norm(dim);
  pool.run(dim, [&](std::size_t i, std::size_t) { norm[i] = std::sqrt(inner(i, i)); });
  return matrix_of_pairs(pool, dim, cancel, [&](std::size_t i, std::size_t j, std::size_t) {
    if (!(norm[i] > 0) || !(norm[j] > 0)) return nan;
    return i == j ? 1.0 : std::clamp(inner(i, j) / (norm[i] * norm[j]), -1.0, 1.0);
  });
}

// See KendallVariance.
KendallVariance weighted_variance(ThreadPool& pool, const Ranks& ranks, const double* weights,
                                  const CancelFlag& cancel) {
  const std::size_t rows = ranks.rows, dim = ranks.dim;
  const auto variance = [&](const std::vector<double>& sums, double pairs) {
    const auto own = [&](std::size_t k) { return sums[k] / (ranks.size - weights[k]) / pairs; };
    double mean = 0, square = 0;
    for (std::size_t k = 0; k < rows; ++k) mean += weights[k] / ranks.size * own(k);
    for (std::size_t k = 0; k < rows; ++k)
      square += weights[k] * weights[k] * (own(k) - mean) * (own(k) - mean);
    return 4 * square / (ranks.size * ranks.size);
  };
  // by the first column of the pairs, so that the order of the sums does not depend on the threads
  std::vector<std::vector<double>> totals(dim, std::vector<double>(rows));
  KendallVariance result;
  result.pairs = matrix_of_pairs(pool, dim, cancel, [&](std::size_t i, std::size_t j, std::size_t) {
    if (i == j) return 0.0;
    const std::vector<double> sums = concordances(ranks, weights, i, j);
    for (std::size_t k = 0; k < rows; ++k) totals[i][k] += sums[k];
    return variance(sums, 1);
  });
  for (std::size_t i = 0; i < dim; ++i) result.pairs[i * dim + i] = 0;
  for (std::size_t i = 1; i < dim; ++i)
    for (std::size_t k = 0; k < rows; ++k) totals[0][k] += totals[i][k];
  result.mean = variance(totals[0], static_cast<double>(pairs_of(dim)));
  return result;
}

}  // namespace

std::vector<double> kendall_tau(std::size_t threads, const double* x, const double* weights, std::size_t rows,
                                std::size_t dim, const CancelFlag& cancel) {
  ThreadPool pool(threads);
  if (weights) {
    const Ranks ranks(pool, x, weights, rows, dim, cancel);
    std::vector<double> untied(dim);
    pool.run(dim, [&](std::size_t j, std::size_t) { untied[j] = untied_weight(ranks, weights, j); });
    return matrix_of_pairs(pool, dim, cancel, [&](std::size_t i, std::size_t j, std::size_t) {
      if (!(untied[i] > 0 && untied[j] > 0)) return nan;
      if (i == j) return 1.0;
      const std::vector<double> sums = concordances(ranks, weights, i, j);
      double balance = 0;  // every pair twice
      for (std::size_t k = 0; k < rows; ++k) balance += weights[k] * sums[k];
      return std::clamp(0.5 * balance / std::sqrt(untied[i]) / std::sqrt(untied[j]), -1.0, 1.0);
    });
  }
  // one after the other: pairs take longer, and memory is for their columns
  std::vector<Places> places;
  for (std::size_t j = 0; j < dim; ++j) {
    cancel.check();
    places.emplace_back(column_of(x, rows, dim, j));
  }
  std::vector<PlaceSet> seen(pool.threads(), PlaceSet(rows));
  std::vector<std::vector<std::uint32_t>> order(pool.threads());
  return matrix_of_pairs(pool, dim, cancel, [&](std::size_t i, std::size_t j, std::size_t worker) {
    const double untied_i = static_cast<double>(places[i].untied_pairs),
                 untied_j = static_cast<double>(places[j].untied_pairs);
    if (i == j) order[worker] = places[i].order();  // the first pair of each row
    if (untied_i == 0 || untied_j == 0) return nan;
    if (i == j) return 1.0;
    const std::int64_t balance = concordance(order[worker], places[i], places[j], seen[worker]);
    return static_cast<double>(balance) / std::sqrt(untied_i) / std::sqrt(untied_j);
  });
}

KendallVariance kendall_variance(std::size_t threads, const double* x, const double* weights,
                                 std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, weights, rows, dim, cancel);
  if (weights) return weighted_variance(pool, ranks, weights, cancel);
  const double n = static_cast<double>(rows);
  // of sums over the other rows, and as many pairs
  const auto variance = [&](const std::vector<std::int64_t>& sums, double pairs) {
    double mean = 0, square = 0;
    for (const std::int64_t sum : sums) mean += static_cast<double>(sum) / n;
    for (const std::int64_t sum : sums)
      square += (static_cast<double>(sum) - mean) * (static_cast<double>(sum) - mean);
    return 4 * square / (n * n * (n - 1) * (n - 1) * pairs * pairs);
  };
  // integers, so that the order of the pairs does not matter
  std::vector<std::vector<std::int64_t>> total(pool.threads(), std::vector<std::int64_t>(rows));
  KendallVariance result;
  result.pairs = matrix_of_pairs(pool, dim, cancel, [&](std::size_t i, std::size_t j, std::size_t worker) {
    if (i == j) return 0.0;
    const std::vector<std::int64_t> sums = concordances(ranks, i, j);
    for (std::size_t k = 0; k < rows; ++k) total[worker][k] += sums[k];
    return variance(sums, 1);
  });
  for (std::size_t i = 0; i < dim; ++i) result.pairs[i * dim + i] = 0;
  for (std::size_t worker = 1; worker < total.size(); ++worker)
    for (std::size_t k = 0; k < rows; ++k) total[0][k] += total[worker][k];
  result.mean = variance(total[0], static_cast<double>(pairs_of(dim)));
  return result;
}

std::vector<double> spearman_rho(std::size_t threads, const double* x, const double* weights,
                                 std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  ThreadPool pool(threads);
  Ranks ranks(pool, x, weights, rows, dim, cancel, true);
  for (double& rank : ranks.mean) rank -= 0.5 * (ranks.size + 1);
  return correlations(pool, ranks.mean, weights, rows, dim, cancel);
}

std::vector<double> blomqvist_beta(std::size_t threads, const double* x, const double* weights,
                                   std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, weights, rows, dim, cancel);
  std::vector<double> side(rows * dim);
  for (std::size_t j = 0; j < dim; ++j) {
    const std::uint32_t* order = &ranks.order[j * rows];
    std::size_t below = (rows - 1) / 2, above = rows / 2;  // where the lower and the upper median are
    if (weights) {
      double up_to = weights[order[0]];
      for (below = 0; up_to < 0.5 * ranks.size && below + 1 < rows;) up_to += weights[order[++below]];
      for (above = below; up_to <= 0.5 * ranks.size && above + 1 < rows;) up_to += weights[order[++above]];
    }
    const double low = x[order[below] * dim + j], high = x[order[above] * dim + j];
    for (std::size_t k = 0; k < rows; ++k) {
      const double value = x[k * dim + j];
      // between the two middle values of an even number of rows lies the median
      side[j * rows + k] = low < high ? (value >= high ? 1 : -1) : value > high ? 1 : value < low ? -1 : 0;
    }
  }
  return correlations(pool, side, weights, rows, dim, cancel);
}

TailCurves tail_curves(std::size_t threads, const double* x, const double* weights, std::size_t rows,
                       std::size_t dim, const std::vector<double>& q, const CancelFlag& cancel) {
  for (const double level : q)
    if (!(level > 0 && level < 1)) throw Error("VALUE", "expected levels q strictly between 0 and 1");
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, weights, rows, dim, cancel, true);
  const std::size_t words = (rows + 63) / 64, square = dim * dim;
  double effective = static_cast<double>(rows);
  if (weights) {
    double squares = 0;
    for (std::size_t k = 0; k < rows; ++k) squares += weights[k] * weights[k];
    effective = ranks.size * ranks.size / squares;
  }
  // of the rows in both sets
  const auto weight_of = [&](const std::uint64_t* a, const std::uint64_t* b) {
    double weight = 0;
    for (std::size_t w = 0; w < words; ++w) {
      std::uint64_t both = a[w] & b[w];
      if (!weights) weight += static_cast<double>(std::popcount(both));
      for (; weights && both != 0; both &= both - 1)
        weight += weights[64 * w + static_cast<std::size_t>(std::countr_zero(both))];
    }
    return weight;
  };
  TailCurves result;
  for (auto* values : {&result.lower, &result.lower_error, &result.upper, &result.upper_error})
    values->assign(q.size() * square, 0.0);
  // the rows beyond a level, and those of the block of equal values that it divides, of which a share counts
  // as beyond
  std::vector<std::uint64_t> beyond(words * dim), divided(words * dim);
  std::vector<double> share(dim);
  for (std::size_t level = 0; level < q.size(); ++level)
    for (const bool upper : {false, true}) {
      std::fill(beyond.begin(), beyond.end(), 0u);
      std::fill(divided.begin(), divided.end(), 0u);
      std::fill(share.begin(), share.end(), 0.0);
      pool.run(dim, [&](std::size_t j, std::size_t) {
        const std::uint32_t *order = &ranks.order[j * rows], *dense = &ranks.dense[j * rows];
        double before = 0;
        for (std::size_t first = 0; first < rows;) {
          std::size_t end = first;
          double weight = 0;
          while (end < rows && dense[order[end]] == dense[order[first]])
            weight += weights ? weights[order[end++]] : (++end, 1.0);
          const double below = (q[level] * ranks.size - before) / weight, part = upper ? 1 - below : below;
          // rounding of the level divides no block
          const bool whole = part > 1 - 1e-9;
          if (part > 1e-9)
            for (std::size_t i = first; i < end; ++i)
              (whole ? beyond : divided)[j * words + order[i] / 64] |= std::uint64_t{1} << (order[i] % 64);
          if (part > 1e-9 && !whole) share[j] = part;
          before += weight;
          first = end;
        }
      });
      const double mass = upper ? 1 - q[level] : q[level];
      double* curve = &(upper ? result.upper : result.lower)[level * square];
      double* error = &(upper ? result.upper_error : result.lower_error)[level * square];
      pool.run(dim, [&](std::size_t i, std::size_t) {
        for (std::size_t j = i; j < dim; ++j) {
          cancel.check();
          const std::uint64_t *of = &beyond[i * words], *with = &beyond[j * words];
          const std::uint64_t *of_block = &divided[i * words], *with_block = &divided[j * words];
          double both = weight_of(of, with);
          if (share[i] > 0) both += share[i] * weight_of(of_block, with);
          if (share[j] > 0) both += share[j] * weight_of(of, with_block);
          // a column goes with itself inside a block, others are independent there
          if (share[i] > 0 && share[j] > 0)
            both += share[i] * (i == j ? 1 : share[j]) * weight_of(of_block, with_block);
          const double p = std::min(both / ranks.size, mass);
          curve[i * dim + j] = curve[j * dim + i] = p / mass;
          const double smoothed = (both * (effective / ranks.size) + 1) / (effective + 2);
          error[i * dim + j] = error[j * dim + i] = std::sqrt(smoothed * (1 - smoothed) / effective) / mass;
        }
      });
    }
  return result;
}

}  // namespace sklar
