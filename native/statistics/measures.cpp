#include "statistics/measures.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"

namespace sklar {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Columns side by side, and what every measure needs of them.
struct Ranks {
  std::size_t rows, dim;
  std::vector<std::uint32_t> order;  // rows of a column by value, ties by row
  std::vector<std::uint32_t> dense;  // 0, 1, ...: equal for equal values
  std::vector<double> mean;          // 1 .. rows, ties at their mean

  Ranks(ThreadPool& pool, const double* x, std::size_t n, std::size_t d, const CancelFlag& cancel)
      : rows(n), dim(d), order(n * d), dense(n * d), mean(n * d) {
    if (n < 2 || n > std::numeric_limits<std::uint32_t>::max())
      throw Error("SHAPE", "expected 2 rows at least and fewer than 2^32, got " + std::to_string(n));
    pool.run(d, [&](std::size_t j, std::size_t) {
      cancel.check();
      std::vector<double> column(n);
      for (std::size_t i = 0; i < n; ++i) column[i] = x[i * d + j];
      std::uint32_t* by_value = &order[j * n];
      std::iota(by_value, by_value + n, 0u);
      std::sort(by_value, by_value + n, [&](std::uint32_t a, std::uint32_t b) {
        return column[a] != column[b] ? column[a] < column[b] : a < b;
      });
      std::uint32_t group = 0;
      for (std::size_t first = 0; first < n; ++group) {
        std::size_t end = first + 1;
        while (end < n && column[by_value[end]] == column[by_value[first]]) ++end;
        for (std::size_t i = first; i < end; ++i) {
          dense[j * n + by_value[i]] = group;
          mean[j * n + by_value[i]] = 0.5 * static_cast<double>(first + 1 + end);
        }
        first = end;
      }
    });
  }
};

std::uint64_t pairs_of(std::uint64_t n) { return n * (n - 1) / 2; }

// Pairs of equal neighbours' groups in a sorted range.
template <class Same>
std::uint64_t tied_pairs(std::size_t n, Same&& same) {
  std::uint64_t sum = 0;
  for (std::size_t first = 0, i = 1; i <= n; ++i)
    if (i == n || !same(i - 1, i)) {
      sum += pairs_of(i - first);
      first = i;
    }
  return sum;
}

// Sorts values and counts the pairs that were in the wrong order.
std::uint64_t sort_and_count(std::vector<std::uint32_t>& values, std::vector<std::uint32_t>& scratch) {
  const std::size_t n = values.size();
  std::uint64_t swaps = 0;
  for (std::size_t width = 1; width < n; width *= 2) {
    for (std::size_t low = 0; low < n; low += 2 * width) {
      const std::size_t middle = std::min(low + width, n), high = std::min(low + 2 * width, n);
      std::size_t a = low, b = middle;
      for (std::size_t k = low; k < high; ++k) {
        if (a < middle && (b == high || values[a] <= values[b])) {
          scratch[k] = values[a++];
        } else {
          swaps += middle - a;
          scratch[k] = values[b++];
        }
      }
    }
    values.swap(scratch);
  }
  return swaps;
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
std::vector<double> correlations(ThreadPool& pool, const std::vector<double>& centred, std::size_t rows,
                                 std::size_t dim, const CancelFlag& cancel) {
  auto inner = [&](std::size_t i, std::size_t j) {
    double sum = 0;
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

}  // namespace

std::vector<double> kendall_tau(std::size_t threads, const double* x, std::size_t rows, std::size_t dim,
                                const CancelFlag& cancel) {
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, rows, dim, cancel);
  std::vector<std::uint64_t> untied(dim);  // pairs of rows that differ in the column
  for (std::size_t j = 0; j < dim; ++j) {
    const std::uint32_t *order = &ranks.order[j * rows], *dense = &ranks.dense[j * rows];
    untied[j] = pairs_of(rows) - tied_pairs(rows, [&](std::size_t a, std::size_t b) {
                  return dense[order[a]] == dense[order[b]];
                });
  }
  std::vector<std::vector<std::uint32_t>> sequence(pool.threads()), scratch(pool.threads());
  return matrix_of_pairs(pool, dim, cancel, [&](std::size_t i, std::size_t j, std::size_t worker) {
    if (untied[i] == 0 || untied[j] == 0) return nan;
    if (i == j) return 1.0;
    auto& y = sequence[worker];
    y.resize(rows);
    scratch[worker].resize(rows);
    const std::uint32_t *order = &ranks.order[i * rows], *first = &ranks.dense[i * rows],
                        *second = &ranks.dense[j * rows];
    for (std::size_t k = 0; k < rows; ++k) y[k] = second[order[k]];
    std::uint64_t tied_in_both = 0;
    for (std::size_t begin = 0, k = 1; k <= rows; ++k)
      if (k == rows || first[order[k]] != first[order[begin]]) {
        if (k - begin > 1) {
          std::sort(y.begin() + static_cast<std::ptrdiff_t>(begin),
                    y.begin() + static_cast<std::ptrdiff_t>(k));
          tied_in_both += tied_pairs(
              k - begin, [&](std::size_t a, std::size_t b) { return y[begin + a] == y[begin + b]; });
        }
        begin = k;
      }
    const std::uint64_t discordant = sort_and_count(y, scratch[worker]);
    // concordant + discordant + tied in x or y or both = all pairs
    const double total = static_cast<double>(untied[i]) + static_cast<double>(untied[j]) -
                         static_cast<double>(pairs_of(rows) - tied_in_both);
    const double balance = total - 2 * static_cast<double>(discordant);
    return balance / std::sqrt(static_cast<double>(untied[i])) / std::sqrt(static_cast<double>(untied[j]));
  });
}

KendallVariance kendall_variance(std::size_t threads, const double* x, std::size_t rows, std::size_t dim,
                                 const CancelFlag& cancel) {
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, rows, dim, cancel);
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

std::vector<double> spearman_rho(std::size_t threads, const double* x, std::size_t rows, std::size_t dim,
                                 const CancelFlag& cancel) {
  ThreadPool pool(threads);
  Ranks ranks(pool, x, rows, dim, cancel);
  for (double& rank : ranks.mean) rank -= 0.5 * static_cast<double>(rows + 1);
  return correlations(pool, ranks.mean, rows, dim, cancel);
}

std::vector<double> blomqvist_beta(std::size_t threads, const double* x, std::size_t rows, std::size_t dim,
                                   const CancelFlag& cancel) {
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, rows, dim, cancel);
  std::vector<double> side(rows * dim);
  for (std::size_t j = 0; j < dim; ++j) {
    const std::uint32_t* order = &ranks.order[j * rows];
    const double low = x[order[(rows - 1) / 2] * dim + j], high = x[order[rows / 2] * dim + j];
    for (std::size_t k = 0; k < rows; ++k) {
      const double value = x[k * dim + j];
      // between the two middle values of an even number of rows lies the median
      side[j * rows + k] = low < high ? (value >= high ? 1 : -1) : value > high ? 1 : value < low ? -1 : 0;
    }
  }
  return correlations(pool, side, rows, dim, cancel);
}

TailCurves tail_curves(std::size_t threads, const double* x, std::size_t rows, std::size_t dim,
                       const std::vector<double>& q, const CancelFlag& cancel) {
  for (const double level : q)
    if (!(level > 0 && level < 1)) throw Error("VALUE", "expected levels q strictly between 0 and 1");
  ThreadPool pool(threads);
  const Ranks ranks(pool, x, rows, dim, cancel);
  const std::size_t words = (rows + 63) / 64, square = dim * dim;
  const double n = static_cast<double>(rows);
  TailCurves result;
  for (auto* values : {&result.lower, &result.lower_error, &result.upper, &result.upper_error})
    values->assign(q.size() * square, 0.0);
  std::vector<std::uint64_t> member(words * dim);
  for (std::size_t level = 0; level < q.size(); ++level)
    for (const bool upper : {false, true}) {
      std::fill(member.begin(), member.end(), 0u);
      for (std::size_t j = 0; j < dim; ++j)
        for (std::size_t k = 0; k < rows; ++k) {
          const double u = (ranks.mean[j * rows + k] - 0.5) / n;
          if (upper ? u > q[level] : u < q[level]) member[j * words + k / 64] |= std::uint64_t{1} << (k % 64);
        }
      const double mass = upper ? 1 - q[level] : q[level];
      double* curve = &(upper ? result.upper : result.lower)[level * square];
      double* error = &(upper ? result.upper_error : result.lower_error)[level * square];
      pool.run(dim, [&](std::size_t i, std::size_t) {
        for (std::size_t j = i; j < dim; ++j) {
          cancel.check();
          std::uint64_t both = 0;
          for (std::size_t w = 0; w < words; ++w)
            both += static_cast<std::uint64_t>(std::popcount(member[i * words + w] & member[j * words + w]));
          const double p = static_cast<double>(both) / n;
          curve[i * dim + j] = curve[j * dim + i] = p / mass;
          const double smoothed = static_cast<double>(both + 1) / (n + 2);
          error[i * dim + j] = error[j * dim + i] = std::sqrt(smoothed * (1 - smoothed) / n) / mass;
        }
      });
    }
  return result;
}

}  // namespace sklar
