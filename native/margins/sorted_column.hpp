#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/threads/cancel.hpp"

namespace sklar {

// The ranks of the rows of a column, without its values.
struct ColumnRanks {
  std::size_t known = 0, distinct = 0;  // values that are not missing, and different ones
  // For each row twice its rank (the mean of two neighbouring ranks is no whole number); 0 where it is
  // missing.
  std::vector<std::uint32_t> twice_rank;
  // Where values occur twice: which of the different ones each row has; see value_of_row.
  std::vector<std::uint32_t> dense;
  // Of weighted rows in place of twice the rank: the weight of lower rows and half of its own and 1, over the
  // sum of all and 1; NaN where it is missing.
  std::vector<double> level;
  // Linear hashes of which values rows have, and of those from the greatest value down: columns that are
  // increasing (decreasing) functions of each other share the first (the other's second). Copies share that
  // of the values.
  std::uint64_t hash = 0, reversed_hash = 0, values_hash = 0;

  // From 0; missing_value where it is missing.
  std::uint32_t value_of_row(std::size_t i) const { return dense.empty() ? twice_rank[i] / 2 - 1 : dense[i]; }
};

inline constexpr std::uint32_t missing_value = ~std::uint32_t{0};

// Training values in ascending order, -0 as 0; missing ones (NaN) left out.
struct SortedColumn {
  std::vector<double> sorted;
  std::vector<double> weights;  // of `sorted`; of rows without weights empty
  // null where they are not wanted
  std::shared_ptr<const ColumnRanks> ranks;
};

struct RankOptions {
  bool random;  // equal values get their ranks in random order, else all the mean of them
  std::uint64_t seed;
  std::uint32_t column_key;  // with the seed decides the order
};

// Fewer than 2^31 values, finite or NaN, one of them finite. ranks: null, where they are not wanted. O(rows),
// stable. weights: one for each value, positive; null: all are 1.
SortedColumn sort_column(std::vector<double> values, const std::vector<double>* weights,
                         const RankOptions* ranks, const CancelFlag& cancel);

// Whether one column is an increasing (+1) or decreasing (-1) function of the other; 0: neither.
int monotone_relation(const ColumnRanks& a, const ColumnRanks& b);

using SharedRanks = std::shared_ptr<const ColumnRanks>;

// The ranks / (n + 1) of columns of n values and as many rows, rows x columns; NaN where one is missing.
void rank_levels(std::size_t threads, const std::vector<SharedRanks>& columns, std::span<double> u,
                 const CancelFlag& cancel);

}  // namespace sklar
