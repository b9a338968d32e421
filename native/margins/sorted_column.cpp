#include "margins/sorted_column.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>

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

// Levels of weighted rows from their ranks: equal ones that have ranks of their own lie in that order.
void weighted_levels(ColumnRanks& column, const SortedColumn& sorted, const std::vector<double>& weights) {
  const std::size_t rows = column.twice_rank.size();
  const double size = std::accumulate(sorted.weights.begin(), sorted.weights.end(), 0.0);
  column.level.assign(rows, std::numeric_limits<double>::quiet_NaN());
  Order order(2 * column.known + 1,
              missing_value);  // by twice the rank the first row, and the next one
  Order next(rows, missing_value);
  for (std::size_t i = rows; i-- > 0;) {
    if (column.twice_rank[i] == 0) continue;
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

void hash_ranks(ColumnRanks& column) {
  std::uint64_t weights = 0;
  for (std::size_t i = 0; i < column.twice_rank.size(); ++i) {
    if (column.twice_rank[i] == 0) continue;
    const std::uint64_t weight = hash_weight_of(i);
    column.hash += weight * column.value_of_row(i);
    weights += weight;
  }
  column.reversed_hash = weights * (column.distinct - 1) - column.hash;
}

// The ranks of the rows in this order of a sorted column, rows of equal values in their own.
ColumnRanks ranks_of(const SortedColumn& column, const Order& order, std::size_t rows,
                     const std::vector<double>* weights, const RankOptions& options) {
  const std::vector<double>& sorted = column.sorted;
  const PhiloxKey key = philox_key(options.seed);
  ColumnRanks ranks;
  ranks.known = sorted.size();
  ranks.distinct = 1;
  for (std::size_t k = 1; k < sorted.size(); ++k) ranks.distinct += sorted[k] != sorted[k - 1];
  ranks.twice_rank.resize(rows, 0);
  if (ranks.distinct < sorted.size()) ranks.dense.resize(rows, missing_value);
  std::uint32_t value = 0;
  Order block;
  for (std::uint32_t begin = 0, end = 1; begin < sorted.size(); begin = end++, ++value) {
    while (end < sorted.size() && sorted[end] == sorted[begin]) ++end;
    if (!ranks.dense.empty())
      for (std::uint32_t k = begin; k < end; ++k) ranks.dense[order[k]] = value;
    if (!options.random) {
      for (std::uint32_t k = begin; k < end; ++k) ranks.twice_rank[order[k]] = begin + 1 + end;
      continue;
    }
    // a shuffle of the ranks of the block
    block.resize(end - begin);
    std::iota(block.begin(), block.end(), begin + 1);
    for (std::uint32_t i = end - 1; i > begin; --i) {
      const std::uint64_t choices = i - begin + 1;
      const std::uint32_t word = philox(philox_counter(i, options.column_key, 0, kTagTrainingTies), key).x;
      std::swap(block[i - begin], block[word * choices >> 32]);
    }
    for (std::uint32_t k = begin; k < end; ++k) ranks.twice_rank[order[k]] = 2 * block[k - begin];
  }
  if (weights) weighted_levels(ranks, column, *weights);
  hash_ranks(ranks);
  return ranks;
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
  std::uint64_t values_hash = 0;
  for (std::size_t i = 0; i < all; ++i) {
    if (std::isnan(values[i])) continue;
    const std::uint64_t key = key_of(values[i]);
    if (ranks) values_hash += hash_weight_of(i) * key;
    values[rows++] = std::bit_cast<double>(key);
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
  if (ranks) {
    cancel.check();
    ColumnRanks found = ranks_of(column, order, all, weights, *ranks);
    found.values_hash = values_hash;
    column.ranks = std::make_shared<ColumnRanks>(std::move(found));
  }
  return column;
}

int monotone_relation(const ColumnRanks& a, const ColumnRanks& b) {
  const std::size_t rows = a.twice_rank.size();
  if (a.distinct != b.distinct || rows != b.twice_rank.size()) return 0;
  const auto top = static_cast<std::uint32_t>(b.distinct - 1);
  bool same = true, reversed = true;
  for (std::size_t i = 0; i < rows && (same || reversed); ++i) {
    const std::uint32_t x = a.value_of_row(i), y = b.value_of_row(i);
    same = same && x == y;
    reversed = reversed && x == (y == missing_value ? y : top - y);
  }
  return same ? 1 : reversed ? -1 : 0;
}

void rank_levels(std::size_t threads, const std::vector<SharedRanks>& columns, std::span<double> u,
                 const CancelFlag& cancel) {
  const std::size_t width = columns.size(), rows = width == 0 ? 0 : u.size() / width;
  for (const SharedRanks& column : columns)
    if (column->twice_rank.size() != rows || u.size() != rows * width)
      throw Error("SHAPE", "expected columns with ranks of all rows");
  ThreadPool pool(threads);
  constexpr std::size_t chunk = 4096;
  pool.run((rows + chunk - 1) / chunk, [&](std::size_t task, std::size_t) {
    cancel.check();
    const std::size_t from = task * chunk, to = std::min(rows, from + chunk);
    for (std::size_t j = 0; j < width; ++j) {
      const auto& [twice_rank, level] = std::tie(columns[j]->twice_rank, columns[j]->level);
      const double size = static_cast<double>(columns[j]->known) + 1;
      for (std::size_t i = from; i < to; ++i)
        u[i * width + j] = !level.empty()       ? level[i]
                           : twice_rank[i] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                : 0.5 * twice_rank[i] / size;
    }
  });
}

}  // namespace sklar
