#pragma once

#include <memory>
#include <vector>

#include "nn/network.hpp"

namespace sklar {

// The mean of networks of one shape. Its parameters are theirs, one after another. Members that were trained
// apart err apart: their mean is nearer to the truth than each of them.
template <class T>
class MeanNetwork final : public Network<T> {
 public:
  // at least one member
  MeanNetwork(Backend<T>& backend, std::vector<std::unique_ptr<Network<T>>> members);

  std::size_t members() const { return members_.size(); }
  Network<T>& member(std::size_t i) { return *members_[i]; }
  // of members whose input gradient can be trained
  SecondOrderNetwork<T>& second_order(std::size_t i) {
    return dynamic_cast<SecondOrderNetwork<T>&>(*members_[i]);
  }
  void hessian_product(MatrixView<const T> r, MatrixView<T> x_second);

  std::size_t input_columns() const override { return members_[0]->input_columns(); }
  std::size_t output_columns() const override { return members_[0]->output_columns(); }
  const std::vector<ParameterSlice>& slices() const override { return slices_; }
  void reserve(std::size_t rows, Pass pass) override;
  void set_parameters(const T* parameters) override;
  void forward(MatrixView<const T> x, MatrixView<T> y, Pass pass) override;
  void adjoint(MatrixView<const T> e, MatrixView<T> x_adjoint, Pass pass) override;
  void backward(MatrixView<const T> c, T* gradient) override;
  // one network alone
  bool describe(FusedNetwork<T>& network) const override {
    return members_.size() == 1 && members_[0]->describe(network);
  }

 private:
  MatrixView<T> scratch(std::size_t rows, std::size_t columns);
  // to = mean over the members of what evaluate(member, where) writes
  template <class Evaluate>
  void mean(MatrixView<T> to, const Evaluate& evaluate);

  Backend<T>& backend_;
  std::vector<std::unique_ptr<Network<T>>> members_;
  std::vector<ParameterSlice> slices_;
  Matrix<T> scratch_;
};

// The slices of `members` networks, each under its number; those of one network keep their names.
std::vector<ParameterSlice> mean_network_slices(const std::vector<ParameterSlice>& one, std::size_t members);

}  // namespace sklar
