#include "integrate/steps/linear_move.hpp"

namespace sklar {

template <class T>
LinearMove<T>::LinearMove(Trajectory<T>& t) : t_(t) {
  for (std::size_t j = 0; j < 2; ++j) {
    kept_[j] = t.vectors();
    if (t.divergence) divergence_[j] = t.backend.template buffer<double>(t.rows() * t.divergence->columns());
  }
}

template <class T>
void LinearMove<T>::apply(const LinearStep& s) {
  now_ = 1 - now_;
  const MatrixView<T> now = kept_[now_], before = kept_[1 - now_];
  if (s.kept_state == 0 && s.kept_field == 1) {
    t_.evaluate(t_.y, s.time, s.form, now, divergence_[now_].data());
  } else {
    if (!field_.rows()) field_ = t_.vectors();
    t_.evaluate(t_.y, s.time, s.form, field_);
    Combine<T> kept;
    kept.to = now;
    kept.add(t_.z, s.kept_state).add(field_, s.kept_field);
    t_.backend.combine(kept);
  }
  Combine<T> sum;
  sum.to = t_.z;
  if (s.state != 0) sum.add(t_.z, s.state);
  sum.add(now, s.now);
  if (s.before != 0) sum.add(before, s.before);
  t_.add_noise(sum, s);
  t_.backend.combine(sum);
  if (t_.divergence) {
    const std::size_t count = t_.rows() * t_.divergence->columns();
    t_.backend.add_scaled(t_.divergence->total, divergence_[now_].data(), count, s.now, nullptr, 1);
    if (s.before != 0)
      t_.backend.add_scaled(t_.divergence->total, divergence_[1 - now_].data(), count, s.before, nullptr, 1);
  }
  if (t_.reflected() && s.whole) {
    t_.backend.flip(now, t_.z);
    t_.backend.fold(t_.z, t_.z);
  }
}

template class LinearMove<float>;
template class LinearMove<double>;

}  // namespace sklar
