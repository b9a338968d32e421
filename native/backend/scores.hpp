#pragma once

#include <vector>

#include "backend/backend.hpp"

namespace sklar {

// to = z^T z; z: scores, followed by a column of ones
void products_of_scores(Backend<double>& backend, MatrixView<const double> z, std::vector<double>& to);

// The correlation matrix of n rows with these products (a sum over parts of the rows), dim x dim, dense.
std::vector<double> correlation_of_products(const std::vector<double>& products, double n, std::size_t dim);

std::vector<double> correlation_of_scores(Backend<double>& backend, MatrixView<const double> z);

}  // namespace sklar
