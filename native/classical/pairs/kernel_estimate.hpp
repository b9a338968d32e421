#pragma once

#include <vector>

#include "core/threads/cancel.hpp"

namespace sklar {

// The table of make_grid from rows of pairs u in (0, 1): on the Gaussian scale the log-quadratic local
// likelihood estimate (Hjort and Jones 1996; Geenens, Charpentier and Paindaveine 2017) at pairs of nodes,
// with the normal kernel of covariance scale R, R the correlation matrix of `correlation`; as a copula
// density, (n c + 1) / (n + 1); then scaled by rows and columns until its margins are uniform (Sinkhorn).
// Nodes are equally spaced. docs/mathematics.md, M.4.
std::vector<double> kernel_density(const std::vector<double>& u, std::size_t rows,
                                   const std::vector<double>& nodes, double correlation, double scale,
                                   std::size_t threads, const CancelFlag& cancel);

}  // namespace sklar
