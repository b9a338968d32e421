// Training batches that a test gives in place of those that the backend draws.
#pragma once

#include <vector>

#include "process/ou.h"
#include "train/cdc_objective.hpp"
#include "train/velocity_objective.hpp"

namespace given_batch {

using namespace sklar;

// Row i of x is alpha x0 + sigma noise at level[i], followed by a one; host memory.
template <class T>
void noise_rows(MatrixView<T> x, MatrixView<const T> x0, MatrixView<const T> noise, const std::int32_t* level,
                const OuLevels& levels) {
  for (std::size_t i = 0; i < x.rows; ++i) {
    const auto k = static_cast<std::size_t>(level[i]);
    for (std::size_t j = 0; j < x0.columns; ++j)
      x.row(i)[j] = OuProcess::state(static_cast<T>(levels.alpha[k]), static_cast<T>(levels.sigma[k]),
                                     x0.row(i)[j], noise.row(i)[j]);
    x.row(i)[x0.columns] = 1;
  }
}

template <class T>
MatrixView<const T> dense(const std::vector<T>& values, std::size_t columns) {
  return {values.data(), values.size() / columns, columns, columns};
}

// The rows of `level` that are neither the first nor the last come first, as many as the objective's active
// rows, unless all are active.
template <class T>
void put(Backend<T>& backend, const CdcObjective<T>& objective, const OuLevels& levels,
         const std::vector<T>& x0, const std::vector<T>& noise, const std::vector<std::int32_t>& level) {
  const BatchDraw<T> to = objective.batch_draw({}, 0, nullptr);
  const std::size_t rows = level.size(), d = to.noise.columns;
  std::vector<T> x(rows * (d + 1));
  noise_rows<T>({x.data(), rows, d + 1, d + 1}, dense(x0, d), dense(noise, d), level.data(), levels);
  backend.upload_matrix(to.x, x.data());
  backend.upload_matrix(to.noise, noise.data());
  backend.upload(to.level, level.data(), rows * sizeof(std::int32_t));
}

// States, velocities and times.
template <class T>
void put(Backend<T>& backend, const VelocityObjective<T>& objective, const std::vector<T>& y,
         const std::vector<T>& target, const std::vector<double>& time) {
  const VelocityDraw<T> to = objective.batch_draw({}, 0, nullptr);
  backend.upload_matrix({to.y.data, to.y.rows, to.target.columns, to.y.stride}, y.data());
  backend.upload_matrix(to.target, target.data());
  backend.upload(to.time, time.data(), time.size() * sizeof(double));
}

template <class T, class U>
std::vector<U> on_host(Backend<T>& backend, const U* from, std::size_t count) {
  std::vector<U> host(count);
  backend.download(host.data(), from, count * sizeof(U));
  return host;
}
template <class T>
std::vector<T> on_host(Backend<T>& backend, MatrixView<const T> m) {
  std::vector<T> host(m.rows * m.columns);
  backend.download_matrix(host.data(), m);
  return host;
}

template <class T>
struct Derivative {
  TrainState state;
  std::vector<T> gradient;
};

// Of the batch that is there, at these parameters.
template <class T>
Derivative<T> derivative(Backend<T>& backend, Network<T>& network, Objective<T>& objective,
                         const std::vector<T>& at) {
  const auto parameters = backend.template buffer<T>(at.size()),
             gradient = backend.template buffer<T>(at.size());
  const auto state = backend.template buffer<TrainState>(1);
  backend.upload(parameters.data(), at.data(), at.size() * sizeof(T));
  network.set_parameters(parameters.data());
  objective.differentiate(state.data(), gradient.data());
  Derivative<T> result{on_host(backend, state.data(), 1)[0], on_host(backend, gradient.data(), at.size())};
  for (T& g : result.gradient) g = static_cast<T>(static_cast<double>(g) / objective.gradient_scale());
  return result;
}

}  // namespace given_batch
