#include "classical/rows.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "classical/cells/frailty.hpp"
#include "classical/gaussian.hpp"
#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/random/philox.h"
#include "core/threads/row_loop.hpp"

namespace sklar {
namespace {

// Of a pair of elliptical ones the correlation, then the others.
std::vector<double> pair_parameters(const ClassicalDefinition& definition) {
  std::vector<double> parameters = definition.parameters;
  if (definition.dim == 2 && !definition.factor.empty())
    parameters.insert(parameters.begin(), definition.factor[2]);
  return parameters;
}

class PairRows final : public ClassicalRows {
 public:
  explicit PairRows(std::unique_ptr<Bivariate> copula) : ClassicalRows(2), copula_(std::move(copula)) {}

  void log_pdf(const Unit* u, std::size_t rows, double* out) const override {
    for (std::size_t i = 0; i < rows; ++i) out[i] = copula_->log_pdf(u[2 * i], u[2 * i + 1]);
  }
  void cdf(const Unit* u, std::size_t rows, double* out, double*) const override {
    for (std::size_t i = 0; i < rows; ++i) out[i] = copula_->cdf(u[2 * i], u[2 * i + 1]);
  }
  void log_cells(const Cell* cells, std::size_t rows, double* out) const override {
    for (std::size_t i = 0; i < rows; ++i) out[i] = log_cell(*copula_, cells[2 * i], cells[2 * i + 1]);
  }
  void rosenblatt(Unit* u, std::size_t rows) const override {
    for (std::size_t i = 0; i < rows; ++i) u[2 * i + 1] = copula_->h1(u[2 * i], u[2 * i + 1]);
  }
  void complete(Unit* u, std::size_t rows, std::size_t) const override {
    for (std::size_t i = 0; i < rows; ++i) u[2 * i + 1] = copula_->inverse1(u[2 * i], u[2 * i + 1]);
  }

 private:
  std::unique_ptr<Bivariate> copula_;
};

// On the Gaussian scale 0 and 1 are infinite.
void to_units(const double* x, bool from_gaussian, std::size_t count, Unit* u) {
  for (std::size_t i = 0; i < count; ++i)
    u[i] = !from_gaussian ? unit_of(x[i]) : std::isinf(x[i]) ? unit_of(x[i] > 0) : unit_of_normal(x[i]);
}

void from_units(const Unit* u, bool to_gaussian, std::size_t count, double* x) {
  for (std::size_t i = 0; i < count; ++i)
    // a level that underflows is not 0
    x[i] = to_gaussian ? normal_of(u[i]) : u[i].p == 0 && !u[i].at_side() ? 0x1p-1022 : u[i].p;
}

// body(), whose numerical failures name the copula.
template <class Body>
auto of_copula(const ClassicalDefinition& definition, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.code() != "DIVERGED") throw;
    std::string text = error.message() + " (" + definition.family + " copula of " +
                       std::to_string(definition.dim) + " columns";
    const std::vector<double> parameters =
        definition.table.empty() ? pair_parameters(definition) : std::vector<double>{};
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      std::array<char, 32> digits;
      std::snprintf(digits.data(), digits.size(), "%.10g", parameters[i]);
      text += (i == 0 ? ", parameters " : ", ") + std::string(digits.data());
    }
    if (definition.rotation != 0) text += ", rotation " + std::to_string(definition.rotation);
    throw Error(error.code(), text + ")");
  }
}

// body(u, first, count) for parts of the rows, each with room for its coordinates.
template <class Body>
void for_units(const ClassicalDefinition& definition, std::size_t rows, std::size_t threads,
               const CancelFlag& cancel, const Body& body) {
  ThreadPool pool(threads);
  of_copula(definition, [&] {
    for_row_chunks(pool, rows, cancel, [&](std::size_t first, std::size_t count) {
      std::vector<Unit> u(count * definition.dim);
      body(u, first, count);
    });
  });
}

}  // namespace

void ClassicalRows::draw(Unit* u, std::size_t rows, std::uint64_t seed, std::uint64_t first_row) const {
  uniform_rows(u, rows, dim_, seed, first_row, kTagClassicalUniform);
  inverse_rosenblatt(u, rows);
}

