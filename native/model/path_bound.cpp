#include "model/path_bound.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.h"

namespace sklar {

template <class T>
void path_bound(Backend<T>& backend, Field<T>& field, MatrixView<const T> start, const BoundOptions& options,
                double* value, double* standard_error, const CancelFlag& cancel) {
  const std::size_t d = field.dim(), rows = start.rows;
  const bool circle = field.process() == Process::ou;
  if (options.draws < 2) throw Error("VALUE", "a bound needs at least 2 draws a row");
  if (!(options.least > 0) || (!circle && !(options.reference > options.least)))
    throw Error("VALUE", "a bound needs 0 < least < reference");
  const double length = circle ? -std::log(options.least) : std::log(options.reference / options.least);
  const std::size_t batch = std::min(rows, field.batch_rows());
  Matrix<T> y = backend.matrix(batch, d + 1), target = backend.matrix(batch, d), v = backend.matrix(batch, d);
  Buffer<double> time = backend.template buffer<double>(batch), gain = backend.template buffer<double>(batch);
  std::vector<double> host_time(batch), host_gain(batch);
  const PhiloxKey key = philox_key(options.seed);
  const double n = static_cast<double>(options.draws);
  for (std::size_t first = 0; first < rows; first += batch) {
    const std::size_t count = std::min(batch, rows - first);
    std::vector<double> sum(count, 0.0), squares(count, 0.0);
    for (std::size_t draw = 0; draw < options.draws; ++draw) {
      cancel.check();
      for (std::size_t i = 0; i < count; ++i) {
        // one draw in each of as many equal parts
        const PhiloxBlock random =
            philox(philox_counter(options.first_row + first + i, 0, draw, kTagBoundTime), key);
        const double u = (static_cast<double>(draw) + static_cast<double>(philox_uniform(random.x))) / n;
        host_time[i] = circle ? std::asin(std::pow(options.least, u))
                              : options.least * std::pow(options.reference / options.least, u);
      }
      backend.upload(time.data(), host_time.data(), count * sizeof(double));
      backend.normals(target.first(count), options.seed, options.first_row + first, draw, kTagBoundNoise);
      backend.travel(circle ? VelocityKind::trigonometric : VelocityKind::reflection,
                     {start.row(first), count, d, start.stride}, time.data(), y.first(count), target.first(count));
      field.evaluate(y.first(count), time.data(), circle ? Form::slope_theta : Form::velocity, v.first(count));
      backend.path_gain(v.first(count), target.first(count), gain.data());
      backend.download(host_gain.data(), gain.data(), count * sizeof(double));
      for (std::size_t i = 0; i < count; ++i) {
        sum[i] += host_gain[i];
        squares[i] += host_gain[i] * host_gain[i];
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double mean = sum[i] / n, variance = std::max(0.0, squares[i] / n - mean * mean) * n / (n - 1);
      value[first + i] = length * mean;
      standard_error[first + i] = length * std::sqrt(variance / n);
    }
  }
}

template void path_bound(Backend<float>&, Field<float>&, MatrixView<const float>, const BoundOptions&, double*,
                         double*, const CancelFlag&);
template void path_bound(Backend<double>&, Field<double>&, MatrixView<const double>, const BoundOptions&, double*,
                         double*, const CancelFlag&);

}  // namespace sklar
