#include "integrate/trajectory.hpp"

#include <cmath>

#include "core/philox.h"

namespace sklar {

template <class T>
Trajectory<T>::Trajectory(Backend<T>& b, Field<T>& f, const SolverOptions& o, MatrixView<T> state_rows,
                          const DivergenceIntegral* d, const CancelFlag& c)
    : backend(b),
      field(f),
      options(o),
      divergence(d),
      cancel(c),
      y(state_rows),
      z{state_rows.data, state_rows.rows, state_rows.columns - 1, state_rows.stride} {
  times_ = backend.template buffer<double>(rows());
  if (reflected()) folded_ = state();
  const double start = ou_alpha(node(0)) == 0 && !reflected() ? node(1) : node(0);
  origin_ = forward_time(start);
  span_ = std::abs(origin_ - forward_time(node(steps())));
}

template <class T>
Matrix<T> Trajectory<T>::state() const {
  Matrix<T> m = backend.matrix(rows(), dim() + 1);
  backend.copy_rows({m.data(), rows(), dim() + 1, m.stride()}, nullptr, y, nullptr, rows());
  return m;
}

template <class T>
void Trajectory<T>::evaluate(MatrixView<const T> at, double time, Form form, MatrixView<T> out) {
  backend.fill(times_.data(), at.rows, time);
  evaluate(at, times_.data(), form, out, nullptr);
}

template <class T>
void Trajectory<T>::evaluate(MatrixView<const T> at, const double* times, Form form, MatrixView<T> out,
                             double* divergence_out) {
  cancel.check();
  ++evaluations;
  MatrixView<const T> where = at;
  if (reflected()) {
    backend.fold({folded_.data(), at.rows, dim(), folded_.stride()}, at);
    where = folded_.first(at.rows);
  }
  if (divergence_out)
    field.divergence(where, times, form, divergence->trace, out, divergence_out);
  else
    field.evaluate(where, times, form, out);
  if (reflected()) backend.flip(out, at);
}

template <class T>
double Trajectory<T>::forward_time(double time) const {
  return reflected() ? time * time : ou_time(time);
}

template <class T>
void Trajectory<T>::brownian_between_nodes(std::size_t i) {
  if (!w_.rows()) {
    w_ = vectors();
    h_ = vectors();
    from_ = backend.template buffer<double>(rows());
    to_ = backend.template buffer<double>(rows());
  }
  backend.fill(from_.data(), rows(), origin_ - forward_time(node(i)));
  backend.fill(to_.data(), rows(), origin_ - forward_time(node(i + 1)));
  backend.brownian(w_, h_, path(), from_.data(), to_.data());
}

template <class T>
void Trajectory<T>::add_noise(Combine<T>& sum, double s, std::size_t i) {
  if (s == 0) return;
  const double h = forward_time(node(i)) - forward_time(node(i + 1));
  if (options.brownian == Brownian::tree && std::isfinite(h)) {
    brownian_between_nodes(i);
    sum.add(w_, s / std::sqrt(h));
    return;
  }
  sum.noise = s;
  sum.seed = options.seed;
  sum.first_row = options.first_row;
  sum.step = i;
  sum.tag = kTagSampleNoise;
}

template <class T>
typename Trajectory<T>::Increment Trajectory<T>::increment(std::size_t i) {
  if (options.brownian == Brownian::tree) {
    brownian_between_nodes(i);
    return {w_, h_, 1, 1};
  }
  if (!w_.rows()) {
    w_ = vectors();
    h_ = vectors();
  }
  const double h = forward_time(node(i)) - forward_time(node(i + 1));
  backend.normals(w_, options.seed, options.first_row, 2 * i, kTagSampleNoise);
  backend.normals(h_, options.seed, options.first_row, 2 * i + 1, kTagSampleNoise);
  return {w_, h_, std::sqrt(h), std::sqrt(h / 12)};
}

template <class T>
bool Trajectory<T>::leave_reference(std::size_t i) {
  if (reflected() || ou_alpha(node(i)) != 0) return false;
  if (!slope_.rows()) slope_ = vectors();
  evaluate(y, node(i), Form::slope_w, slope_);
  Combine<T> sum;
  sum.to = z;
  sum.add(z, 1).add(slope_, to_clock(Clock::w, node(i + 1)) - to_clock(Clock::w, node(i)));
  backend.combine(sum);
  return true;
}

template class Trajectory<float>;
template class Trajectory<double>;

}  // namespace sklar