void ClassicalRows::draw_given(Unit* u, std::size_t rows, std::size_t known, std::uint64_t seed,
                               std::uint64_t first_row) const {
  const std::vector<Unit> given(u, u + known);
  uniform_rows(u, rows, dim_, seed, first_row, kTagClassicalGiven);
  for (std::size_t i = 0; i < rows; ++i) std::copy(given.begin(), given.end(), &u[i * dim_]);
  complete(u, rows, known);
}

void uniform_rows(Unit* u, std::size_t rows, std::size_t dim, std::uint64_t seed, std::uint64_t first_row,
                  PhiloxTag tag) {
  const PhiloxKey key = philox_key(seed);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < dim; j += 2) {
      const PhiloxBlock bits =
          philox(philox_counter(first_row + i, static_cast<std::uint32_t>(j / 2), 0, tag), key);
      u[i * dim + j] = uniform53(bits.x, bits.y);
      if (j + 1 < dim) u[i * dim + j + 1] = uniform53(bits.z, bits.w);
    }
}

std::unique_ptr<Bivariate> make_bivariate(const ClassicalDefinition& definition) {
  if (definition.dim != 2)
    throw Error("SHAPE", "expected a copula of 2 columns, got " + std::to_string(definition.dim));
  if (definition.family == "empirical-beta") return make_empirical_beta_pair(definition.table);
  if (definition.family == "kernel") return make_grid(definition.parameters, definition.table);
  return make_bivariate(definition.family, pair_parameters(definition), definition.rotation);
}

std::unique_ptr<ClassicalRows> make_rows(const ClassicalDefinition& definition) {
  if (definition.family == "empirical-beta") return make_empirical_beta(definition.table, definition.dim);
  if (definition.dim == 2) return std::make_unique<PairRows>(make_bivariate(definition));
  if (definition.family == "gaussian") return make_gaussian_rows(definition);
  if (definition.family == "student") return make_student_rows(definition);
  return make_archimedean(definition);
}

std::unique_ptr<RosenblattRows> make_rosenblatt(const ClassicalDefinition& definition) {
  if (definition.family == "gaussian") return make_gaussian_transform(definition);
  return make_rows(definition);
}

std::vector<double> classical_log_pdf(const ClassicalDefinition& definition, std::span<const double> x,
                                      bool from_gaussian, std::size_t rows, std::size_t threads,
                                      const CancelFlag& cancel) {
  const std::size_t dim = definition.dim;
  check_rows(x.data(), from_gaussian, rows, dim);
  std::vector<double> out(rows);
  if (definition.family == "gaussian") {
    gaussian_log_pdf(threads, definition.factor, x.data(), from_gaussian, rows, dim, out.data(), cancel);
    return out;
  }
  const auto copula = make_rows(definition);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& u, std::size_t first, std::size_t count) {
              for (std::size_t i = 0; i < u.size(); ++i)
                u[i] = from_gaussian ? unit_of_normal(x[first * dim + i]) : unit_of(x[first * dim + i]);
              copula->log_pdf(u.data(), count, &out[first]);
            });
  return out;
}

std::vector<double> classical_cdf(const ClassicalDefinition& definition, const std::vector<double>& x,
                                  std::size_t rows, std::size_t threads, const CancelFlag& cancel) {
  const std::size_t dim = definition.dim;
  const auto copula = make_rows(definition);
  std::vector<double> out(2 * rows);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& u, std::size_t first, std::size_t count) {
              to_units(&x[first * dim], false, u.size(), u.data());
              copula->cdf(u.data(), count, &out[first], &out[rows + first]);
            });
  return out;
}

std::vector<double> classical_log_cells(const ClassicalDefinition& definition, std::span<const double> lower,
                                        std::span<const double> upper, bool from_gaussian, std::size_t rows,
                                        std::size_t threads, const CancelFlag& cancel) {
  const std::size_t dim = definition.dim;
  const auto copula = make_rows(definition);
  std::vector<double> out(rows);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& a, std::size_t first, std::size_t count) {
              std::vector<Unit> b(count * dim);
              to_units(&lower[first * dim], from_gaussian, a.size(), a.data());
              to_units(&upper[first * dim], from_gaussian, b.size(), b.data());
              std::vector<Cell> cells(count * dim);
              for (std::size_t i = 0; i < cells.size(); ++i)
                cells[i] = {a[i], b[i], lower[first * dim + i] == upper[first * dim + i]};
              copula->log_cells(cells.data(), count, &out[first]);
            });
  return out;
}

