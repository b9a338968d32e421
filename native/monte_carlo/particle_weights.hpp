#pragma once

#include <cstdint>
#include <vector>

namespace sklar {

// Log weights of several populations of particles since their last resampling, in double
// (docs/mathematics.md, D.4).
class ParticleWeights {
 public:
  ParticleWeights(std::size_t islands, std::size_t particles, std::uint64_t seed);

  // Mean over populations of the share of effective particles after adding `way` (below - above).
  double effective(const std::vector<double>& above, const std::vector<double>& below, double way) const;
  void add(const std::vector<double>& above, const std::vector<double>& below, double way);
  // log Z of each population so far
  std::vector<double> log_z() const;
  bool even() const { return even_; }
  // Where each particle comes from, by systematic resampling; the weights are equal afterwards.
  std::vector<std::uint32_t> resample();
  // Weights over all populations, which count by their Z; they sum to one.
  std::vector<double> normalised() const;

 private:
  std::size_t islands_, particles_;
  std::uint64_t seed_, round_ = 0;
  bool even_ = true;
  std::vector<double> log_, log_z_;
};

// Sample size of weights that sum to one.
double effective_size(const std::vector<double>& weights);
std::size_t count_different(std::vector<std::uint32_t> list);

// Rows of a weighted population: systematic resampling, in random order.
std::vector<std::uint32_t> draw_weighted(const std::vector<double>& weights, std::size_t rows,
                                         std::uint64_t seed);

// log of the mean of exp(x); -infinity for nothing but -infinity
double log_mean_exp(const double* x, std::size_t count);

// log of the mean of Z_m and its standard error by their spread; infinite for one
struct LogMean {
  double value, standard_error;
};
LogMean pooled_log_mean(const std::vector<double>& log_z);

// The draw of (row, step) that decides for a particle or a population.
double uniform_draw(std::uint64_t seed, std::uint64_t row, std::uint64_t step, std::uint32_t tag);

}  // namespace sklar
