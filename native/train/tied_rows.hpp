#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.hpp"

namespace sklar {

// Blocks of levels that recurring values stand for, of each column ascending pairs (from, to).
using LevelBlocks = std::vector<std::vector<double>>;

// Rows of a dense table on the host: those with these numbers, or (null) all in order.
struct HostRows {
  const double* u;
  const std::uint32_t* numbers;

  HostRows(const double* u, const std::uint32_t* numbers = nullptr) : u(u), numbers(numbers) {}
  const double* row(std::size_t i, std::size_t dim) const { return u + (numbers ? numbers[i] : i) * dim; }
  // Rows first .. first + count, dense.
  std::vector<double> gather(std::size_t first, std::size_t count, std::size_t dim) const;
};
// Rows that are gathered at once, so that a table is not held twice.
inline constexpr std::size_t rows_of_part = 16384;

// What the network reads of a row u: y = L^-1 z on the Gaussian scale (`cholesky` empty: z), or u itself.
struct RowCoordinates {
  const std::vector<double>& cholesky;
  bool levels = false;
};

// Rows with recurring or missing (NaN) values. `data` hold them in the network's coordinates; their levels
// within the blocks are drawn from a Gaussian copula given that they lie there, again and again.
template <class T>
class TiedRows {
 public:
  // sweeps of a draw; at most `batch` rows are drawn in a step: those of the trainer's
  // batch, whose seed is `seed`
  TiedRows(Backend<T>& backend, const LevelBlocks& blocks, const HostRows& u, MatrixView<T> data,
           const RowCoordinates& coordinates, std::size_t sweeps, std::size_t batch, std::uint64_t seed);

  // The Gaussian copula with correlation L L^T; empty: independence.
  void complete_by(const std::vector<double>& cholesky);
  // Sweeps through all rows, from which later draws begin. `round`: what tells one call from another.
  void settle(std::size_t sweeps, std::uint64_t round);
  // The operation that draws the rows of a step.
  TiedDraw<T> of_step(const TrainState* state) const;

 private:
  template <class U>
  Buffer<U> on_backend(const std::vector<U>& host) {
    auto b = backend_.template buffer<U>(host.size());
    backend_.upload(b.data(), host.data(), host.size() * sizeof(U));
    return b;
  }

  Backend<T>& backend_;
  TiedDraw<T> levels_;
  std::vector<std::uint32_t> columns_;
  Buffer<std::uint32_t> column_;
  Buffer<std::int32_t> place_, block_;
  Buffer<double> edges_, weights_, deviation_, start_, work_, whitening_;
  std::size_t batch_;
};

// The correlation matrix of a Gaussian copula under which the rows, known by their blocks where values recur,
// are likely: stochastic EM (Nielsen 2000, Bernoulli 6): in `rounds` rounds levels are drawn given the
// matrix, and the matrix is estimated from them; the mean of the second half. u: rows x dim, dense.
std::vector<double> tied_correlation(std::size_t threads, const LevelBlocks& blocks, const double* u,
                                     std::size_t rows, std::size_t rounds, double shrinkage,
                                     std::uint64_t seed, const CancelFlag& cancel);

// Levels of the rows, drawn in their blocks from the Gaussian copula of correlation L L^T by so many sweeps.
std::vector<double> tied_levels(std::size_t threads, const LevelBlocks& blocks, const double* u,
                                std::size_t rows, const std::vector<double>& factor, std::size_t sweeps,
                                std::uint64_t seed, const CancelFlag& cancel);

}  // namespace sklar
