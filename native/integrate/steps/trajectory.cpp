#include "integrate/steps/trajectory.hpp"

#include <cmath>

#include "core/random/philox.h"
#include "integrate/steps/linear_move.hpp"

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
  const double start = OuProcess::alpha(node(0)) == 0 && !reflected() ? node(1) : node(0);
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
void Trajectory<T>::evaluate(MatrixView<const T> at, double time, Form form, MatrixView<T> out,
                             double* divergence_out) {
  backend.fill(times_.data(), at.rows, time);
  evaluate(at, times_.data(), form, out, divergence_out);
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
void Trajectory<T>::add_noise(Combine<T>& sum, const LinearStep& s) {
  if (s.noise == 0) return;
  if (options.brownian == Brownian::tree && s.tag == kTagSampleNoise) {
    const double h = forward_time(node(s.draw)) - forward_time(node(s.draw + 1));
    if (std::isfinite(h)) {
      brownian_between_nodes(s.draw);
      sum.add(w_, s.noise / std::sqrt(h));
      return;
    }
  }
  sum.noise = s.noise;
  sum.seed = options.seed;
  sum.first_row = options.first_row;
  sum.step = s.draw;
  sum.tag = s.tag;
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
  std::vector<LinearStep> moves;
  if (!sklar::leave_reference({options, field.process(), i, 0}, moves)) return false;
  LinearMove<T>(*this).apply(moves[0]);
  return true;
}

template class Trajectory<float>;
template class Trajectory<double>;

}  // namespace sklar
