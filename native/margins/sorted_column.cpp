#include "margins/sorted_column.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "core/random/philox.h"
#include "core/threads/thread_pool.hpp"

namespace sklar {
namespace {

constexpr int digit_bits = 11, digits = 6;
constexpr std::size_t buckets = std::size_t{1} << digit_bits;

using Bits = std::vector<double>;  // keys, in the memory of the values
using Order = std::vector<std::uint32_t>;

// Keys that ascend as the values do.
std::uint64_t key_of(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);  // makes -0 a 0
  return bits ^ (bits >> 63 ? ~std::uint64_t{0} : std::uint64_t{1} << 63);
}

double value_of(std::uint64_t key) {
  return std::bit_cast<double>(key ^ (key >> 63 ? std::uint64_t{1} << 63 : ~std::uint64_t{0}));
}

std::uint64_t bits_of(double key) { return std::bit_cast<std::uint64_t>(key); }

// Radix sort from the lowest digit to the highest; order moves with the keys, or is empty.
void sort_keys(Bits& keys, Order& order, const CancelFlag& cancel) {
  std::vector<std::uint32_t> counts(digits * buckets, 0);
  for (const double key : keys)
    for (int d = 0; d < digits; ++d)
      ++counts[d * buckets + (bits_of(key) >> (d * digit_bits) & (buckets - 1))];
  Bits next_keys(keys.size());
  Order next_order(order.size());
  for (int d = 0; d < digits; ++d) {
    cancel.check();
    std::uint32_t* start = &counts[d * buckets];
    if (std::find(start, start + buckets, keys.size()) != start + buckets) continue;  // all agree
    std::exclusive_scan(start, start + buckets, start, std::uint32_t{0});
    const int shift = d * digit_bits;
    if (order.empty()) {
      for (const double key : keys) next_keys[start[bits_of(key) >> shift & (buckets - 1)]++] = key;
    } else {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::uint32_t target = start[bits_of(keys[i]) >> shift & (buckets - 1)]++;
        next_keys[target] = keys[i];
        next_order[target] = order[i];
      }
      order.swap(next_order);
    }
    keys.swap(next_keys);
  }
}

// Rank k of the block of equal values is at its row number k in the order drawn: a shuffle of each block.
void random_ranks(SortedColumn& column, const RankOptions& options) {
  const PhiloxKey key = philox_key(options.seed);
  Order ranks(column.sorted.size()), next(column.values.size());
  std::iota(ranks.begin(), ranks.end(), 1u);
  std::uint32_t begin = 0;
  for (std::size_t k = 0; k < column.values.size(); ++k) {
    const auto end = static_cast<std::uint32_t>(column.last[k]);
    next[k] = begin;
    for (std::uint32_t i = end - 1; i > begin; --i) {
      const std::uint64_t choices = i - begin + 1;
      const std::uint32_t word = philox(philox_counter(i, options.column_key, 0, kTagTrainingTies), key).x;
      std::swap(ranks[i], ranks[begin + (word * choices >> 32)]);
    }
    begin = end;
  }
  for (std::size_t i = 0; i < column.dense.size(); ++i)
    if (column.dense[i] != missing_value) column.twice_rank[i] = 2 * ranks[next[column.dense[i]]++];
}

void mean_ranks(SortedColumn& column) {
  for (std::size_t i = 0; i < column.dense.size(); ++i) {
    const std::uint32_t k = column.dense[i];
    if (k == missing_value) continue;
    if (column.values.empty()) {
      column.twice_rank[i] = 2 * (k + 1);
    } else {
      const double first = k == 0 ? 1 : column.last[k - 1] + 1;
      column.twice_rank[i] = static_cast<std::uint32_t>(first + column.last[k]);
    }
  }
}

// Levels of weighted rows from their ranks: equal ones that have ranks of their own lie in that order.
void weighted_levels(SortedColumn& column, const std::vector<double>& weights) {
  const double size = std::accumulate(column.weights.begin(), column.weights.end(), 0.0);
  column.level.assign(column.dense.size(), std::numeric_limits<double>::quiet_NaN());
  Order order(2 * column.sorted.size() + 1,
              missing_value);  // by twice the rank the first row, and the next one
  Order next(column.dense.size(), missing_value);
  for (std::size_t i = column.dense.size(); i-- > 0;) {
    if (column.dense[i] == missing_value) continue;
    next[i] = order[column.twice_rank[i]];
    order[column.twice_rank[i]] = static_cast<std::uint32_t>(i);
  }
  double before = 0;
  for (const std::uint32_t first : order) {
    double weight = 0;
    for (std::uint32_t i = first; i != missing_value; i = next[i]) weight += weights[i];
    for (std::uint32_t i = first; i != missing_value; i = next[i])
      column.level[i] = (before + 0.5 * (weight + 1)) / (size + 1);
    before += weight;
  }
}