std::vector<double> classical_sample(const ClassicalDefinition& definition, std::size_t rows,
                                     std::uint64_t seed, std::uint64_t first_row, bool to_gaussian,
                                     std::size_t threads, const CancelFlag& cancel) {
  const std::size_t dim = definition.dim;
  std::vector<double> out(rows * dim);
  if (definition.family == "gaussian") {
    gaussian_sample(threads, definition.factor, dim, rows, seed, first_row, to_gaussian, out.data(), cancel);
    return out;
  }
  const auto copula = make_rows(definition);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& u, std::size_t first, std::size_t count) {
              copula->draw(u.data(), count, seed, first_row + first);
              from_units(u.data(), to_gaussian, u.size(), &out[first * dim]);
            });
  return out;
}

std::vector<double> classical_rosenblatt(const ClassicalDefinition& definition, const std::vector<double>& x,
                                         bool gaussian, bool inverse, std::size_t rows, std::size_t threads,
                                         const CancelFlag& cancel) {
  const std::size_t dim = definition.dim;
  const auto copula = make_rosenblatt(definition);
  std::vector<double> out(rows * dim);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& u, std::size_t first, std::size_t count) {
              to_units(&x[first * dim], gaussian, u.size(), u.data());
              if (inverse)
                copula->inverse_rosenblatt(u.data(), count);
              else
                copula->rosenblatt(u.data(), count);
              from_units(u.data(), gaussian, u.size(), &out[first * dim]);
            });
  return out;
}

std::vector<double> classical_conditional(const ClassicalDefinition& definition,
                                          const std::vector<double>& given, std::size_t rows,
                                          std::uint64_t seed, std::size_t threads, const CancelFlag& cancel) {
  const std::size_t dim = definition.dim;
  if (given.empty() || given.size() >= dim)
    throw Error("SHAPE", "expected 1 to " + std::to_string(dim - 1) + " fixed columns, got " +
                             std::to_string(given.size()));
  const auto copula = make_rows(definition);
  std::vector<double> out(rows * dim);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& u, std::size_t first, std::size_t count) {
              to_units(given.data(), true, given.size(), u.data());
              copula->draw_given(u.data(), count, given.size(), seed, first);
              from_units(u.data(), true, u.size(), &out[first * dim]);
            });
  return out;
}

std::vector<double> classical_pair(const ClassicalDefinition& definition, PairFunction function,
                                   const std::vector<double>& x, bool gaussian, std::size_t rows,
                                   std::size_t threads, const CancelFlag& cancel) {
  const auto copula = make_bivariate(definition);
  constexpr Unit (Bivariate::*functions[])(Unit, Unit)
      const = {&Bivariate::h1, &Bivariate::h2, &Bivariate::inverse1, &Bivariate::inverse2};
  const auto chosen = functions[static_cast<std::size_t>(function)];
  std::vector<double> out(rows);
  for_units(definition, rows, threads, cancel,
            [&](std::vector<Unit>& u, std::size_t first, std::size_t count) {
              to_units(&x[2 * first], gaussian, u.size(), u.data());
              for (std::size_t i = 0; i < count; ++i) u[i] = ((*copula).*chosen)(u[2 * i], u[2 * i + 1]);
              from_units(u.data(), gaussian, count, &out[first]);
            });
  return out;
}

Dependence classical_dependence(const ClassicalDefinition& definition) {
  const auto copula = make_bivariate(definition);
  return of_copula(definition, [&] {
    const double tau = copula->tau();
    if (!(std::fabs(tau) <= 1 + 1e-9))
      throw Error("DIVERGED", "expected Kendall's tau between -1 and 1, got " + std::to_string(tau));
    return Dependence{std::clamp(tau, -1.0, 1.0), copula->tails()};
  });
}

}  // namespace sklar
