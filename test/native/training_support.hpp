// The gradient of one training step, in one operation or pass by pass.
#pragma once

#include "device_support.hpp"
#include "nn/network.hpp"
#include "train/objective.hpp"

namespace device_support {

struct Derivative {
  bool done = true;
  std::vector<double> gradient;
  double loss = 0, cross_entropy = 0;
  bool operator==(const Derivative&) const = default;
};

// Of the batch of step 3 at these parameters; whole: by draw_and_differentiate, if the device can.
template <class T>
Derivative derivative_of(Backend<T>& backend, Network<T>& network, Objective<T>& objective,
                         const std::vector<T>& at, MatrixView<const T> data, bool whole) {
  const std::size_t count = at.size();
  const auto parameters = backend.template buffer<T>(count), gradient = backend.template buffer<T>(count);
  backend.upload(parameters.data(), at.data(), count * sizeof(T));
  std::vector<T> values(count, std::numeric_limits<T>::quiet_NaN());
  backend.upload(gradient.data(), values.data(), count * sizeof(T));
  TrainState now{};
  now.step = 3;
  now.cross_entropy = now.squared_error = NAN;
  const auto state = backend.template buffer<TrainState>(1);
  backend.upload(state.data(), &now, sizeof now);
  Derivative result;
  if (whole) {
    result.done = objective.draw_and_differentiate(data, 5, parameters.data(), state.data(), gradient.data());
    if (!result.done) return result;
  } else {
    objective.draw(data, 5, state.data());
    network.set_parameters(parameters.data());
    objective.differentiate(state.data(), gradient.data());
  }
  backend.download(values.data(), gradient.data(), count * sizeof(T));
  backend.download(&now, state.data(), sizeof now);
  for (const T v : values) result.gradient.push_back(static_cast<double>(v) / objective.gradient_scale());
  result.loss = objective.loss(now);
  result.cross_entropy = now.cross_entropy;
  return result;
}

}  // namespace device_support
