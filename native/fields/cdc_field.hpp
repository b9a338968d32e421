#pragma once

#include "fields/field.hpp"
#include "fields/noise_levels.hpp"
#include "fields/trace.hpp"
#include "nn/network.hpp"

namespace sklar {

// The field of a classification-diffusion copula in its own coordinates y, at any time: the slope dz/dw = G /
// 2w is interpolated linearly in w between the noise levels. That costs one adjoint pass whatever the time,
// since only the network's cotangent is a mixture of two levels; at the time of a level it is that level's
// field. At a reference of pure noise the slope is known where the correlation is; otherwise the level before
// it lends its own.
template <class T>
class CdcField final : public Field<T> {
 public:
  // slope: dim x dim, symmetric, dz/dw = slope y at the reference; empty: unknown. rows: at most as many in a
  // call.
  CdcField(Backend<T>& backend, SecondOrderNetwork<T>& network, const OuLevels& levels,
           const std::vector<double>& slope, std::size_t rows);

  Process process() const override { return Process::ou; }
  std::size_t dim() const override { return network_.input_columns(); }
  std::size_t batch_rows() const override { return rows_; }

  void evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) override;
  void divergence(MatrixView<const T> y, const double* time, Form form, const TraceEstimator& trace,
                  MatrixView<T> out, double* divergence) override;
  void pull_back(MatrixView<const T> y, const double* time, Form form, MatrixView<const T> r,
                 MatrixView<T> product) override;
  bool describe(FusedField<T>& field) override;

 private:
  void reserve(std::size_t rows);
  void interpolate(const double* time, std::size_t rows, Form form);
  void add_reference(MatrixView<const T> y, MatrixView<T> out);

  Backend<T>& backend_;
  SecondOrderNetwork<T>& network_;
  std::size_t levels_, rows_;
  bool known_;
  double trace_of_slope_ = 0;
  std::vector<double> w_;
  Buffer<T> slope_;
  PackedMatrix<T> packed_slope_;
  Buffer<double> w_on_backend_, reference_;
  Matrix<T> logits_, cotangent_, slopes_;
  TraceSampler<T> sampler_;
};

}  // namespace sklar
