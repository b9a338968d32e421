#include "train/velocity_objective.hpp"

namespace sklar {

template <class T>
VelocityObjective<T>::VelocityObjective(Backend<T>& backend, MeanNetwork<T>& network,
                                        const VelocityHead& head, const TimeLaw& law, std::size_t batch,
                                        double slope_weight)
    : backend_(backend),
      network_(network),
      head_(head),
      law_(law),
      y_(backend.matrix(batch, head.dim + 1)),
      target_(backend.matrix(batch, head.dim)),
      x_(backend.matrix(batch, velocity_inputs(head) + 1)),
      output_(backend.matrix(batch, head.potential ? velocity_inputs(head) : head.dim)),
      output_adjoint_(backend.matrix(batch, head.potential ? velocity_inputs(head) + 1 : head.dim)),
      time_(backend.template buffer<double>(batch)),
      row_losses_(backend.template buffer<double>(batch)),
      slope_weight_(slope_weight) {
  if (network.input_columns() != velocity_inputs(head) || network.output_columns() != velocity_outputs(head))
    throw Error("SHAPE", "the network does not fit the velocity head");
  if (!head.potential) return;
  for (Matrix<T>* m : {&value_, &one_, &value_adjoint_}) *m = backend.matrix(batch, 1);
  backend.fill_column(one_, 0, 1);
}

template <class T>
VelocityDraw<T> VelocityObjective<T>::batch_draw(MatrixView<const T> data, std::uint64_t seed,
                                                 const TrainState* state) const {
  VelocityDraw<T> draw;
  draw.state = state;
  draw.seed = seed;
  draw.data = data;
  draw.head = head_;
  draw.law = law_;
  draw.y = y_;
  draw.target = target_;
  draw.time = time_.data();
  return draw;
}

template <class T>
void VelocityObjective<T>::draw(MatrixView<const T> data, std::uint64_t seed, const TrainState* state) {
  backend_.draw_velocity(batch_draw(data, seed, state));
}

template <class T>
VelocityLoss<T> VelocityObjective<T>::velocity_loss(TrainState* state) const {
  VelocityLoss<T> loss;
  loss.head = head_;
  loss.output = velocity(output_);
  loss.y = y_;
  loss.target = target_;
  loss.time = time_.data();
  loss.row_weight = 1 / (static_cast<double>(y_.rows()) * static_cast<double>(head_.dim));
  loss.adjoint_scale = gradient_scale();
  loss.output_adjoint = velocity(output_adjoint_);
  if (head_.potential && slope_weight_ > 0) {
    loss.slope_weight = slope_weight_;
    loss.value = value_;
    loss.time_gradient = of_time(output_);
    loss.value_adjoint = value_adjoint_;
    loss.time_gradient_adjoint = of_time(output_adjoint_);
  }
  loss.row_losses = row_losses_.data();
  loss.state = state;
  return loss;
}

template <class T>
std::size_t VelocityObjective<T>::share() const {
  const std::size_t members = network_.members(), share = y_.rows() / members;
  if (share * members != y_.rows())
    throw Error("SHAPE", "the rows of a batch cannot be shared equally by the members of an ensemble");
  return share;
}

template <class T>
double VelocityObjective<T>::gradient_scale() const {
  return backend_.adjoint_scale(2 / static_cast<double>(y_.rows() * head_.dim));
}

template <class T>
void VelocityObjective<T>::evaluate(TrainState* state) {
  backend_.velocity_features(head_, y_, time_.data(), x_);
  if (head_.potential) {
    network_.forward(x_, value_, Pass::gradient);
    network_.adjoint(one_, output_, Pass::gradient);
  } else {
    network_.forward(x_, output_, Pass::value);
  }
  backend_.velocity_loss(velocity_loss(state));
}

// Of a potential by the four passes of its network (docs/mathematics.md, A.11).
template <class T>
void VelocityObjective<T>::differentiate(TrainState* state, T* gradient) {
  const std::size_t members = network_.members(), share = this->share();
  // every members-th row: times ascend with the rows, and every member needs them all
  const auto part = [&](MatrixView<T> m, std::size_t i) {
    return MatrixView<T>{m.row(i), share, m.columns, m.stride * members};
  };
  const auto passes = [&] {
    backend_.velocity_features(head_, y_, time_.data(), x_);
    for (std::size_t i = 0; i < members; ++i) {
      Network<T>& network = network_.member(i);
      if (!head_.potential) {
        network.forward(part(x_, i), part(output_, i), Pass::gradient);
        continue;
      }
      network.forward(part(x_, i), part(value_, i), Pass::training);
      network.adjoint(part(one_, i), part(output_, i), Pass::training);
    }
    backend_.velocity_loss(velocity_loss(state));
    for (std::size_t i = 0; i < members; ++i) {
      if (head_.potential) {
        network_.second_order(i).tangent(part(output_adjoint_, i), {});
        network_.second_order(i).parameter_gradient(part(value_adjoint_, i), gradient);
      } else {
        network_.member(i).backward(part(output_adjoint_, i), gradient);
      }
      gradient += network_.member(i).parameter_count();
    }
  };
  if (members == 1)
    backend_.together(passes);
  else  // rows of the members are other rows of the batch
    passes();
}

template <class T>
bool VelocityObjective<T>::draw_and_differentiate(std::span<const TrainedModel<T>> models) {
  VelocityStep<T> step;
  if (head_.potential || !network_.member(0).describe(step.network)) return false;
  // without gradients the losses are wanted of the mean of the members
  if (network_.members() > 1 && !models.empty() && !models[0].gradient) return false;
  share();
  step.members = network_.members();
  step.draw = batch_draw({}, 0, nullptr);
  step.loss = velocity_loss(nullptr);
  return backend_.velocity_step(step, models);
}

template class VelocityObjective<float>;
template class VelocityObjective<double>;

}  // namespace sklar
