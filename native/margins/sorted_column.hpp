#pragma once

#include <cstdint>
#include <vector>

#include "core/threads/cancel.hpp"

namespace sklar {

// Training values in ascending order, -0 as 0; missing ones (NaN) left out.
struct SortedColumn {
  std::vector<double> sorted;
  // Different values, and for each of them how many rows are not above it. Both empty where no value occurs
  // twice: then `sorted` are the different values.
  std::vector<double> values, last;
  // Of weighted rows the weights of `sorted`; else empty.
  std::vector<double> weights;

  // Where ranks are wanted. For each row which of the different values it has, from 0, and twice its rank
  // (the mean of two neighbouring ranks is no whole number); `missing_value` and 0 where it is missing.
  std::vector<std::uint32_t> dense, twice_rank;
  // Of weighted rows in place of twice the rank: the weight of lower rows and half of its own and 1, over the
  // sum of all and 1; NaN where it is missing.
  std::vector<double> level;
  // Linear hashes of the dense ranks, and of those from the greatest value down: columns that are increasing
  // (decreasing) functions of each other share the first (the other's second).
  std::uint64_t hash = 0, reversed_hash = 0;

  std::size_t distinct() const { return values.empty() ? sorted.size() : values.size(); }
};

inline constexpr std::uint32_t missing_value = ~std::uint32_t{0};

struct RankOptions {
  bool random;  // equal values get their ranks in random order, else all the mean of them
  std::uint64_t seed;
  std::uint32_t column_key;  // with the seed decides the order
};

// Fewer than 2^31 values, finite or NaN, one of them finite. ranks: null, where they are not wanted. O(rows),
// stable. weights: one for each value, positive; null: all are 1.
SortedColumn sort_column(std::vector<double> values, const std::vector<double>* weights,
                         const RankOptions* ranks, const CancelFlag& cancel);

// Whether one column is an increasing (+1) or decreasing (-1) function of the other; 0: neither. Both with
// ranks and of as many rows.
int monotone_relation(const SortedColumn& a, const SortedColumn& b);

// Rows begin .. end of the ranks / (n + 1) of columns with ranks and n values, row-major; NaN where one is
// missing.
std::vector<double> rank_levels(std::size_t threads, const std::vector<const SortedColumn*>& columns,
                                std::size_t begin, std::size_t end, const CancelFlag& cancel);

}  // namespace sklar
