#include "statistics/two_sample.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "core/normal.h"
#include "core/random/philox.h"
#include "core/threads/thread_pool.hpp"

namespace sklar {
namespace {

using Vector = std::vector<double>;

void check_samples(std::size_t rows, std::size_t first) {
  if (first < 1 || first >= rows || rows > std::numeric_limits<std::uint32_t>::max())
    throw Error("SHAPE", "expected a row at least of each sample and fewer than 2^32, got " +
                             std::to_string(first) + " of " + std::to_string(rows));
}

Vector sorted_column(const double* x, std::size_t begin, std::size_t end, std::size_t dim, std::size_t j) {
  Vector column(end - begin);
  for (std::size_t i = begin; i < end; ++i) column[i - begin] = x[i * dim + j];
  std::sort(column.begin(), column.end());
  return column;
}

// The tasks in groups, with a report after each.
template <class Body>
void run_reported(ThreadPool& pool, std::size_t tasks, const CancelFlag& cancel, const Fraction& progress,
                  Body&& body) {
  const std::size_t group = 4 * pool.threads();
  for (std::size_t begin = 0; begin < tasks; begin += group) {
    const std::size_t count = std::min(group, tasks - begin);
    pool.run(count, [&](std::size_t task, std::size_t) {
      cancel.check();
      body(begin + task);
    });
    progress(static_cast<double>(begin + count) / static_cast<double>(tasks));
  }
}

}  // namespace

Vector normal_scores(std::size_t threads, const double* base, std::size_t base_rows, const double* x,
                     std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  ThreadPool pool(threads);
  Vector z(rows * dim);
  pool.run(dim, [&](std::size_t j, std::size_t) {
    cancel.check();
    const Vector column = sorted_column(base, 0, base_rows, dim, j);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto [low, high] = std::equal_range(column.begin(), column.end(), x[i * dim + j]);
      const double middle = 0.5 * static_cast<double>((low - column.begin()) + (high - column.begin()));
      z[i * dim + j] = normal_quantile((middle + 0.5) / static_cast<double>(base_rows + 1));
    }
  });
  return z;
}

MarginDistances margin_distances(std::size_t threads, const double* x, std::size_t rows, std::size_t first,
                                 std::size_t dim, const CancelFlag& cancel) {
  check_samples(rows, first);
  ThreadPool pool(threads);
  MarginDistances result{Vector(dim), Vector(dim)};
  const double n = static_cast<double>(first), m = static_cast<double>(rows - first);
  pool.run(dim, [&](std::size_t j, std::size_t) {
    cancel.check();
    const Vector a = sorted_column(x, 0, first, dim, j), b = sorted_column(x, first, rows, dim, j);
    double largest = 0, squares_a = 0, squares_b = 0;
    for (std::size_t i = 0, k = 0; i < a.size() || k < b.size();) {
      const double value = k == b.size() || (i < a.size() && a[i] < b[k]) ? a[i] : b[k];
      std::size_t i_end = i, k_end = k;
      while (i_end < a.size() && a[i_end] == value) ++i_end;
      while (k_end < b.size() && b[k_end] == value) ++k_end;
      const double rank = 0.5 * static_cast<double>(i + k + 1 + i_end + k_end);
      for (; i < i_end; ++i) {
        const double difference = rank - static_cast<double>(i + 1);
        squares_a += difference * difference;
      }
      for (; k < k_end; ++k) {
        const double difference = rank - static_cast<double>(k + 1);
        squares_b += difference * difference;
      }
      largest = std::max(largest, std::abs(static_cast<double>(i) / n - static_cast<double>(k) / m));
    }
    result.kolmogorov[j] = largest;
    result.cramer[j] = (n * squares_a + m * squares_b) / (n * m * (n + m)) - (4 * n * m - 1) / (6 * (n + m));
  });
  return result;
}

namespace {

constexpr std::size_t block = 64;

// Rows of a block side by side, dim x block, so that the distances of one row to all of them are one loop.
struct Blocks {
  std::size_t dim, count;
  Vector values;

  Blocks(const double* x, std::size_t rows, std::size_t d)
      : dim(d), count((rows + block - 1) / block), values(count * d * block) {
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t k = 0; k < d; ++k) values[(i / block * d + k) * block + i % block] = x[i * d + k];
  }

  void squared_distances(const double* row, std::size_t which, double* out) const {
    std::fill(out, out + block, 0.0);
    const double* at = &values[which * dim * block];
    for (std::size_t k = 0; k < dim; ++k, at += block)
      for (std::size_t j = 0; j < block; ++j) {
        const double difference = row[k] - at[j];
        out[j] += difference * difference;
      }
  }
};

