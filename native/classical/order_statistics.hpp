#pragma once

#include <vector>

#include "classical/pairs/numeric.hpp"
#include "special/positive.hpp"

// Laws of the order statistics U_(1) < .. < U_(n) of n uniform draws: U_(r) is Beta(r, n + 1 - r).
namespace sklar {

// The probabilities of k successes in `trials` at one rate.
class Binomial {
 public:
  explicit Binomial(std::size_t trials) : value_(trials + 1) {}

  // From the mode outwards by ratios of neighbours, which rounds each to about an ulp for a step; those below
  // 1e-300 of the mode are left out.
  void at(Unit rate) {
    const double n = static_cast<double>(value_.size() - 1), odds = rate.p / rate.q,
                 against = rate.q / rate.p;
    const std::size_t mode = static_cast<std::size_t>(std::fmin(n, std::floor((n + 1) * rate.p)));
    value_[mode] = 1;
    double total = 1;
    first_ = end_ = mode;
    for (double last = 1; end_ + 1 < value_.size(); ++end_) {
      const double k = static_cast<double>(end_);
      last *= (n - k) / (k + 1) * odds;
      if (!(last > 1e-300)) break;
      total += value_[end_ + 1] = last;
    }
    ++end_;
    for (double last = 1; first_ > 0; --first_) {
      const double k = static_cast<double>(first_);
      last *= k / (n - k + 1) * against;
      if (!(last > 1e-300)) break;
      total += value_[first_ - 1] = last;
    }
    for (std::size_t k = first_; k < end_; ++k) value_[k] /= total;
  }

  std::size_t first() const { return first_; }
  std::size_t end() const { return end_; }
  double operator[](std::size_t k) const { return value_[k]; }

 private:
  std::vector<double> value_;
  std::size_t first_ = 0, end_ = 0;
};

// A mixture of the laws of U_(r). Since U_(r) <= v when at least r draws are, its distribution function is
// the mean of the weights below a binomial variable.
class OrderStatisticMixture {
 public:
  // weight: of r = 1 .. n, not all 0
  explicit OrderStatisticMixture(const std::vector<double>& weight)
      : below_(weight.size() + 1), above_(weight.size() + 1) {
    const std::size_t n = weight.size();
    for (std::size_t k = 0; k < n; ++k) below_[k + 1] = below_[k] + weight[k];
    for (std::size_t k = n; k-- > 0;) above_[k] = above_[k + 1] + weight[k];
    const double total = above_[0];
    for (double& value : below_) value /= total;
    for (double& value : above_) value /= total;
  }

  Unit cdf(Unit v, Binomial& draws) const {
    if (v.p == 0 || v.q == 0) return v;
    draws.at(v);
    Unit sum{0, 0};
    for (std::size_t k = draws.first(); k < draws.end(); ++k) {
      sum.p += draws[k] * below_[k];
      sum.q += draws[k] * above_[k];
    }
    return sum;
  }

  // the same with probabilities of `first` draws on at hand
  double mean_below(std::size_t first, const std::vector<double>& share) const {
    double sum = 0;
    for (std::size_t k = 0; k < share.size(); ++k) sum += share[k] * below_[first + k];
    return sum;
  }

  Unit inverse(Unit p, Binomial& draws) const {
    if (p.p == 0 || p.q == 0) return p;
    return solve_unit([&](Unit v) { return cdf(v, draws); }, p);
  }

 private:
  std::vector<double> below_, above_;  // share of the weights with r <= k and r > k
};

}  // namespace sklar
