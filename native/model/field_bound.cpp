#include "model/field_bound.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/fold.h"
#include "core/normal.h"
#include "core/philox.h"
#include "model/gaussian.hpp"

namespace sklar {
namespace {

// A start, and what its draws add up to.
struct Start {
  std::vector<double> state;
  double known = 0;  // the part of the log density that the guide gives
};

Start start_of(const FieldBoundOptions& options, Process process, const double* x, std::size_t d) {
  Start s{std::vector<double>(x, x + d)};
  if (process == Process::reflection) {
    if (options.from_gaussian)
      for (double& value : s.state) value = normal_cdf(value);
    return s;
  }
  if (!options.from_gaussian)
    for (double& value : s.state) value = normal_quantile(value);
  const std::vector<double>& l = options.cholesky;
  if (l.empty()) return s;
  for (std::size_t i = 0; i < d; ++i) {
    s.known += 0.5 * s.state[i] * s.state[i] - std::log(l[i * d + i]);
    for (std::size_t j = 0; j < i; ++j) s.state[i] -= l[i * d + j] * s.state[j];
    s.state[i] /= l[i * d + i];
    s.known -= 0.5 * s.state[i] * s.state[i];
  }
  return s;
}

double uniform_of(const FieldBoundOptions& options, std::uint64_t row, std::size_t draw) {
  const PhiloxBlock b =
      philox(philox_counter(row, 0, 2 * draw + 1, kTagFieldBound), philox_key(options.seed));
  return static_cast<double>(philox_uniform(b.x));
}

void noise_of(const FieldBoundOptions& options, std::uint64_t row, std::size_t draw,
              std::vector<double>& out) {
  const PhiloxKey key = philox_key(options.seed);
  for (std::size_t j = 0; j < out.size(); j += 4) {
    const Normals4 n = philox_normals(
        philox(philox_counter(row, static_cast<std::uint32_t>(j / 4), 2 * draw, kTagFieldBound), key));
    const float lane[4] = {n.x, n.y, n.z, n.w};
    for (std::size_t k = 0; k < std::min<std::size_t>(4, out.size() - j); ++k)
      out[j + k] = static_cast<double>(lane[k]);
  }
}

}  // namespace

template <class T>
void field_bound(Backend<T>& backend, Field<T>& field, const FieldBoundOptions& options, const double* x,
                 std::size_t rows, double* out, const CancelFlag& cancel, const Fraction& progress) {
  const std::size_t d = field.dim(), draws = options.draws;
  const bool ou = field.process() == Process::ou;
  check_rows(x, options.from_gaussian, rows, d);
  if (draws < 1) throw Error("VALUE", "expected one draw at least");
  if (!(options.reference > 0) || (ou && options.reference > 1.5707963267948966))
    throw Error("VALUE", "expected a reference time of the process");
  if (!options.cholesky.empty() && (!ou || options.cholesky.size() != d * d))
    throw Error("SHAPE", "guide matrix of another dimension than the field");

  const std::size_t evaluations = 2 * draws * rows;
  const std::size_t batch = std::min(std::max<std::size_t>(field.batch_rows() / 2 * 2, 2), evaluations);
  Matrix<T> y = backend.matrix(batch, d + 1), values = backend.matrix(batch, d);
  auto times = backend.template buffer<double>(batch);
  std::vector<T> states(batch * (d + 1), T(1)), slopes(batch * d);
  std::vector<double> target(batch * d), time(batch), weight(batch), noise(d);
  const double end_sigma = std::sin(options.reference);
  Start start;
  for (std::size_t first = 0; first < evaluations; first += batch) {
    cancel.check();
    const std::size_t count = std::min(batch, evaluations - first);
    for (std::size_t k = 0; k < count; k += 2) {
      const std::size_t i = (first + k) / (2 * draws), draw = (first + k) / 2 % draws;
      if (draw == 0 || k == 0) start = start_of(options, field.process(), x + i * d, d);
      if (draw == 0) out[i] = start.known;
      noise_of(options, options.first_row + i, draw, noise);
      const double s = (static_cast<double>(draw) + uniform_of(options, options.first_row + i, draw)) /
                       static_cast<double>(draws);
      for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
        const std::size_t row = k + side;
        T* state = &states[row * (d + 1)];
        if (ou) {
          // dt of 2 <G, g*> - |G|^2, G = 2 w slope, in sigma: 2 sigma (2 <slope, g*> - 2 w |slope|^2)
          const double sigma = end_sigma * s, alpha = std::sqrt(1 - sigma * sigma);
          time[row] = std::asin(sigma);
          weight[row] = 2 * sigma * end_sigma;
          for (std::size_t j = 0; j < d; ++j) {
            const double e = side ? -noise[j] : noise[j];
            state[j] = static_cast<T>(alpha * start.state[j] + sigma * e);
            target[row * d + j] = alpha * (start.state[j] - alpha / sigma * e);
          }
        } else {
          // t = T s^2, so that small times get their share: dt / t = 2 ds / s
          time[row] = options.reference * s * s;
          weight[row] = 2 / s;
          for (std::size_t j = 0; j < d; ++j) {
            const double velocity = side ? -noise[j] : noise[j];
            const double flight = start.state[j] + time[row] * velocity;
            state[j] = static_cast<T>(fold(flight));
            target[row * d + j] = fold_sign(flight) * velocity;
          }
        }
      }
    }
    backend.upload_matrix(y.first(count), states.data());
    backend.upload(times.data(), time.data(), count * sizeof(double));
    field.evaluate(y.first(count), times.data(), ou ? Form::slope_w : Form::velocity, values.first(count));
    backend.download_matrix(slopes.data(), values.first(count));
    for (std::size_t row = 0; row < count; ++row) {
      const double square = ou ? 2 * std::pow(std::cos(time[row]), 2) : 1;
      double sum = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const double slope = static_cast<double>(slopes[row * d + j]);
        sum += slope * (2 * target[row * d + j] - square * slope);
      }
      out[(first + row) / (2 * draws)] += weight[row] * sum / static_cast<double>(2 * draws);
    }
    if (progress) progress(static_cast<double>(first + count) / static_cast<double>(evaluations));
  }
  for (std::size_t i = 0; i < rows; ++i)
    if (!std::isfinite(out[i]))
      throw Error("DIVERGED",
                  "the bound is not finite, first in row " + std::to_string(options.first_row + i));
}

template void field_bound(Backend<float>&, Field<float>&, const FieldBoundOptions&, const double*,
                          std::size_t, double*, const CancelFlag&, const Fraction&);
template void field_bound(Backend<double>&, Field<double>&, const FieldBoundOptions&, const double*,
                          std::size_t, double*, const CancelFlag&, const Fraction&);

}  // namespace sklar
