#include "train/cdc_objective.hpp"

#include <algorithm>

namespace sklar {

template <class T>
CdcObjective<T>::CdcObjective(Backend<T>& backend, SecondOrderNetwork<T>& network, const OuLevels& levels,
                              std::size_t batch)
    : backend_(backend),
      network_(network),
      batch_(batch),
      dim_(network.input_columns()),
      active_(batch),
      levels_(backend, levels),
      x_(backend.matrix(batch, dim_ + 1)),
      noise_(backend.matrix(batch, dim_)),
      logits_(backend.matrix(batch, levels.count())),
      cotangent_(backend.matrix(batch, levels.count())),
      gradient_(backend.matrix(batch, dim_)),
      logit_adjoint_(backend.matrix(batch, levels.count())),
      gradient_adjoint_(backend.matrix(batch, dim_ + 1)),
      predicted_noise_(backend.matrix(batch, dim_)),
      level_(backend.template buffer<std::int32_t>(batch)),
      row_losses_(backend.template buffer<double>(2 * batch)) {
  if (network.output_columns() != levels.count())
    throw Error("SHAPE", "the network has " + std::to_string(network.output_columns()) + " outputs for " +
                             std::to_string(levels.count()) + " levels");
}

template <class T>
void CdcObjective<T>::use_stratified_levels(double cross_entropy_weight) {
  shares_.cross_entropy_weight = cross_entropy_weight;
  const double k = static_cast<double>(levels_.view().count), rows = static_cast<double>(batch_);
  // at least one row on each side: both ends of the path and the inner levels must be seen
  active_ = std::clamp<std::size_t>(static_cast<std::size_t>(rows * (k - 2) / k + 0.5), 1,
                                    std::max<std::size_t>(batch_, 2) - 1);
  const double active = static_cast<double>(active_), passive = rows - active;
  shares_.active_row = (k - 2) / k / active;
  shares_.passive_row = passive > 0 ? 2 / k / passive : 0;
  shares_.active_error = 1 / active;
  shares_.passive_error = 0;
}

template <class T>
void CdcObjective<T>::use_published_levels(double cross_entropy_weight) {
  shares_.cross_entropy_weight = cross_entropy_weight;
  active_ = batch_;
  const double share = 1 / static_cast<double>(batch_);
  shares_.active_row = shares_.passive_row = shares_.active_error = shares_.passive_error = share;
}

template <class T>
BatchDraw<T> CdcObjective<T>::batch_draw(MatrixView<const T> data, std::uint64_t seed,
                                         const TrainState* state) const {
  BatchDraw<T> draw;
  draw.state = state;
  draw.seed = seed;
  draw.data = data;
  draw.levels = levels_.view();
  draw.active = active_;
  draw.noise = noise_;
  draw.x = x_;
  draw.level = level_.data();
  return draw;
}

template <class T>
void CdcObjective<T>::draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) {
  backend_.draw_batch(batch_draw(data, seed, state));
}

template <class T>
ClassifierLoss<T> CdcObjective<T>::classifier_loss(TrainState* state) const {
  ClassifierLoss<T> loss;
  loss.logits = logits_;
  loss.gradient = gradient_;
  loss.x = x_;
  loss.noise = noise_;
  loss.level = level_.data();
  loss.levels = levels_.view();
  loss.active = active_;
  loss.cross_entropy_weight = shares_.cross_entropy_weight;
  loss.active_row_weight = shares_.active_row;
  loss.passive_row_weight = shares_.passive_row;
  loss.active_error_weight = shares_.active_error;
  loss.passive_error_weight = shares_.passive_error;
  loss.adjoint_scale = gradient_scale();
  loss.logit_adjoint = logit_adjoint_;
  loss.gradient_adjoint = gradient_adjoint_;
  loss.predicted_noise = predicted_noise_;
  loss.row_losses = row_losses_.data();
  loss.state = state;
  return loss;
}

template <class T>
void CdcObjective<T>::losses(TrainState* state, Pass pass) {
  backend_.level_cotangent(cotangent_, level_.data());
  network_.forward(x_, logits_, pass);
  if (active_) network_.adjoint(cotangent_.first(active_), gradient_.first(active_), pass);
  backend_.classifier_loss(classifier_loss(state));
}

template <class T>
double CdcObjective<T>::gradient_scale() const {
  return backend_.adjoint_scale(2 / static_cast<double>(batch_ * dim_));
}

template <class T>
void CdcObjective<T>::evaluate(TrainState* state) {
  backend_.together([&] { losses(state, Pass::gradient); });
}

template <class T>
void CdcObjective<T>::differentiate(TrainState* state, T* gradient) {
  backend_.together([&] {
    losses(state, Pass::training);
    if (active_) network_.tangent(gradient_adjoint_.first(active_), {});
    network_.parameter_gradient(logit_adjoint_, gradient);
  });
}

template <class T>
bool CdcObjective<T>::draw_and_differentiate(std::span<const TrainedModel<T>> models) {
  ClassifierStep<T> step;
  if (!network_.describe(step.network)) return false;
  step.draw = batch_draw({}, 0, nullptr);
  step.loss = classifier_loss(nullptr);
  return backend_.classifier_step(step, models);
}

template class CdcObjective<float>;
template class CdcObjective<double>;

}  // namespace sklar
