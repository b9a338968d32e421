#include "model/field_bound.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/linear/triangular.h"
#include "core/normal.h"
#include "core/random/philox.h"

namespace sklar {
namespace {

// A start, and what its draws add up to.
struct Start {
  std::vector<double> state;
  double known = 0;  // the part of the log density that the guide gives
};

Start start_of(const FieldBoundOptions& options, Process process, const double* x, std::size_t d) {
  Start s{std::vector<double>(x, x + d)};
  if (on_cube(process)) {
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
    s.state[i] = solve_row(&l[i * d], i, s.state[i], s.state.data());
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
  const Process process = field.process();
  const bool cube = on_cube(process);
  check_rows(x, options.from_gaussian, rows, d);
  if (draws < 1) throw Error("VALUE", "expected one draw at least");
  const auto [last_time, form] =
      with_process(process, [](auto p) { return std::pair(decltype(p)::last_time, decltype(p)::learned); });
  if (!(options.reference > 0 && options.reference <= last_time))
    throw Error("VALUE", "expected a reference time of the process");
  if (!options.cholesky.empty() && (cube || options.cholesky.size() != d * d))
    throw Error("SHAPE", "guide matrix of another dimension than the field");

  const std::size_t evaluations = 2 * draws * rows;
  const std::size_t batch = std::min(std::max<std::size_t>(field.batch_rows() / 2 * 2, 2), evaluations);
  Matrix<T> y = backend.matrix(batch, d + 1), values = backend.matrix(batch, d);
  auto times = backend.template buffer<double>(batch);
  std::vector<T> states(batch * (d + 1), T(1)), learned(batch * d);
  std::vector<double> target(batch * d), share(batch * d), time(batch), weight(batch), noise(d);
  Start start;
  for (std::size_t first = 0; first < evaluations; first += batch) {
    cancel.check();
    const std::size_t count = std::min(batch, evaluations - first);
    for (std::size_t k = 0; k < count; k += 2) {
      const std::size_t i = (first + k) / (2 * draws), draw = (first + k) / 2 % draws;
      if (draw == 0 || k == 0) start = start_of(options, process, x + i * d, d);
      if (draw == 0) out[i] = start.known;
      noise_of(options, options.first_row + i, draw, noise);
      const double s = (static_cast<double>(draw) + uniform_of(options, options.first_row + i, draw)) /
                       static_cast<double>(draws);
      with_process(process, [&](auto p) {
        // dt of the bound is d noise / noise; powers of noises give small ones their share
        constexpr int power = decltype(p)::bound_power;
        const double at = p.time_of_noise(p.noise(options.reference) * std::pow(s, power));
        for (const std::size_t row : {k, k + 1}) {
          T* state = &states[row * (d + 1)];
          time[row] = at;
          weight[row] = power / s;
          for (std::size_t j = 0; j < d; ++j) {
            const PathDraw own{options.seed, options.first_row + i, draw, static_cast<std::uint32_t>(j)};
            double moved, velocity;
            p.path(at, start.state[j], row == k ? noise[j] : -noise[j], own, &moved, &velocity);
            state[j] = static_cast<T>(moved);
            target[row * d + j] = velocity;
            share[row * d + j] = p.loss_weight(moved);
          }
        }
      });
    }
    backend.upload_matrix(y.first(count), states.data());
    backend.upload(times.data(), time.data(), count * sizeof(double));
    field.evaluate(y.first(count), times.data(), form, values.first(count));
    backend.download_matrix(learned.data(), values.first(count));
    for (std::size_t row = 0; row < count; ++row) {
      double sum = 0;
      for (std::size_t k = row * d; k < (row + 1) * d; ++k) {
        const double v = static_cast<double>(learned[k]);
        sum += share[k] * v * (2 * target[k] - v);
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
