#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "classical/unit.hpp"
#include "core/cancel.hpp"

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
  virtual void log_pdf(const Unit* u, std::size_t rows, double* out) const = 0;
  // P(U_1 <= u_1, ..)
  virtual void cdf(const Unit* u, std::size_t rows, double* out) const = 0;
  // Rows first_row.. of the sample of `seed`.
  virtual void draw(Unit* u, std::size_t rows, std::uint64_t seed, std::uint64_t first_row) const = 0;
};

struct ClassicalDefinition {
  std::string family;  // see make_bivariate
  std::size_t dim = 0;
  std::vector<double> parameters;  // student with a factor: the degrees of freedom
  int rotation = 0;                // beyond two variables 0 or 180
  std::vector<double> factor;      // gaussian and student: L of the correlation L L^T, dim x dim
};

// gaussian beyond its transform is model/gaussian.hpp.
std::unique_ptr<RosenblattRows> make_rosenblatt(const ClassicalDefinition& definition);
std::unique_ptr<ClassicalRows> make_rows(const ClassicalDefinition& definition);

std::unique_ptr<ClassicalRows> make_archimedean(const ClassicalDefinition& definition);
std::unique_ptr<ClassicalRows> make_student_rows(const ClassicalDefinition& definition);
std::unique_ptr<RosenblattRows> make_gaussian_transform(const ClassicalDefinition& definition);

// Uniform draws of row `first_row + i`, one for each of dim columns, to 53 bits.
void uniform_rows(Unit* u, std::size_t rows, std::size_t dim, std::uint64_t seed, std::uint64_t first_row);

// Of rows x dim values x on the copula scale (logPdf and sample: or the Gaussian scale), dense. Only log_pdf
// looks at their range: strictly inside (0, 1).
std::vector<double> classical_log_pdf(const ClassicalDefinition& definition, const std::vector<double>& x,
                                      bool from_gaussian, std::size_t rows, std::size_t threads,
                                      const CancelFlag& cancel);
std::vector<double> classical_cdf(const ClassicalDefinition& definition, const std::vector<double>& x,
                                  std::size_t rows, std::size_t threads, const CancelFlag& cancel);
std::vector<double> classical_sample(const ClassicalDefinition& definition, std::size_t rows,
                                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian,
                                     std::size_t threads, const CancelFlag& cancel);
std::vector<double> classical_rosenblatt(const ClassicalDefinition& definition, const std::vector<double>& x,
                                         bool inverse, std::size_t rows, std::size_t threads,
                                         const CancelFlag& cancel);

enum class PairFunction { h1, h2, inverse1, inverse2 };
std::vector<double> classical_pair(const ClassicalDefinition& definition, PairFunction function,
                                   const std::vector<double>& x, std::size_t rows, std::size_t threads,
                                   const CancelFlag& cancel);

// Maximum likelihood of the correlation of a Student copula, given its degrees of freedom.
struct StudentFit {
  std::vector<double> correlation;  // dim x dim
  double log_likelihood = 0;
  std::size_t iterations = 0;
};
StudentFit fit_student(double degrees, std::vector<double> correlation, const std::vector<double>& u,
                       std::size_t rows, std::size_t dim, std::size_t threads, const CancelFlag& cancel);

}  // namespace sklar
