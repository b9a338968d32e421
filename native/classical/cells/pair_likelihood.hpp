#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/threads/cancel.hpp"

namespace sklar {

// Of pairs of columns the correlation, the log-likelihood of the pair and minus its second derivative there.
struct PairFits {
  std::vector<double> correlation, log_likelihood, information;
};

// Likelihoods of pairs of columns (docs/mathematics.md, M.7; `pairs`: first and second in turns) under a
// normal (degrees infinite) or Student's t copula, of rows x dim levels (lower equal to upper) and cells.
// search: each pair's correlation maximises its likelihood, up to +-`most`; else it is that of `correlation`
// (dim x dim). weights: of the rows; null: all are 1.
PairFits fit_pairs(double degrees, const std::vector<double>& correlation, bool search, double most,
                   std::span<const double> lower, std::span<const double> upper, const double* weights,
                   const std::vector<std::uint32_t>& pairs, std::size_t rows, std::size_t dim,
                   std::size_t threads, const CancelFlag& cancel);

}  // namespace sklar