void pair_values(double* squares, const Vector& bandwidths) {
  if (bandwidths.empty()) {
    for (std::size_t j = 0; j < block; ++j) squares[j] = std::sqrt(squares[j]);
    return;
  }
  for (std::size_t j = 0; j < block; ++j) {
    double sum = 0;
    for (const double h : bandwidths) sum += std::exp(-squares[j] / (2 * h * h));
    squares[j] = sum / static_cast<double>(bandwidths.size());
  }
}

// rows x count: 1 where the row is of the first sample under the relabelling, else 0.
Vector memberships(ThreadPool& pool, std::size_t rows, std::size_t first, std::size_t count,
                   std::uint64_t seed) {
  Vector member(rows * count, 0.0);
  const PhiloxKey key = philox_key(seed);
  pool.run(count, [&](std::size_t p, std::size_t) {
    std::vector<std::uint32_t> order(rows);
    std::iota(order.begin(), order.end(), 0u);
    // the first steps of a shuffle draw without replacement
    for (std::size_t i = 0; i < first; ++i) {
      const PhiloxBlock words = philox(philox_counter(p, static_cast<std::uint32_t>(i), 0, kTagRelabel), key);
      const std::uint64_t left = rows - i;
      std::swap(order[i], order[i + ((words.x * left) >> 32)]);
      member[order[i] * count + p] = 1;
    }
  });
  return member;
}

}  // namespace

PairSums pair_sums(std::size_t threads, const double* x, std::size_t rows, std::size_t first, std::size_t dim,
                   const Vector& bandwidths, std::size_t relabellings, std::uint64_t seed,
                   const CancelFlag& cancel, const Fraction& progress) {
  check_samples(rows, first);
  ThreadPool pool(threads);
  const Blocks blocks(x, rows, dim);
  const Vector member = memberships(pool, rows, first, relabellings, seed);
  PairSums result{Vector(rows), Vector(rows), Vector(relabellings), Vector(relabellings)};
  Vector partial(blocks.count * relabellings, 0.0);
  run_reported(pool, blocks.count, cancel, progress, [&](std::size_t task) {
    const std::size_t end = std::min(rows, (task + 1) * block);
    double values[block];
    Vector of_row(relabellings);
    for (std::size_t which = 0; which < blocks.count; ++which) {
      const std::size_t from = which * block, to = std::min(rows, from + block);
      cancel.check();
      for (std::size_t i = task * block; i < end; ++i) {
        blocks.squared_distances(x + i * dim, which, values);
        pair_values(values, bandwidths);
        for (std::size_t j = from; j < to; ++j)
          if (j != i) (j < first ? result.to_first : result.to_second)[i] += values[j - from];
        if (which < task || relabellings == 0) continue;
        std::fill(of_row.begin(), of_row.end(), 0.0);
        for (std::size_t j = std::max(from, i + 1); j < to; ++j) {
          const double value = values[j - from];
          const double* weight = &member[j * relabellings];
          for (std::size_t p = 0; p < relabellings; ++p) of_row[p] += value * weight[p];
        }
        const double* weight = &member[i * relabellings];
        double* sum = &partial[task * relabellings];
        for (std::size_t p = 0; p < relabellings; ++p) sum[p] += of_row[p] * weight[p];
      }
    }
  });
  for (std::size_t task = 0; task < blocks.count; ++task)
    for (std::size_t p = 0; p < relabellings; ++p) result.within_first[p] += partial[task * relabellings + p];
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t p = 0; p < relabellings; ++p)
      result.between[p] += member[i * relabellings + p] * (result.to_first[i] + result.to_second[i]);
  for (std::size_t p = 0; p < relabellings; ++p) result.between[p] -= 2 * result.within_first[p];
  return result;
}

double median_distance(const double* x, std::size_t rows, std::size_t dim, const CancelFlag& cancel) {
  if (rows < 2) throw Error("SHAPE", "expected 2 rows at least, got " + std::to_string(rows));
  Vector squares;
  squares.reserve(rows * (rows - 1) / 2);
  for (std::size_t i = 0; i < rows; ++i) {
    cancel.check();
    for (std::size_t j = 0; j < i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < dim; ++k) {
        const double difference = x[i * dim + k] - x[j * dim + k];
        sum += difference * difference;
      }
      squares.push_back(sum);
    }
  }
  const auto middle = squares.begin() + static_cast<std::ptrdiff_t>(squares.size() / 2);
  std::nth_element(squares.begin(), middle, squares.end());
  return std::sqrt(*middle);
}

