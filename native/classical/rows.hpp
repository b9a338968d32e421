#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "classical/cells/cells.hpp"
#include "classical/cells/lattice.hpp"
#include "classical/pairs/bivariate.hpp"
#include "core/random/philox.h"
#include "core/threads/cancel.hpp"
#include "special/positive.hpp"

namespace sklar {

// The transform of Rosenblatt (1952) and its inverse, in place: e_j = P(U_j <= u_j | U_1 .. U_(j-1)).
class RosenblattRows {
 public:
  virtual ~RosenblattRows() = default;
  virtual void rosenblatt(Unit* u, std::size_t rows) const = 0;
  virtual void inverse_rosenblatt(Unit* e, std::size_t rows) const = 0;
};

// A copula of any number of variables, by rows x dim dense arrays. Safe to use from many threads.
class ClassicalRows : public RosenblattRows {
 public:
  explicit ClassicalRows(std::size_t dim) : dim_(dim) {}

  virtual void log_pdf(const Unit* u, std::size_t rows, double* out) const = 0;
  // P(U_1 <= u_1, ..), with its standard error
  virtual void cdf(const Unit* u, std::size_t rows, double* out, double* error) const = 0;
  // The log density in the columns that have a level times the probability of the cells of the others.
  virtual void log_cells(const Cell* cells, std::size_t rows, double* out) const = 0;
  // The inverse transform in part: of each row the first `known` variables are there, e is in the others.
  virtual void complete(Unit* u, std::size_t rows, std::size_t known) const = 0;
  void inverse_rosenblatt(Unit* e, std::size_t rows) const final { complete(e, rows, 1); }
  // Rows first_row.. of the sample of `seed`.
  virtual void draw(Unit* u, std::size_t rows, std::uint64_t seed, std::uint64_t first_row) const;
  // Rows first_row.. of the sample of `seed` given the first `known` variables, which the first row of u
  // holds.
  virtual void draw_given(Unit* u, std::size_t rows, std::size_t known, std::uint64_t seed,
                          std::uint64_t first_row) const;

 protected:
  std::size_t dim_;
};

struct ClassicalDefinition {
  std::string family;  // see make_bivariate; or empirical-beta, kernel
  std::size_t dim = 0;
  std::vector<double> parameters;  // student: the degrees of freedom; kernel: see make_grid
  int rotation = 0;                // beyond two variables 0 or 180
  std::vector<double> factor;      // gaussian and student: L of the correlation L L^T, dim x dim
  std::vector<double> table;       // empirical-beta: see make_empirical_beta; kernel: see make_grid
};

std::unique_ptr<Bivariate> make_bivariate(const ClassicalDefinition& definition);

// Log densities and samples of gaussian are those of classical/gaussian.hpp, for many rows at once.
std::unique_ptr<RosenblattRows> make_rosenblatt(const ClassicalDefinition& definition);
std::unique_ptr<ClassicalRows> make_rows(const ClassicalDefinition& definition);

std::unique_ptr<ClassicalRows> make_archimedean(const ClassicalDefinition& definition);
std::unique_ptr<ClassicalRows> make_student_rows(const ClassicalDefinition& definition);
std::unique_ptr<ClassicalRows> make_gaussian_rows(const ClassicalDefinition& definition);
std::unique_ptr<RosenblattRows> make_gaussian_transform(const ClassicalDefinition& definition);

// The empirical beta copula of ranks 1 .. n (n x dim, every rank once in a column): Segers, Sibuya and
// Tsukahara (2017).
std::unique_ptr<ClassicalRows> make_empirical_beta(const std::vector<double>& ranks, std::size_t dim);
std::unique_ptr<Bivariate> make_empirical_beta_pair(const std::vector<double>& ranks);

// Uniform draws of row `first_row + i`, one for each of dim columns, to 53 bits.
void uniform_rows(Unit* u, std::size_t rows, std::size_t dim, std::uint64_t seed, std::uint64_t first_row,
                  PhiloxTag tag);

// Of rows x dim values x on the copula scale (logPdf and sample: or the Gaussian scale), dense. Only log_pdf
// looks at their range: strictly inside (0, 1).
std::vector<double> classical_log_pdf(const ClassicalDefinition& definition, std::span<const double> x,
                                      bool from_gaussian, std::size_t rows, std::size_t threads,
                                      const CancelFlag& cancel);
// Values of all rows, then their standard errors.
std::vector<double> classical_cdf(const ClassicalDefinition& definition, const std::vector<double>& x,
                                  std::size_t rows, std::size_t threads, const CancelFlag& cancel);
// Where lower and upper are equal a column has that level, else it lies between them.
std::vector<double> classical_log_cells(const ClassicalDefinition& definition, std::span<const double> lower,
                                        std::span<const double> upper, bool from_gaussian, std::size_t rows,
                                        std::size_t threads, const CancelFlag& cancel);
std::vector<double> classical_sample(const ClassicalDefinition& definition, std::size_t rows,
                                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian,
                                     std::size_t threads, const CancelFlag& cancel);
std::vector<double> classical_rosenblatt(const ClassicalDefinition& definition, const std::vector<double>& x,
                                         bool gaussian, bool inverse, std::size_t rows, std::size_t threads,
                                         const CancelFlag& cancel);

// Rows of the sample of `seed` given the first columns at `given`; everything on the Gaussian scale.
std::vector<double> classical_conditional(const ClassicalDefinition& definition,
                                          const std::vector<double>& given, std::size_t rows,
                                          std::uint64_t seed, std::size_t threads, const CancelFlag& cancel);

// gaussian: x and what is made of it are scores.
enum class PairFunction { h1, h2, inverse1, inverse2 };
std::vector<double> classical_pair(const ClassicalDefinition& definition, PairFunction function,
                                   const std::vector<double>& x, bool gaussian, std::size_t rows,
                                   std::size_t threads, const CancelFlag& cancel);

struct Dependence {
  double tau;
  TailDependence tails;
};
// Of two columns.
Dependence classical_dependence(const ClassicalDefinition& definition);

// Maximum likelihood of the correlation of a Student copula, given its degrees of freedom; every step of the
// iteration is drawn towards independence by `shrinkage`, without which there is no maximum where there are
// fewer rows than columns. log_likelihood is that of the rows. weights: of the rows; null: all are 1.
struct StudentFit {
  std::vector<double> correlation;  // dim x dim
  double log_likelihood = 0;
};
StudentFit fit_student(double degrees, std::vector<double> correlation, double shrinkage,
                       const std::vector<double>& u, const double* weights, std::size_t rows, std::size_t dim,
                       std::size_t threads, const CancelFlag& cancel);

}  // namespace sklar
