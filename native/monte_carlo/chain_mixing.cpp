#include "monte_carlo/chain_mixing.hpp"

#include <algorithm>
#include <cmath>

namespace sklar {

ChainMixing::ChainMixing(std::size_t chains, std::size_t dim, std::size_t moves)
    : chains_(chains), dim_(dim), half_(moves / 2), skip_(moves % 2) {
  if (half_ < 2) return;
  sum_.resize(chains * dim);
  for (auto* of_coordinates : {&squares_, &within_, &means_, &mean_squares_}) of_coordinates->resize(dim);
}

template <class T>
void ChainMixing::add(const T* states) {
  if (half_ < 2 || seen_++ < skip_) return;
  for (std::size_t i = 0; i < chains_; ++i)
    for (std::size_t j = 0; j < dim_; ++j) {
      const double x = static_cast<double>(states[i * dim_ + j]);
      sum_[i * dim_ + j] += x;
      squares_[j] += x * x;
    }
  if ((seen_ - skip_) % half_ == 0) close_half();
}

void ChainMixing::close_half() {
  const double n = static_cast<double>(half_);
  for (std::size_t j = 0; j < dim_; ++j) {
    double squares = 0;
    for (std::size_t i = 0; i < chains_; ++i) {
      const double mean = sum_[i * dim_ + j] / n;
      means_[j] += mean;
      squares += mean * mean;
    }
    within_[j] += std::max(0.0, squares_[j] - n * squares);
    mean_squares_[j] += squares;
    squares_[j] = 0;
  }
  std::fill(sum_.begin(), sum_.end(), 0.0);
}

Convergence ChainMixing::worst() const {
  Convergence worst;
  if (half_ < 2) return worst;
  const double n = static_cast<double>(half_), m = static_cast<double>(2 * chains_);
  worst = {0, n * m};
  for (std::size_t j = 0; j < dim_; ++j) {
    const double w = within_[j] / (m * (n - 1));
    const double v = std::max(0.0, mean_squares_[j] - means_[j] * means_[j] / m) / (m - 1);
    const double variance = (n - 1) / n * w + v;
    worst.r_hat =
        std::max(worst.r_hat, w > 0 ? std::sqrt(variance / w) : std::numeric_limits<double>::infinity());
    worst.effective = std::min(worst.effective, variance < n * v ? m * variance / v : m * n);
  }
  return worst;
}

template void ChainMixing::add(const float*);
template void ChainMixing::add(const double*);

}  // namespace sklar
