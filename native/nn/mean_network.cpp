#include "nn/mean_network.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace sklar {

std::vector<ParameterSlice> mean_network_slices(const std::vector<ParameterSlice>& one, std::size_t members) {
  if (members == 1) return one;
  const std::size_t count = one.back().offset + Network<float>::slice_size(one.back());
  std::vector<ParameterSlice> slices;
  for (std::size_t i = 0; i < members; ++i)
    for (ParameterSlice slice : one) {
      slice.name = "members." + std::to_string(i) + "." + slice.name;
      slice.offset += i * count;
      slices.push_back(std::move(slice));
    }
  return slices;
}

template <class T>
MeanNetwork<T>::MeanNetwork(Backend<T>& backend, std::vector<std::unique_ptr<Network<T>>> members)
    : backend_(backend), members_(std::move(members)) {
  if (members_.empty()) throw Error("SHAPE", "expected at least one member of an ensemble");
  slices_ = mean_network_slices(members_[0]->slices(), members_.size());
}

template <class T>
void MeanNetwork<T>::reserve(std::size_t rows, Pass pass) {
  for (auto& member : members_) member->reserve(rows, pass);
}

template <class T>
void MeanNetwork<T>::set_parameters(const T* parameters) {
  for (auto& member : members_) {
    member->set_parameters(parameters);
    parameters += member->parameter_count();
  }
}

template <class T>
MatrixView<T> MeanNetwork<T>::scratch(std::size_t rows, std::size_t columns) {
  if (scratch_.rows() < rows || scratch_.columns() < columns)
    scratch_ = backend_.matrix(std::max(rows, scratch_.rows()), std::max(columns, scratch_.columns()));
  return {scratch_.data(), rows, columns, scratch_.stride()};
}

template <class T>
template <class Evaluate>
void MeanNetwork<T>::mean(MatrixView<T> to, const Evaluate& evaluate) {
  evaluate(*members_[0], to);
  if (members_.size() == 1) return;
  const auto next = scratch(to.rows, to.columns);
  for (std::size_t i = 1; i < members_.size(); ++i) {
    evaluate(*members_[i], next);
    const double factor = i + 1 < members_.size() ? 1 : 1 / static_cast<double>(members_.size());
    Combine<T> sum;
    sum.to = to;
    backend_.combine(sum.add(to, factor).add(next, factor));
  }
}

template <class T>
void MeanNetwork<T>::forward(MatrixView<const T> x, MatrixView<T> y, Pass pass) {
  mean(y, [&](Network<T>& member, MatrixView<T> to) { member.forward(x, to, pass); });
}

template <class T>
void MeanNetwork<T>::adjoint(MatrixView<const T> e, MatrixView<T> x_adjoint, Pass pass) {
  mean(x_adjoint, [&](Network<T>& member, MatrixView<T> to) { member.adjoint(e, to, pass); });
}

template <class T>
void MeanNetwork<T>::hessian_product(MatrixView<const T> r, MatrixView<T> x_second) {
  mean(x_second, [&](Network<T>& member, MatrixView<T> to) {
    dynamic_cast<SecondOrderNetwork<T>&>(member).hessian_product(r, to);
  });
}

template <class T>
void MeanNetwork<T>::backward(MatrixView<const T> c, T* gradient) {
  const auto share = scratch(c.rows, c.columns);
  Combine<T> scaled;
  scaled.to = share;
  backend_.combine(scaled.add(c, 1 / static_cast<double>(members_.size())));
  for (auto& member : members_) {
    member->backward(share, gradient);
    gradient += member->parameter_count();
  }
}

template class MeanNetwork<float>;
template class MeanNetwork<double>;

}  // namespace sklar
