#include "model/cdc.hpp"

#include <algorithm>
#include <cmath>

#include "core/check_rows.hpp"
#include "core/linear/symmetric.hpp"
#include "core/linear/triangular.h"
#include "core/random/philox.h"
#include "model/field_rows.hpp"

namespace sklar {
namespace {

// L^-1 b, column by column of the dim x dim matrix b
void solve_columns(const std::vector<double>& l, std::size_t dim, std::vector<double>& b) {
  for (std::size_t c = 0; c < dim; ++c) solve_lower(l.data(), dim, &b[c], dim);
}

std::vector<double> transposed(const std::vector<double>& a, std::size_t dim) {
  std::vector<double> t(a.size());
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j < dim; ++j) t[j * dim + i] = a[i * dim + j];
  return t;
}

// dz/dw = slope y at pure noise: (L^-1 R L^-T - I) / 2
std::vector<double> reference_slope(const CdcDefinition& definition) {
  const std::size_t d = definition.network.inputs;
  std::vector<double> a = definition.correlation;
  if (a.empty()) return a;
  if (!definition.cholesky.empty()) {
    solve_columns(definition.cholesky, d, a);
    a = transposed(a, d);
    solve_columns(definition.cholesky, d, a);
  }
  std::vector<double> slope(d * d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      slope[i * d + j] = 0.5 * (0.5 * (a[i * d + j] + a[j * d + i]) - (i == j ? 1 : 0));
  return slope;
}

const CdcDefinition& checked(const CdcDefinition& definition) {
  const std::size_t d = definition.network.inputs;
  if (definition.network.outputs != definition.times.size())
    throw Error("SHAPE", "the network has " + std::to_string(definition.network.outputs) + " outputs for " +
                             std::to_string(definition.times.size()) + " noise levels");
  for (const auto* m : {&definition.cholesky, &definition.correlation})
    if (!m->empty() && m->size() != d * d)
      throw Error("SHAPE", "guide matrix of another dimension than the network");
  return definition;
}

}  // namespace

template <class T>
Cdc<T>::Cdc(Backend<T>& backend, const CdcDefinition& definition, const std::vector<T>& parameters)
    : backend_(backend),
      definition_(checked(definition)),
      levels_(definition.times),
      network_(make_residual_mlp<T>(backend, definition.network)),
      field_(backend, *network_, levels_, reference_slope(definition_), batch_rows(Pass::gradient)) {
  const std::size_t d = dim();
  if (parameters.size() != network_->parameter_count())
    throw Error("SHAPE", "expected " + std::to_string(network_->parameter_count()) + " parameters, got " +
                             std::to_string(parameters.size()));
  parameters_ = backend.template buffer<T>(parameters.size());
  backend.upload(parameters_.data(), parameters.data(), parameters.size() * sizeof(T));
  network_->set_parameters(parameters_.data());
  if (!definition_.cholesky.empty())
    half_log_determinant_ = half_log_determinant(definition_.cholesky.data(), d);
}

template <class T>
std::size_t Cdc<T>::batch_rows(Pass pass) const {
  const auto& n = definition_.network;
  const std::size_t arrays = pass == Pass::value ? 4 : 7 * n.depth + 2;
  return backend_.rows_at_once(sizeof(T) * arrays * (n.hidden + n.inputs + n.outputs));
}

template <class T>
void Cdc<T>::log_pdf(const double* u, bool from_gaussian, std::size_t rows, std::size_t level, double* out,
                     const CancelFlag& cancel, const Fraction& progress) {
  check_rows(u, from_gaussian, rows, dim());
  if (level > levels_.last()) throw Error("VALUE", "the model has no level " + std::to_string(level));
  const std::size_t d = dim(), batch = std::min(batch_rows(Pass::value), rows);
  if (rows == 0) return;
  Matrix<T> y = backend_.matrix(batch, d + 1), logits = backend_.matrix(batch, levels_.count());
  std::vector<double> ratio(batch), quadratic(batch);
  const double* guide = definition_.cholesky.empty() ? nullptr : definition_.cholesky.data();
  in_batches(rows, batch, cancel, progress, [&](std::size_t first, std::size_t count) {
    backend_.whiten(y.first(count), u + first * d, from_gaussian, guide, quadratic.data());
    network_->forward(y.first(count), logits.first(count), Pass::value);
    backend_.log_ratio(ratio.data(), logits.first(count), level);
    for (std::size_t i = 0; i < count; ++i)
      out[first + i] = ratio[i] + (guide ? quadratic[i] - half_log_determinant_ : 0.0);
  });
}

template <class T>
void Cdc<T>::reserve(std::size_t rows) {
  if (logits_.rows() >= rows) return;
  logits_ = backend_.matrix(rows, levels_.count());
  cotangent_ = backend_.matrix(rows, levels_.count());
  level_ = backend_.template buffer<std::int32_t>(rows);
}

template <class T>
void Cdc<T>::gradient(MatrixView<const T> y, std::size_t level, MatrixView<T> g, Pass pass) {
  reserve(y.rows);
  const std::vector<std::int32_t> host(y.rows, static_cast<std::int32_t>(level));
  backend_.upload(level_.data(), host.data(), host.size() * sizeof(std::int32_t));
  network_->forward(y, logits_.first(y.rows), pass);
  backend_.level_cotangent(cotangent_.first(y.rows), level_.data());
  network_->adjoint(cotangent_.first(y.rows), g, pass);
}

template <class T>
void Cdc<T>::hessian_product(MatrixView<const T> y, std::size_t level, MatrixView<const T> r,
                             MatrixView<T> product) {
  if (level > levels_.last()) throw Error("VALUE", "the model has no level " + std::to_string(level));
  gradient(y, level, product, Pass::training);
  network_->hessian_product(r, product);
}

// docs/mathematics.md, D.4
template <class T>
void Cdc<T>::bridge(MatrixView<const T> y, std::size_t level, double share, double* above, double* below,
                    MatrixView<T> gradient) {
  const std::size_t k = levels_.count();
  if (level >= levels_.last()) throw Error("VALUE", "the model has no level above " + std::to_string(level));
  reserve(y.rows);
  network_->forward(y, logits_.first(y.rows), gradient.data ? Pass::gradient : Pass::value);
  if (above) backend_.log_ratio(above, logits_.first(y.rows), level + 1);
  if (below) backend_.log_ratio(below, logits_.first(y.rows), level);
  if (!gradient.data) return;
  std::vector<T> cotangent(y.rows * k, T(0));
  for (std::size_t i = 0; i < y.rows; ++i) {
    T* row = &cotangent[i * k];
    row[level] = static_cast<T>(share);
    row[level + 1] += static_cast<T>(1 - share);
    row[k - 1] -= 1;
  }
  backend_.upload_matrix(cotangent_.first(y.rows), cotangent.data());
  network_->adjoint(cotangent_.first(y.rows), gradient, Pass::gradient);
}

// docs/mathematics.md, A.5
template <class T>
void Cdc<T>::field(const double* z, std::size_t rows, std::size_t level, double* out,
                   const CancelFlag& cancel) {
  check_rows(z, true, rows, dim());
  if (level > levels_.last()) throw Error("VALUE", "the model has no level " + std::to_string(level));
  const std::size_t d = dim(), batch = std::min(batch_rows(Pass::gradient), rows);
  if (rows == 0) return;
  Matrix<T> y = backend_.matrix(batch, d + 1), g = backend_.matrix(batch, d);
  std::vector<T> host_y(batch * (d + 1)), host_g(batch * d);
  const auto& l = definition_.cholesky;
  std::vector<double> b(d);
  in_batches(rows, batch, cancel, {}, [&](std::size_t first, std::size_t count) {
    backend_.whiten(y.first(count), z + first * d, true, l.empty() ? nullptr : l.data(), nullptr);
    gradient(y.first(count), level, g.first(count));
    backend_.download_matrix(host_g.data(), g.first(count));
    backend_.download_matrix(host_y.data(), y.first(count));
    for (std::size_t i = 0; i < count; ++i) {
      double* to = out + (first + i) * d;
      if (l.empty()) {
        for (std::size_t j = 0; j < d; ++j) to[j] = static_cast<double>(host_g[i * d + j]);
        continue;
      }
      // grad_z [F(L^-1 z) + log N(z; 0, Sigma) - log N(z; 0, I)] = L^-T (grad_y F - y) + z
      for (std::size_t j = 0; j < d; ++j)
        b[j] = static_cast<double>(host_g[i * d + j]) - static_cast<double>(host_y[i * (d + 1) + j]);
      solve_lower_transposed(l.data(), d, b.data());
      for (std::size_t j = 0; j < d; ++j) to[j] = b[j] + z[(first + i) * d + j];
    }
  });
}

template <class T>
void Cdc<T>::logits(const double* z, std::size_t rows, double* out, const CancelFlag& cancel) {
  check_rows(z, true, rows, dim());
  const std::size_t d = dim(), k = levels_.count(), batch = std::min(batch_rows(Pass::value), rows);
  if (rows == 0) return;
  Matrix<T> y = backend_.matrix(batch, d + 1), logits = backend_.matrix(batch, k);
  std::vector<T> host(batch * k);
  in_batches(rows, batch, cancel, {}, [&](std::size_t first, std::size_t count) {
    backend_.whiten(y.first(count), z + first * d, true,
                    definition_.cholesky.empty() ? nullptr : definition_.cholesky.data(), nullptr);
    network_->forward(y.first(count), logits.first(count), Pass::value);
    backend_.download_matrix(host.data(), logits.first(count));
    std::copy(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(count * k), out + first * k);
  });
}

template <class T>
void Cdc<T>::sample_as_published(const PublishedOptions& options, std::size_t rows, double* out,
                                 const CancelFlag& cancel, const Fraction& progress) {
  const std::size_t d = dim(), batch = std::min(batch_rows(Pass::gradient), std::max<std::size_t>(rows, 1));
  const std::vector<std::size_t> nodes = node_levels(levels_, options.steps);
  const double* guide = definition_.cholesky.empty() ? nullptr : definition_.cholesky.data();
  if (options.start) check_rows(options.start, true, rows, d);

  PublishedSampler<T> sampler;
  sampler.evaluate = [&](MatrixView<const T> y, std::size_t level, MatrixView<T> g) {
    gradient(y, level, g);
  };
  std::vector<double> host(batch * d);
  sampler.clamp = [&](MatrixView<T> y, double bound) -> std::uint64_t {
    backend_.colour(host.data(), y, true, guide, nullptr);
    std::uint64_t acted = 0;
    for (std::size_t i = 0; i < y.rows * d; ++i)
      if (std::abs(host[i]) > bound) {
        host[i] = std::copysign(bound, host[i]);
        ++acted;
      }
    if (acted) backend_.whiten(y, host.data(), true, guide, nullptr);
    return acted;
  };

  const Matrix<T> y = backend_.matrix(batch, d + 1);
  in_batches(rows, batch, cancel, progress, [&](std::size_t first, std::size_t count) {
    if (options.start) {
      backend_.whiten(y.first(count), options.start + first * d, true, guide, nullptr);
    } else {
      backend_.fill_column(y.first(count), d, 1);
      backend_.normals({y.data(), count, d, y.stride()}, options.seed, options.first_row + first, 0,
                       kTagSampleStart);
    }
    try {
      sklar::sample_as_published(backend_, sampler, levels_, nodes, options.noisy, options.seed,
                                 options.first_row + first, y.first(count), cancel);
    } catch (Diverged& error) {
      add_states<T>(error, backend_, Process::ou, y.first(count), options.first_row + first,
                    {guide, nullptr, true, options.to_gaussian});
      throw;
    }
    backend_.colour(out + first * d, y.first(count), options.to_gaussian, guide, nullptr);
  });
}

template <class T>
std::shared_ptr<Field<T>> make_cdc_field(Backend<T>& backend, const CdcDefinition& definition,
                                         const std::vector<T>& parameters) {
  const auto model = std::make_shared<Cdc<T>>(backend, definition, parameters);
  return {model, &model->continuous_field()};
}

template std::shared_ptr<Field<float>> make_cdc_field(Backend<float>&, const CdcDefinition&,
                                                      const std::vector<float>&);
template std::shared_ptr<Field<double>> make_cdc_field(Backend<double>&, const CdcDefinition&,
                                                       const std::vector<double>&);
template class Cdc<float>;
template class Cdc<double>;

}  // namespace sklar
