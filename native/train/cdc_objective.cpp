#include "train/cdc_objective.hpp"

#include <algorithm>

namespace sklar {

template <class T>
CdcObjective<T>::CdcObjective(Backend<T>& backend, SecondOrderNetwork<T>& network, const OuLevels& levels,
                              std::size_t batch, const std::vector<T>& covariance)
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
      denoised_(backend.matrix(batch, dim_)),
      level_(backend.template buffer<std::int32_t>(batch)),
      row_losses_(backend.template buffer<double>(2 * batch)) {
  if (network.output_columns() != levels.count())
    throw Error("SHAPE", "the network has " + std::to_string(network.output_columns()) + " outputs for " +
                             std::to_string(levels.count()) + " levels");
  if (!covariance.empty()) {
    if (covariance.size() != dim_ * dim_)
      throw Error("SHAPE", "covariance of another dimension than the network");
    covariance_ = backend.template buffer<T>(covariance.size());
    backend.upload(covariance_.data(), covariance.data(), covariance.size() * sizeof(T));
  }
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
void CdcObjective<T>::set_batch(const T* x0, const T* noise, const std::int32_t* level, std::size_t active,
                                const LossShares& shares) {
  if (active > batch_) throw Error("SHAPE", "more active rows than the batch has");
  for (std::size_t i = 0; i < batch_; ++i)
    if (level[i] < 0 || static_cast<std::size_t>(level[i]) >= levels_.view().count)
      throw Error("VALUE",
                  "level " + std::to_string(level[i]) + " of row " + std::to_string(i) + " does not exist");
  active_ = active;
  shares_ = shares;
  Matrix<T> rows = backend_.matrix(batch_, dim_);
  backend_.upload_matrix(rows, x0);
  backend_.upload_matrix(noise_, noise);
  backend_.upload(level_.data(), level, batch_ * sizeof(std::int32_t));
  backend_.perturb(x_, rows, noise_, level_.data(), levels_.view());
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
  loss.covariance = covariance_.data();
  loss.active = active_;
  loss.cross_entropy_weight = shares_.cross_entropy_weight;
  loss.active_row_weight = shares_.active_row;
  loss.passive_row_weight = shares_.passive_row;
  loss.active_error_weight = shares_.active_error;
  loss.passive_error_weight = shares_.passive_error;
  loss.adjoint_scale = gradient_scale();
  loss.logit_adjoint = logit_adjoint_;
  loss.gradient_adjoint = gradient_adjoint_;
  loss.denoised = denoised_;
  loss.row_losses = row_losses_.data();
  loss.state = state;
  return loss;
}

template <class T>
void CdcObjective<T>::losses(TrainState* state, Pass pass) {
  network_.forward(x_, logits_, pass);
  backend_.level_cotangent(cotangent_, level_.data());
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

template <class T>
void CdcObjective<T>::tangent_check(std::vector<double>& direct, std::vector<double>& through_tangent) {
  Matrix<T> tangent = backend_.matrix(batch_, levels_.view().count);
  network_.tangent(gradient_adjoint_.first(active_), tangent.first(active_));
  auto dense = [&](MatrixView<const T> m) {
    std::vector<T> host(m.rows * m.columns);
    backend_.download_matrix(host.data(), m);
    return host;
  };
  const auto g = dense(gradient_.first(active_)), r = dense(gradient_adjoint_.first(active_));
  const auto e = dense(cotangent_.first(active_)), t = dense(tangent.first(active_));
  const std::size_t k = levels_.view().count;
  direct.assign(active_, 0);
  through_tangent.assign(active_, 0);
  for (std::size_t i = 0; i < active_; ++i) {
    for (std::size_t j = 0; j < dim_; ++j)
      direct[i] += static_cast<double>(g[i * dim_ + j]) * static_cast<double>(r[i * (dim_ + 1) + j]);
    for (std::size_t j = 0; j < k; ++j)
      through_tangent[i] += static_cast<double>(e[i * k + j]) * static_cast<double>(t[i * k + j]);
  }
}

template class CdcObjective<float>;
template class CdcObjective<double>;

}  // namespace sklar
