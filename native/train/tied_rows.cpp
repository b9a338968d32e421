#include "train/tied_rows.hpp"

#include <algorithm>
#include <cmath>

#include "backend/scores.hpp"
#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/linear/symmetric.hpp"
#include "core/normal.h"

namespace sklar {
namespace {

bool has_missing(const HostRows& u, std::size_t rows, std::size_t dim, std::size_t column) {
  for (std::size_t i = 0; i < rows; ++i)
    if (std::isnan(u.row(i, dim)[column])) return true;
  return false;
}

// The block among [first, last) that holds level u; -1: none.
std::int32_t block_of(const std::vector<double>& ends, std::uint32_t first, std::uint32_t last, double u) {
  std::uint32_t low = first, high = last;  // the first one that does not end below u
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (ends[2 * middle + 1] < u)
      low = middle + 1;
    else
      high = middle;
  }
  return low < last && ends[2 * low] <= u ? static_cast<std::int32_t>(low) : -1;
}

}  // namespace

std::vector<double> HostRows::gather(std::size_t first, std::size_t count, std::size_t dim) const {
  std::vector<double> rows(count * dim);
  double* out = rows.data();
  for (std::size_t i = first; i < first + count; ++i) out = std::copy_n(row(i, dim), dim, out);
  return rows;
}

template <class T>
TiedRows<T>::TiedRows(Backend<T>& backend, const LevelBlocks& blocks, const HostRows& u, MatrixView<T> data,
                      const RowCoordinates& coordinates, std::size_t sweeps, std::size_t batch,
                      std::uint64_t seed)
    : backend_(backend), batch_(batch) {
  const std::size_t rows = data.rows, dim = data.columns;
  if (blocks.size() != dim) throw Error("SHAPE", "blocks of another number of columns than the rows have");
  std::vector<std::uint32_t> first = {0};
  std::vector<double> ends, edges;
  for (std::size_t j = 0; j < dim; ++j) {
    if (blocks[j].empty() && !has_missing(u, rows, dim, j)) continue;
    if (blocks[j].size() % 2) throw Error("SHAPE", "blocks of levels come in pairs");
    columns_.push_back(static_cast<std::uint32_t>(j));
    ends.insert(ends.end(), blocks[j].begin(), blocks[j].end());
    first.push_back(static_cast<std::uint32_t>(ends.size() / 2));
  }
  for (const double level : ends) edges.push_back(normal_quantile(level));
  // the block of missing levels, behind all others
  edges.insert(edges.end(), {-INFINITY, INFINITY});
  column_ = on_backend(columns_);
  edges_ = on_backend(edges);
  const auto block_at = [&](const double* row, std::size_t c) {
    const double level = row[columns_[c]];
    return std::isnan(level) ? static_cast<std::int32_t>(first.back())
                             : block_of(ends, first[c], first[c + 1], level);
  };
  std::vector<std::int32_t> place(rows, -1);
  std::int32_t tied = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t c = 0; c < columns_.size() && place[i] < 0; ++c)
      if (block_at(u.row(i, dim), c) >= 0) place[i] = tied++;
  place_ = on_backend(place);
  block_ = backend.template buffer<std::int32_t>(static_cast<std::size_t>(tied) * columns_.size());
  start_ = backend.template buffer<double>(static_cast<std::size_t>(tied) * dim);
  std::vector<std::int32_t> block;
  std::vector<double> start;
  std::size_t done = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (place[i] >= 0) {
      const double* const row = u.row(i, dim);
      for (std::size_t c = 0; c < columns_.size(); ++c) block.push_back(block_at(row, c));
      for (std::size_t j = 0; j < dim; ++j) start.push_back(std::isnan(row[j]) ? 0 : normal_quantile(row[j]));
    }
    if (start.empty() || (start.size() < rows_of_part * dim && i + 1 < rows)) continue;
    backend.upload(block_.data() + done * columns_.size(), block.data(), block.size() * sizeof(std::int32_t));
    backend.upload(start_.data() + done * dim, start.data(), start.size() * sizeof(double));
    done += start.size() / dim;
    block.clear();
    start.clear();
  }
  work_ = backend.template buffer<double>(std::min(batch, rows) * dim);
  if (!coordinates.cholesky.empty()) whitening_ = on_backend(inverse_of_cholesky(coordinates.cholesky, dim));
  levels_.columns = columns_.size();
  levels_.column = column_.data();
  levels_.edges = edges_.data();
  levels_.place = place_.data();
  levels_.block = block_.data();
  levels_.start = start_.data();
  levels_.work = work_.data();
  levels_.sweeps = sweeps;
  levels_.seed = seed;
  levels_.whitening = coordinates.cholesky.empty() ? nullptr : whitening_.data();
  levels_.to_levels = coordinates.levels;
  levels_.data = data;
  complete_by({});
}