// A weight for each row (the finaliser of SplitMix64).
std::uint64_t hash_weight_of(std::uint64_t row) {
  std::uint64_t z = (row + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

void hash_ranks(SortedColumn& column) {
  std::uint64_t weights = 0;
  for (std::size_t i = 0; i < column.dense.size(); ++i) {
    if (column.dense[i] == missing_value) continue;
    const std::uint64_t weight = hash_weight_of(i);
    column.hash += weight * column.dense[i];
    weights += weight;
  }
  column.reversed_hash = weights * (column.distinct() - 1) - column.hash;
}

}  // namespace

SortedColumn sort_column(std::vector<double> values, const std::vector<double>* weights,
                         const RankOptions* ranks, const CancelFlag& cancel) {
  const std::size_t all = values.size();
  if (weights && weights->size() != all) throw Error("SHAPE", "expected a weight for every value");
  if (all > std::numeric_limits<std::int32_t>::max())
    throw Error("SHAPE", "expected from 1 to 2^31 - 1 values, got " + std::to_string(all));
  Order order;
  const bool ordered = ranks || weights;
  if (ordered) order.reserve(all);
  std::size_t rows = 0;
  for (std::size_t i = 0; i < all; ++i) {
    if (std::isnan(values[i])) continue;
    values[rows++] = std::bit_cast<double>(key_of(values[i]));
    if (ordered) order.push_back(static_cast<std::uint32_t>(i));
  }
  if (rows == 0) throw Error("SHAPE", "expected from 1 to 2^31 - 1 values, got none");
  values.resize(rows);
  sort_keys(values, order, cancel);

  SortedColumn column;
  column.sorted = std::move(values);
  for (double& value : column.sorted) value = value_of(bits_of(value));
  if (weights) column.weights.reserve(rows);
  for (std::size_t i = 0; weights && i < rows; ++i) column.weights.push_back((*weights)[order[i]]);
  if (ranks) column.dense.resize(all, missing_value);
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (i == 0 || column.sorted[i] != column.sorted[i - 1]) ++distinct;
    if (ranks) column.dense[order[i]] = static_cast<std::uint32_t>(distinct - 1);
  }
  if (distinct < rows) {
    column.values.reserve(distinct);
    column.last.reserve(distinct);
    for (std::size_t i = 0; i < rows; ++i) {
      if (i + 1 < rows && column.sorted[i + 1] == column.sorted[i]) continue;
      column.values.push_back(column.sorted[i]);
      column.last.push_back(static_cast<double>(i + 1));
    }
  }
  order = {};
  if (ranks) {
    cancel.check();
    column.twice_rank.resize(all, 0);
    if (ranks->random && distinct < rows)
      random_ranks(column, *ranks);
    else
      mean_ranks(column);
    if (weights) weighted_levels(column, *weights);
    hash_ranks(column);
  }
  return column;
}

int monotone_relation(const SortedColumn& a, const SortedColumn& b) {
  if (a.distinct() != b.distinct() || a.dense.size() != b.dense.size()) return 0;
  const auto top = static_cast<std::uint32_t>(b.distinct() - 1);
  if (std::equal(a.dense.begin(), a.dense.end(), b.dense.begin())) return 1;
  const auto reversed = [top](std::uint32_t x, std::uint32_t y) {
    return x == (y == missing_value ? y : top - y);
  };
  return std::equal(a.dense.begin(), a.dense.end(), b.dense.begin(), reversed) ? -1 : 0;
}

std::vector<double> rank_levels(std::size_t threads, const std::vector<const SortedColumn*>& columns,
                                std::size_t begin, std::size_t end, const CancelFlag& cancel) {
  const std::size_t width = columns.size();
  for (const SortedColumn* column : columns)
    if (begin > end || column->twice_rank.size() < end ||
        column->twice_rank.size() != columns[0]->twice_rank.size())
      throw Error("SHAPE", "expected columns with ranks of all rows");
  std::vector<double> u((end - begin) * width);
  ThreadPool pool(threads);
  constexpr std::size_t chunk = 4096;
  pool.run((end - begin + chunk - 1) / chunk, [&](std::size_t task, std::size_t) {
    cancel.check();
    const std::size_t from = begin + task * chunk, to = std::min(end, from + chunk);
    for (std::size_t j = 0; j < width; ++j) {
      const double size = static_cast<double>(columns[j]->sorted.size()) + 1;
      const std::vector<double>& level = columns[j]->level;
      if (!level.empty()) {
        for (std::size_t i = from; i < to; ++i) u[(i - begin) * width + j] = level[i];
        continue;
      }
      for (std::size_t i = from; i < to; ++i)
        u[(i - begin) * width + j] = columns[j]->twice_rank[i] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                                    : 0.5 * columns[j]->twice_rank[i] / size;
    }
  });
  return u;
}

}  // namespace sklar