namespace {

// Uniform on the sphere.
Vector direction(std::size_t dim, std::uint64_t index, PhiloxKey key) {
  Vector result(dim);
  double square = 0;
  for (std::size_t k = 0; k < dim; k += 4) {
    const auto counter = philox_counter(index, static_cast<std::uint32_t>(k / 4), 0, kTagProjection);
    const Normals4 normals = philox_normals(philox(counter, key));
    const float values[4] = {normals.x, normals.y, normals.z, normals.w};
    for (std::size_t i = k; i < std::min(dim, k + 4); ++i) {
      result[i] = values[i - k];
      square += result[i] * result[i];
    }
  }
  for (double& value : result) value /= std::sqrt(square);
  return result;
}

// Sorted samples; both quantile functions are constant between two multiples of 1/n and 1/m.
double quantile_distance(const double* a, std::uint64_t n, const double* b, std::uint64_t m,
                         std::size_t order) {
  double sum = 0;
  for (std::uint64_t i = 0, k = 0, at = 0; i < n && k < m;) {
    const std::uint64_t end_a = (i + 1) * m, end_b = (k + 1) * n, end = std::min(end_a, end_b);
    const double difference = std::abs(a[i] - b[k]);
    sum += static_cast<double>(end - at) * (order == 1 ? difference : difference * difference);
    at = end;
    if (end == end_a) ++i;
    if (end == end_b) ++k;
  }
  return sum / (static_cast<double>(n) * static_cast<double>(m));
}

}  // namespace

Vector sliced_wasserstein(std::size_t threads, const double* x, std::size_t rows, std::size_t first,
                          std::size_t dim, std::size_t directions, std::size_t order, std::uint64_t seed,
                          const CancelFlag& cancel, const Fraction& progress) {
  check_samples(rows, first);
  if (order != 1 && order != 2) throw Error("VALUE", "expected order 1 or 2");
  ThreadPool pool(threads);
  const PhiloxKey key = philox_key(seed);
  Vector result(directions);
  run_reported(pool, directions, cancel, progress, [&](std::size_t k) {
    const Vector along = direction(dim, k, key);
    Vector projected(rows);
    for (std::size_t i = 0; i < rows; ++i)
      projected[i] = std::inner_product(along.begin(), along.end(), x + i * dim, 0.0);
    const auto middle = projected.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(projected.begin(), middle);
    std::sort(middle, projected.end());
    result[k] = quantile_distance(projected.data(), first, &projected[first], rows - first, order);
  });
  return result;
}

Vector nearest_distances(std::size_t threads, const double* base, std::size_t base_rows, const double* x,
                         std::size_t rows, std::size_t dim, const std::vector<std::uint32_t>& labels,
                         const CancelFlag& cancel) {
  if (base_rows == 0 || dim == 0) throw Error("SHAPE", "expected rows and columns to be near to");
  if (labels.size() != dim) throw Error("SHAPE", "expected for every column whether it has labels");
  // blocks of columns side by side, so that a loop goes over many rows at once
  constexpr std::size_t block = 256, part = 64;
  const std::size_t blocks = (base_rows + block - 1) / block;
  Vector columns(blocks * dim * block);
  for (std::size_t i = 0; i < base_rows; ++i)
    for (std::size_t j = 0; j < dim; ++j)
      columns[(i / block * dim + j) * block + i % block] = base[i * dim + j];
  Vector least(rows, std::numeric_limits<double>::infinity());
  ThreadPool pool(threads);
  pool.run((rows + part - 1) / part, [&](std::size_t task, std::size_t) {
    const std::size_t begin = task * part, end = std::min(rows, begin + part);
    double sum[block];
    for (std::size_t b = 0; b < blocks; ++b) {
      cancel.check();
      const std::size_t count = std::min(block, base_rows - b * block);
      for (std::size_t i = begin; i < end; ++i) {
        std::fill(sum, sum + block, 0.0);
        for (std::size_t j = 0; j < dim; ++j) {
          const double value = x[i * dim + j], *column = &columns[(b * dim + j) * block];
          if (labels[j])
            for (std::size_t k = 0; k < block; ++k) sum[k] += column[k] == value ? 0.0 : 1.0;
          else
            for (std::size_t k = 0; k < block; ++k) sum[k] += std::fabs(column[k] - value);
        }
        least[i] = std::min(least[i], *std::min_element(sum, sum + count));
      }
    }
  });
  for (double& distance : least) distance /= static_cast<double>(dim);
  return least;
}

}  // namespace sklar
