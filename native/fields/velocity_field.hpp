#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "fields/field.hpp"
#include "fields/trace.hpp"
#include "nn/mean_network.hpp"

namespace sklar {

// What a velocity model (flow copula, reflection copula, potential copula) consists of, on the host.
struct VelocityDefinition {
  Process process = Process::ou;
  bool published = false;
  bool potential = false;  // the field is the gradient of the network's one output
  std::size_t dim = 0;
  std::size_t frequencies = 0;  // see VelocityHead
  std::size_t hidden = 0;
  std::size_t depth = 0;  // residual blocks; layers of the published network
  Activation activation = Activation::silu;
  std::size_t members = 1;       // networks whose mean is the field
  std::vector<double> cholesky;  // dim x dim, of the guide; empty: not guided, as on the cube

  VelocityHead head() const {
    return {process, static_cast<std::uint32_t>(dim), static_cast<std::uint32_t>(frequencies), published,
            potential};
  }
  std::vector<ParameterSlice> slices() const;
};

template <class T>
std::unique_ptr<MeanNetwork<T>> make_velocity_network(Backend<T>& backend,
                                                      const VelocityDefinition& definition);

// The field in the network's coordinates: y = L^-1 z, or u on the cube.
template <class T>
class VelocityField final : public Field<T> {
 public:
  VelocityField(Backend<T>& backend, const VelocityDefinition& definition, const std::vector<T>& parameters);

  Process process() const override { return definition_.process; }
  std::size_t dim() const override { return definition_.dim; }
  std::size_t batch_rows() const override;
  void evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) override;
  void divergence(MatrixView<const T> y, const double* time, Form form, const TraceEstimator& trace,
                  MatrixView<T> out, double* divergence) override;
  void pull_back(MatrixView<const T> y, const double* time, Form form, MatrixView<const T> r,
                 MatrixView<T> product) override;
  void potential(MatrixView<const T> y, double time, double* values, MatrixView<T> gradient) override;
  bool describe(FusedField<T>& field) override;

 private:
  VelocityForm form_of(Form form) const;
  void run(MatrixView<const T> y, const double* time, Pass pass);
  void adjoint(MatrixView<const T> y, MatrixView<const T> direction);
  // What the operations of velocity heads take for the network's output, after `run`.
  MatrixView<T> output(std::size_t rows) const { return {output_.data(), rows, dim(), output_.stride()}; }

  Backend<T>& backend_;
  VelocityDefinition definition_;
  std::unique_ptr<MeanNetwork<T>> network_;
  Buffer<T> parameters_;
  Matrix<T> x_, output_, cotangent_, x_adjoint_, direction_;
  Matrix<T> value_, one_;  // of a potential
  Buffer<double> time_;
  TraceSampler<T> sampler_;
};

}  // namespace sklar
