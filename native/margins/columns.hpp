#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/random/philox.h"
#include "core/threads/cancel.hpp"
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

// Copula scale: levels u. Gaussian scale: their standard normal quantiles z, which tell both tails apart from
// 1 and 0 alike.
enum class ColumnScale { copula, gaussian };

struct Cell {
  double lower, upper;
};

// Takes the values of a column to levels strictly between 0 and 1, and levels to values.
class ColumnMap {
 public:
  virtual ~ColumnMap() = default;
  // Of so many values, to out[0], out[stride], ...; draw: of the first, the others are those of the rows
  // after it.
  virtual void levels(const double* x, std::size_t count, Draw draw, double* out,
                      std::size_t stride) const = 0;
  virtual void scores(const double* x, std::size_t count, Draw draw, double* out,
                      std::size_t stride) const = 0;
  // The scores just before and after a value of positive probability, infinite where nothing is beyond; the
  // score twice of other values.
  virtual Cell cell(double x) const = 0;
  // The values at so many levels or scores: [0], [stride], ...
  virtual void values(const double* u, std::size_t count, std::size_t stride, double* out) const = 0;
  virtual void values_at_scores(const double* z, std::size_t count, std::size_t stride,
                                double* out) const = 0;
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
  // first and last are the ends of a block themselves, of weighted rows, where else they are whole ranks,
  // half a rank inside
  bool weighted;
};
// rank / (rows + 1); see lib/data/pseudo-observations.ts.
SharedMap make_rank_map(RankBlocks blocks);

// x: the columns, `rows` values each from row number first_row on; keys: one for each column. Returns rows x
// columns, row-major.
std::vector<double> column_levels(std::size_t threads, const std::vector<SharedMap>& maps,
                                  const std::vector<std::uint32_t>& keys,
                                  const std::vector<std::vector<double>>& x, std::size_t rows,
                                  std::uint64_t first_row, bool random, std::uint64_t seed, ColumnScale scale,
                                  const CancelFlag& cancel);

// The columns of quantiles at levels, rows x columns.
std::vector<std::vector<double>> column_values(std::size_t threads, const std::vector<SharedMap>& maps,
                                               const std::vector<double>& levels, std::size_t rows,
                                               ColumnScale scale, const CancelFlag& cancel);

// The cells of rows, on the Gaussian scale, rows x columns.
struct RowCells {
  std::vector<double> lower, upper;
};
RowCells column_cells(std::size_t threads, const std::vector<SharedMap>& maps,
                      const std::vector<std::vector<double>>& x, std::size_t rows, const CancelFlag& cancel);

// For each row the sum of the log densities of its values; atoms: also the log probabilities of those that
// have one. Minus infinity where one value is impossible.
std::vector<double> column_log_pdf(std::size_t threads, const std::vector<SharedMargin>& margins,
                                   const std::vector<std::vector<double>>& x, std::size_t rows, bool atoms,
                                   const CancelFlag& cancel);

}  // namespace sklar
