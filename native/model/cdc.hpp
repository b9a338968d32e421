#pragma once

#include <memory>
#include <vector>

#include "fields/cdc_field.hpp"
#include "model/published_sampler.hpp"
#include "nn/network.hpp"

namespace sklar {

// What a classification-diffusion copula consists of, on the host.
struct CdcDefinition {
  ResidualMlpShape network;
  std::vector<double> times;        // of the levels; see OuLevels
  std::vector<double> cholesky;     // dim x dim, L of the guide Sigma = L L^T; empty: not guided
  std::vector<double> correlation;  // dim x dim, of the normal scores; empty: unknown
};

// Scores and samples. The network sees y = L^-1 z, z = quantile(u); everything about guidance is this change
// of variables.
template <class T>
class Cdc {
 public:
  Cdc(Backend<T>& backend, const CdcDefinition& definition, const std::vector<T>& parameters);

  std::size_t dim() const { return definition_.network.inputs; }
  const OuLevels& levels() const { return levels_; }

  // log c_level(u) up to the model's normaliser (docs/mathematics.md, A.4); u rows x dim, dense
  void log_pdf(const double* u, bool from_gaussian, std::size_t rows, std::size_t level, double* out,
               const CancelFlag& cancel, const Fraction& progress);
  // G = grad_z log c_level on the Gaussian scale at rows of z, dense
  void field(const double* z, std::size_t rows, std::size_t level, double* out, const CancelFlag& cancel);
  // The logits of all levels at rows of z, dense rows x levels
  void logits(const double* z, std::size_t rows, double* out, const CancelFlag& cancel);

  // For rows of the network's coordinates y and a column of ones, at most bridge_rows() of them: above[i] =
  // F_{level + 1}, below[i] = F_level and the gradient of (1 - share) F_{level + 1} + share F_level, from one
  // forward and one adjoint pass; null and an empty gradient are not wanted. level < levels().last(); F is
  // zero at the last.
  void bridge(MatrixView<const T> y, std::size_t level, double share, double* above, double* below,
              MatrixView<T> gradient);
  // For at most as many rows: the Hessian of F_level times r, whose last column (under the ones) is zero.
  void hessian_product(MatrixView<const T> y, std::size_t level, MatrixView<const T> r,
                       MatrixView<T> product);
  std::size_t bridge_rows() const { return batch_rows(Pass::gradient); }

  // Its field at any time, in the coordinates y, for the integrators.
  CdcField<T>& continuous_field() { return field_; }

  // By the published sampler; every other solver takes continuous_field().
  struct PublishedOptions {
    bool noisy;
    std::size_t steps;
    std::uint64_t seed, first_row;
    bool to_gaussian;
    const double* start = nullptr;  // rows x dim on the Gaussian scale; null: standard normal draws
  };
  void sample_as_published(const PublishedOptions& options, std::size_t rows, double* out,
                           const CancelFlag& cancel, const Fraction& progress);

 private:
  std::size_t batch_rows(Pass pass) const;
  void reserve(std::size_t rows);
  void gradient(MatrixView<const T> y, std::size_t level, MatrixView<T> g, Pass pass = Pass::gradient);

  Backend<T>& backend_;
  CdcDefinition definition_;
  OuLevels levels_;
  std::unique_ptr<SecondOrderNetwork<T>> network_;
  Buffer<T> parameters_;
  double half_log_determinant_ = 0;
  CdcField<T> field_;
  Matrix<T> logits_, cotangent_;
  Buffer<std::int32_t> level_;
};

// The field of a CDC that owns all it needs.
template <class T>
std::shared_ptr<Field<T>> make_cdc_field(Backend<T>& backend, const CdcDefinition& definition,
                                         const std::vector<T>& parameters);

}  // namespace sklar
