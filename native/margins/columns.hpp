#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/cancel.hpp"
#include "core/philox.h"
#include "margins/margin.hpp"

// Whole columns to the copula scale and back. Results do not depend on the number of threads (0: one for
// each processor).
namespace sklar {

// Where equal values get random levels: 32 bits of the seed, the column and the row, drawn when wanted.
struct Draw {
  PhiloxKey key;
  std::uint64_t row;
  std::uint32_t column;
  bool random;  // else all get the middle

  std::uint32_t operator()() const { return philox(philox_counter(row, column, 0, kTagTies), key).x; }
};

// Takes the values of a column to levels strictly between 0 and 1, and levels to values.
class ColumnMap {
 public:
  virtual ~ColumnMap() = default;
  // Of so many values, to out[0], out[stride], ...; draw: of the first, the others are those of the rows
  // after it.
  virtual void levels(const double* x, std::size_t count, Draw draw, double* out,
                      std::size_t stride) const = 0;
  virtual double value(double u) const = 0;
};

using SharedMap = std::shared_ptr<const ColumnMap>;

// F and its quantile. Where F jumps, a level is random in the jump or its middle; outside the support, and at
// an end of it without probability, it is 0.5 / (rows + 1) or (rows + 0.5) / (rows + 1). integer: values are
// rounded.
SharedMap make_margin_map(SharedMargin margin, double rows, bool integer);

// Different values in ascending order, each with the block of ranks (1 .. rows) that its occurrences fill.
struct RankBlocks {
  std::vector<double> values, first, last;
  double rows;
  bool integer;
  bool thinned;  // values between those were left out
};
// rank / (rows + 1); see lib/data/pseudo-observations.ts.
SharedMap make_rank_map(RankBlocks blocks);

// x: the columns, `rows` values each from row number first_row on; keys: one for each column. Returns rows x
// columns, row-major.
std::vector<double> column_levels(std::size_t threads, const std::vector<SharedMap>& maps,
                                  const std::vector<std::uint32_t>& keys,
                                  const std::vector<std::vector<double>>& x, std::size_t rows,
                                  std::uint64_t first_row, bool random, std::uint64_t seed,
                                  const CancelFlag& cancel);

// The columns of quantiles at u, rows x columns.
std::vector<std::vector<double>> column_values(std::size_t threads, const std::vector<SharedMap>& maps,
                                               const std::vector<double>& u, std::size_t rows,
                                               const CancelFlag& cancel);

// For each row the sum of the log densities of its values.
std::vector<double> column_log_pdf(std::size_t threads, const std::vector<SharedMargin>& margins,
                                   const std::vector<std::vector<double>>& x, std::size_t rows,
                                   const CancelFlag& cancel);

}  // namespace sklar
