// Closed forms as paths of levels, in double on the CPU.
#pragma once

#include <memory>
#include <vector>

#include "closed_form.hpp"
#include "monte_carlo/level_path.hpp"

namespace paths {

// w of K levels, uniform from 1 to 0
inline std::vector<double> grid(std::size_t levels) {
  std::vector<double> w(levels);
  for (std::size_t k = 0; k < levels; ++k)
    w[k] = 1 - static_cast<double>(k) / static_cast<double>(levels - 1);
  return w;
}

inline std::vector<double> times(const std::vector<double>& w) {
  std::vector<double> t;
  for (double x : w) t.push_back(x == 1 ? 0 : -0.5 * std::log(x));
  return t;
}

// A copula of closed_form.hpp, and on top of it size * w * cos(direction . y): then Z is not one.
class ClosedForm final : public sklar::LevelPath<double> {
 public:
  ClosedForm(const closed_form::Copula& copula, const std::vector<double>& w, double size = 0,
             std::vector<double> direction = {})
      : dim_(copula.dim()), w_(w), size_(size), direction_(std::move(direction)) {
    for (double x : w_) field_.push_back(copula.at(x));
  }

  std::size_t dim() const override { return dim_; }
  std::size_t last() const override { return w_.size() - 1; }
  void evaluate(sklar::MatrixView<const double> y, std::size_t level, double share, double* above,
                double* below, sklar::MatrixView<double> gradient) override {
    std::vector<double> g(dim_);
    for (std::size_t i = 0; i < y.rows; ++i) {
      const double* row = y.row(i);
      double phase = 0;
      for (std::size_t j = 0; j < direction_.size(); ++j) phase += direction_[j] * row[j];
      if (above) above[i] = field_[level + 1]->value(row) + size_ * w_[level + 1] * std::cos(phase);
      if (below) below[i] = field_[level]->value(row) + size_ * w_[level] * std::cos(phase);
      if (!gradient.data) continue;
      double* out = gradient.row(i);
      const double w = (1 - share) * w_[level + 1] + share * w_[level];
      for (std::size_t j = 0; j < dim_; ++j)
        out[j] = direction_.empty() ? 0 : -size_ * w * std::sin(phase) * direction_[j];
      for (const bool lower : {false, true}) {
        const double part = lower ? share : 1 - share;
        if (part == 0) continue;
        field_[level + (lower ? 0 : 1)]->gradient(row, g.data());
        for (std::size_t j = 0; j < dim_; ++j) out[j] += part * g[j];
      }
    }
  }
  // by central differences of the gradient
  void pull_back(sklar::MatrixView<const double> y, std::size_t level, sklar::MatrixView<const double> r,
                 sklar::MatrixView<double> product) override {
    const double h = 1e-5;
    std::vector<double> moved(2 * y.rows * dim_), g(2 * y.rows * dim_);
    for (std::size_t i = 0; i < 2 * y.rows; ++i)
      for (std::size_t j = 0; j < dim_; ++j)
        moved[i * dim_ + j] = y.row(i / 2)[j] + (i % 2 ? -h : h) * r.row(i / 2)[j];
    evaluate({moved.data(), 2 * y.rows, dim_, dim_}, level, 1, nullptr, nullptr,
             {g.data(), 2 * y.rows, dim_, dim_});
    for (std::size_t i = 0; i < y.rows; ++i)
      for (std::size_t j = 0; j < dim_; ++j)
        product.row(i)[j] = (g[2 * i * dim_ + j] - g[(2 * i + 1) * dim_ + j]) / (2 * h);
  }

 private:
  std::size_t dim_;
  std::vector<double> w_;
  double size_;
  std::vector<double> direction_;
  std::vector<std::unique_ptr<closed_form::Field>> field_;
};

// E[exp(size cos(x))], x ~ N(0, variance): the Z of the above for a Gaussian copula, by quadrature.
inline double exact_log_z(double size, double variance) {
  double sum = 0, weights = 0;
  for (int i = -4000; i <= 4000; ++i) {
    const double x = 0.0025 * i, w = std::exp(-0.5 * x * x);
    sum += w * std::exp(size * std::cos(std::sqrt(variance) * x));
    weights += w;
  }
  return std::log(sum / weights);
}

// The Gaussian copula again, by matrix products: for many columns.
class Gaussian final : public sklar::LevelPath<double> {
 public:
  Gaussian(sklar::Backend<double>& backend, const closed_form::Square& r, const std::vector<double>& w)
      : backend_(backend), dim_(r.dim) {
    const closed_form::Gaussian copula(r);
    for (double x : w) {
      const closed_form::Square at = copula.covariance_at(x);
      half_.push_back(0.5 * closed_form::log_determinant(at));
      closed_form::Square slope =
          closed_form::combine(1, closed_form::identity(dim_), -1, closed_form::inverse(at));
      slope_.emplace_back();
      backend.pack(slope_.back(), slope.data.data(), dim_, dim_, dim_, sklar::Orientation::as_is);
    }
  }

  std::size_t dim() const override { return dim_; }
  std::size_t last() const override { return slope_.size() - 1; }
  void evaluate(sklar::MatrixView<const double> y, std::size_t level, double share, double* above,
                double* below, sklar::MatrixView<double> gradient) override {
    sklar::Matrix<double> g[2] = {backend_.matrix(y.rows, dim_), backend_.matrix(y.rows, dim_)};
    for (const std::size_t k : {0, 1}) {
      sklar::EpilogueOperands<double> store;
      store.out[0] = g[k];
      backend_.linear({y.data, y.rows, dim_, y.stride}, slope_[level + 1 - k], store);
      for (std::size_t i = 0; i < y.rows; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < dim_; ++j) sum += y.row(i)[j] * g[k].view().row(i)[j];
        if (double* value = k ? below : above) value[i] = 0.5 * sum - half_[level + 1 - k];
      }
    }
    if (!gradient.data) return;
    for (std::size_t i = 0; i < y.rows; ++i)
      for (std::size_t j = 0; j < dim_; ++j)
        gradient.row(i)[j] = (1 - share) * g[0].view().row(i)[j] + share * g[1].view().row(i)[j];
  }
  void pull_back(sklar::MatrixView<const double> y, std::size_t level, sklar::MatrixView<const double> r,
                 sklar::MatrixView<double> product) override {
    sklar::EpilogueOperands<double> store;
    store.out[0] = product;
    backend_.linear({r.data, y.rows, dim_, r.stride}, slope_[level], store);
  }

 private:
  sklar::Backend<double>& backend_;
  std::size_t dim_;
  std::vector<double> half_;
  std::vector<sklar::PackedMatrix<double>> slope_;
};

}  // namespace paths