// Of a precision matrix Q a coordinate's law given the others is normal, with mean -sum Q_jk z_k / Q_jj and
// variance 1 / Q_jj.
template <class T>
void TiedRows<T>::complete_by(const std::vector<double>& cholesky) {
  const std::size_t dim = levels_.data.columns;
  std::vector<double> weights(columns_.size() * dim, 0.0), deviation(columns_.size(), 1.0);
  if (!cholesky.empty()) {
    const std::vector<double> inverse = inverse_of_cholesky(cholesky, dim);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::size_t j = columns_[c];
      double* const weight = &weights[c * dim];
      for (std::size_t i = j; i < dim; ++i)
        for (std::size_t k = 0; k <= i; ++k) weight[k] -= inverse[i * dim + j] * inverse[i * dim + k];
      const double precision = -weight[j];
      for (std::size_t k = 0; k < dim; ++k) weight[k] /= precision;
      weight[j] = 0;
      deviation[c] = 1 / std::sqrt(precision);
    }
  }
  weights_ = on_backend(weights);
  deviation_ = on_backend(deviation);
  levels_.weights = weights_.data();
  levels_.deviation = deviation_.data();
}

template <class T>
void TiedRows<T>::settle(std::size_t sweeps, std::uint64_t round) {
  TiedDraw<T> all = levels_;
  all.sweeps = sweeps;
  all.round = round;
  backend_.draw_tied(all);
}

template <class T>
TiedDraw<T> TiedRows<T>::of_step(const TrainState* state) const {
  TiedDraw<T> drawn = levels_;
  drawn.state = state;
  drawn.batch = batch_;
  return drawn;
}

std::vector<double> tied_correlation(std::size_t threads, const LevelBlocks& blocks, const double* u,
                                     std::size_t rows, std::size_t rounds, double shrinkage,
                                     std::uint64_t seed, const CancelFlag& cancel) {
  const std::size_t dim = blocks.size();
  check_training_rows(u, rows, dim);
  const auto backend = make_cpu_backend<double>(threads);
  backend->watch(&cancel);
  Matrix<double> z = backend->matrix(rows, dim + 1);
  backend->whiten(z, u, false, nullptr, nullptr);
  const std::vector<double> none;
  TiedRows<double> tied(*backend, blocks, u, {z.data(), rows, dim, z.stride()}, {none}, 1, 1, seed);
  std::vector<double> mean(dim * dim, 0.0);
  for (std::size_t round = 0; round < rounds; ++round) {
    tied.settle(1, round);
    std::vector<double> r = correlation_of_scores(*backend, z);
    if (2 * round >= rounds)
      for (std::size_t i = 0; i < r.size(); ++i)
        mean[i] += r[i] / static_cast<double>(rounds - (rounds + 1) / 2);
    for (std::size_t i = 0; i < r.size(); ++i)
      if (i % (dim + 1)) r[i] *= 1 - shrinkage;
    tied.complete_by(cholesky(r, dim));
  }
  for (std::size_t i = 0; i < dim; ++i) mean[i * dim + i] = 1;
  return mean;
}

std::vector<double> tied_levels(std::size_t threads, const LevelBlocks& blocks, const double* u,
                                std::size_t rows, const std::vector<double>& factor, std::size_t sweeps,
                                std::uint64_t seed, const CancelFlag& cancel) {
  const std::size_t dim = blocks.size();
  check_training_rows(u, rows, dim);
  if (factor.size() != dim * dim) throw Error("SHAPE", "expected a factor of dim x dim");
  const auto backend = make_cpu_backend<double>(threads);
  backend->watch(&cancel);
  std::vector<double> levels(u, u + rows * dim);
  const std::vector<double> none;
  TiedRows<double> tied(*backend, blocks, u, {levels.data(), rows, dim, dim}, {none, true}, 1, 1, seed);
  tied.complete_by(factor);
  tied.settle(sweeps, 0);
  return levels;
}

template class TiedRows<float>;
template class TiedRows<double>;

}  // namespace sklar
