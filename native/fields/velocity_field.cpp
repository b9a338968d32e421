#include "fields/velocity_field.hpp"

#include <algorithm>
#include <utility>

namespace sklar {
namespace {

ResidualMlpShape residual_shape(const VelocityDefinition& d) {
  return {velocity_inputs(d.head()),  d.hidden,     d.depth,
          velocity_outputs(d.head()), d.activation, d.potential ? "potential_head" : "velocity_head"};
}

MlpShape published_shape(const VelocityDefinition& d) {
  return {velocity_inputs(d.head()), d.hidden, d.depth, d.dim};
}

}  // namespace

std::vector<ParameterSlice> VelocityDefinition::slices() const {
  return mean_network_slices(
      published ? mlp_slices(published_shape(*this)) : residual_mlp_slices(residual_shape(*this)), members);
}

template <class T>
std::unique_ptr<MeanNetwork<T>> make_velocity_network(Backend<T>& backend,
                                                      const VelocityDefinition& definition) {
  std::vector<std::unique_ptr<Network<T>>> members(definition.members);
  for (auto& member : members) {
    if (definition.published)
      member = make_mlp<T>(backend, published_shape(definition));
    else
      member = make_residual_mlp<T>(backend, residual_shape(definition));
  }
  return std::make_unique<MeanNetwork<T>>(backend, std::move(members));
}

template <class T>
VelocityField<T>::VelocityField(Backend<T>& backend, const VelocityDefinition& definition,
                                const std::vector<T>& parameters)
    : backend_(backend),
      definition_(definition),
      network_(make_velocity_network<T>(backend, definition)),
      sampler_(backend) {
  if (parameters.size() != network_->parameter_count())
    throw Error("SHAPE", "expected " + std::to_string(network_->parameter_count()) + " parameters, got " +
                             std::to_string(parameters.size()));
  parameters_ = backend.template buffer<T>(parameters.size());
  backend.upload(parameters_.data(), parameters.data(), parameters.size() * sizeof(T));
  network_->set_parameters(parameters_.data());
}

template <class T>
std::size_t VelocityField<T>::batch_rows() const {
  const std::size_t width = definition_.hidden + velocity_inputs(definition_.head()) + definition_.dim;
  return backend_.rows_at_once(sizeof(T) * definition_.members * (7 * definition_.depth + 2) * width);
}

template <class T>
VelocityForm VelocityField<T>::form_of(Form form) const {
  expect_form(definition_.process, form);
  return {definition_.head(), form};
}

template <class T>
void VelocityField<T>::run(MatrixView<const T> y, const double* time, Pass pass) {
  const std::size_t rows = y.rows;
  if (x_.rows() < rows) {
    x_ = backend_.matrix(rows, velocity_inputs(definition_.head()) + 1);
    output_ = backend_.matrix(rows, definition_.potential ? velocity_inputs(definition_.head()) : dim());
    if (definition_.potential) {
      value_ = backend_.matrix(rows, 1);
      one_ = backend_.matrix(rows, 1);
      backend_.fill_column(one_, 0, 1);
    }
  }
  backend_.velocity_features(definition_.head(), y, time, x_.first(rows));
  if (!definition_.potential) {
    network_->forward(x_.first(rows), output_.first(rows), pass);
    return;
  }
  pass = pass == Pass::value ? Pass::gradient : Pass::training;
  network_->forward(x_.first(rows), value_.first(rows), pass);
  network_->adjoint(one_.first(rows), output_.first(rows), pass);
}

// The network's output times velocity_scale and velocity_face (docs/mathematics.md, B.2 and C).
template <class T>
void VelocityField<T>::evaluate(MatrixView<const T> y, const double* time, Form form, MatrixView<T> out) {
  const VelocityForm f = form_of(form);
  run(y, time, Pass::value);
  backend_.velocity_output(f, y, time, output(y.rows), out);
}

template <class T>
bool VelocityField<T>::describe(FusedField<T>& field) {
  if (definition_.potential) return false;
  field.head = FusedField<T>::Head::velocity;
  field.velocity = definition_.head();
  return network_->describe(field);
}

// x_adjoint_ = the transposed Jacobian of the network's part of the field times the direction, after `run`
template <class T>
void VelocityField<T>::adjoint(MatrixView<const T> y, MatrixView<const T> direction) {
  const std::size_t inputs = velocity_inputs(definition_.head());
  if (cotangent_.rows() < y.rows) {
    cotangent_ = backend_.matrix(y.rows, definition_.potential ? inputs + 1 : dim());
    x_adjoint_ = backend_.matrix(y.rows, inputs);
  }
  if (definition_.potential) {  // the Jacobian is symmetric; features of the time stand still
    backend_.copy_rows(cotangent_, nullptr, {direction.data, y.rows, dim(), direction.stride}, nullptr,
                       y.rows);
    network_->hessian_product(cotangent_.first(y.rows), x_adjoint_.first(y.rows));
    return;
  }
  backend_.velocity_cotangent(definition_.head(), y, direction, cotangent_.first(y.rows));
  network_->adjoint(cotangent_.first(y.rows), x_adjoint_.first(y.rows), Pass::gradient);
}

template <class T>
void VelocityField<T>::pull_back(MatrixView<const T> y, const double* time, Form form, MatrixView<const T> r,
                                 MatrixView<T> product) {
  const VelocityForm f = form_of(form);
  run(y, time, Pass::gradient);
  adjoint(y, r);
  backend_.velocity_product(f, y, time, output(y.rows), x_adjoint_.first(y.rows), r, product);
}

// docs/mathematics.md, A.11
template <class T>
void VelocityField<T>::potential(MatrixView<const T> y, double time, double* values, MatrixView<T> gradient) {
  if (!definition_.potential) return Field<T>::potential(y, time, values, gradient);
  const VelocityForm f = form_of(Form::gradient);
  const double scale = f.scale(time);
  if (scale == 0) {  // the reference
    if (values) std::fill_n(values, y.rows, 0.0);
    Combine<T> nothing;
    nothing.to = gradient;
    if (gradient.data) backend_.combine(nothing);
    return;
  }
  if (time_.size() < y.rows) time_ = backend_.template buffer<double>(y.rows);
  backend_.fill(time_.data(), y.rows, time);
  run(y, time_.data(), Pass::value);
  if (gradient.data) backend_.velocity_output(f, y, time_.data(), output(y.rows), gradient);
  if (!values) return;
  std::vector<T> host(y.rows);
  backend_.download_matrix(host.data(), value_.first(y.rows));
  for (std::size_t i = 0; i < y.rows; ++i) values[i] = scale * static_cast<double>(host[i]);
}

// docs/mathematics.md, D.2
template <class T>
void VelocityField<T>::divergence(MatrixView<const T> y, const double* time, Form form,
                                  const TraceEstimator& trace, MatrixView<T> out, double* divergence) {
  if (definition_.published)
    throw Error(
        "VALUE",
        "the published reflection network does not vanish on the faces of the cube: its flow has no density");
  const VelocityForm f = form_of(form);
  const std::size_t rows = y.rows, d = dim();
  run(y, time, Pass::gradient);
  const auto output = this->output(rows);
  backend_.velocity_output(f, y, time, output, out);
  backend_.clear(divergence, rows * trace.columns() * sizeof(double));
  if (trace.kind == TraceEstimator::Kind::exact) {
    if (direction_.rows() < rows) direction_ = backend_.matrix(rows, d);
    for (std::size_t j = 0; j < d; ++j) {
      next_unit_vectors(backend_, direction_, rows, j);
      adjoint(y, direction_.first(rows));
      backend_.velocity_diagonal(f, y, time, output, x_adjoint_.first(rows), j, divergence);
    }
    return;
  }
  sampler_.add(
      trace, rows, d,
      [&](MatrixView<const T> direction, MatrixView<T> product) {
        adjoint(y, direction);
        backend_.velocity_product(f, y, time, output, x_adjoint_.first(rows), direction, product);
      },
      divergence);
}

template class VelocityField<float>;
template class VelocityField<double>;
template std::unique_ptr<MeanNetwork<float>> make_velocity_network(Backend<float>&,
                                                                   const VelocityDefinition&);
template std::unique_ptr<MeanNetwork<double>> make_velocity_network(Backend<double>&,
                                                                    const VelocityDefinition&);

}  // namespace sklar
