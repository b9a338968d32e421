#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "closed_form/closed_form.hpp"
#include "core/error.hpp"
#include "core/linear/dot.hpp"
#include "core/linear/symmetric.hpp"
#include "core/normal.h"
#include "core/random/philox.h"

namespace sklar {
namespace {

struct Component {
  double weight;
  SymmetricEigen eigen;
  std::vector<double> rows;  // the eigenvectors once more, as rows
};

// docs/mathematics.md, H. With R = Q diag(lambda) Q^T the covariance at time w is Q diag(1 + w (lambda - 1))
// Q^T, so nothing is inverted.
class MixtureRow final : public ClosedFormRow {
 public:
  MixtureRow(const std::vector<Component>& components, std::size_t dim)
      : components_(components),
        dim_(dim),
        share_(components.size()),
        coordinate_(dim),
        part_(dim),
        pulled_(components.size() * dim),
        mean_(dim) {}

  void set(double time, const double* z) override {
    const double alpha = OuProcess::alpha(time);
    w_ = alpha * alpha;
    double top = -HUGE_VAL;
    for (std::size_t m = 0; m < components_.size(); ++m) {
      const auto& [weight, eigen, rows] = components_[m];
      double* a = &pulled_[m * dim_];
      double log_determinant = 0, quadratic = 0;
      multiply(rows, z, coordinate_.data());
      for (std::size_t i = 0; i < dim_; ++i) {
        const double excess = eigen.values[i] - 1, factor = excess / (1 + w_ * excess);
        log_determinant += std::log1p(w_ * excess);
        quadratic += factor * coordinate_[i] * coordinate_[i];
        coordinate_[i] *= 0.5 * factor;
      }
      multiply(eigen.vectors, coordinate_.data(), a);
      share_[m] = std::log(weight) - 0.5 * log_determinant + 0.5 * w_ * quadratic;
      top = std::max(top, share_[m]);
    }
    double sum = 0;
    for (double& s : share_) sum += s = std::exp(s - top);
    for (double& s : share_) s /= sum;
    value_ = top + std::log(sum);
    std::fill(mean_.begin(), mean_.end(), 0.0);
    for (std::size_t m = 0; m < components_.size(); ++m)
      for (std::size_t i = 0; i < dim_; ++i) mean_[i] += share_[m] * pulled_[m * dim_ + i];
  }

  double value() const override { return value_; }
  void slope(double* out) const override { std::copy(mean_.begin(), mean_.end(), out); }

  double trace() const override {
    double sum = 0;
    for (std::size_t m = 0; m < components_.size(); ++m) {
      double linear = 0, spread = 0;
      for (double lambda : components_[m].eigen.values) linear += (lambda - 1) / (1 + w_ * (lambda - 1));
      for (std::size_t i = 0; i < dim_; ++i) {
        const double away = pulled_[m * dim_ + i] - mean_[i];
        spread += away * away;
      }
      sum += share_[m] * (0.5 * linear + 2 * w_ * spread);
    }
    return sum;
  }

  // J = sum_m share_m (A_m / 2 + 2 w (a_m - r)(a_m - r)^T), a_m = A_m z / 2, r their mean
  void jacobian_times(const double* v, double* out) const override {
    std::fill(out, out + dim_, 0.0);
    for (std::size_t m = 0; m < components_.size(); ++m) {
      const auto& [weight, eigen, rows] = components_[m];
      const double* a = &pulled_[m * dim_];
      multiply(rows, v, coordinate_.data());
      for (std::size_t i = 0; i < dim_; ++i) {
        const double excess = eigen.values[i] - 1;
        coordinate_[i] *= 0.5 * excess / (1 + w_ * excess);
      }
      multiply(eigen.vectors, coordinate_.data(), part_.data());
      double along = 0;
      for (std::size_t i = 0; i < dim_; ++i) along += (a[i] - mean_[i]) * v[i];
      for (std::size_t i = 0; i < dim_; ++i)
        out[i] += share_[m] * (part_[i] + 2 * w_ * along * (a[i] - mean_[i]));
    }
  }

 private:
  void multiply(const std::vector<double>& matrix, const double* x, double* out) const {
    for (std::size_t k = 0; k < dim_; ++k) out[k] = dot(&matrix[k * dim_], x, dim_);
  }

  const std::vector<Component>& components_;
  std::size_t dim_;
  double w_ = 0, value_ = 0;
  std::vector<double> share_;               // responsibilities
  mutable std::vector<double> coordinate_;  // scratch, along eigenvectors
  mutable std::vector<double> part_;        // scratch, of one component
  std::vector<double> pulled_, mean_;       // a_m of each component, and r
};

class MixtureCopula final : public ClosedForm {
 public:
  MixtureCopula(const std::vector<double>& weights, const std::vector<std::vector<double>>& correlations,
                std::size_t dim)
      : dim_(dim), weights_(weights), correlations_(correlations) {
    if (weights.empty() || weights.size() != correlations.size())
      throw Error("SHAPE", "a mixture needs one weight for each correlation matrix");
    for (const auto& correlation : correlations) {
      if (correlation.size() != dim * dim) throw Error("SHAPE", "correlation matrix of another dimension");
      roots_.push_back(cholesky(correlation, dim));
    }
  }

  std::size_t dim() const override { return dim_; }
  bool has(Process process) const override { return process == Process::ou; }
  std::unique_ptr<ClosedFormRow> make_row(Process) const override {
    return std::make_unique<MixtureRow>(components(), dim_);
  }

  // The normals are those of the Gaussian copula's sampler; a further number chooses the component.
  void draw(std::uint64_t seed, std::uint64_t row, double* z) const override {
    const PhiloxKey key = philox_key(seed);
    const PhiloxBlock choice = philox(philox_counter(row, 0, 0, kTagClosedForm), key);
    double u = static_cast<double>(philox_uniform(choice.x));
    std::size_t m = 0;
    while (m + 1 < weights_.size() && u >= weights_[m]) u -= weights_[m++];
    std::vector<double> noise(dim_ + 3);
    for (std::size_t j = 0; j < dim_; j += 4) {
      const Normals4 n = philox_normals(
          philox(philox_counter(row, static_cast<std::uint32_t>(j / 4), 0, kTagSampleStart), key));
      noise[j] = static_cast<double>(n.x);
      noise[j + 1] = static_cast<double>(n.y);
      noise[j + 2] = static_cast<double>(n.z);
      noise[j + 3] = static_cast<double>(n.w);
    }
    const std::vector<double>& l = roots_[m];
    for (std::size_t i = 0; i < dim_; ++i) {
      z[i] = 0;
      for (std::size_t j = 0; j <= i; ++j) z[i] += l[i * dim_ + j] * noise[j];
    }
  }

  double log_density(const double* x, bool from_gaussian) const override {
    MixtureRow row(components(), dim_);
    std::vector<double> z(x, x + dim_);
    if (!from_gaussian)
      for (double& value : z) value = normal_quantile(value);
    row.set(0, z.data());
    return row.value();
  }

 private:
  // Eigenvectors take long in many dimensions: they are found when first needed, on the thread of the job.
  const std::vector<Component>& components() const {
    std::call_once(once_, [&] {
      for (std::size_t m = 0; m < weights_.size(); ++m) {
        SymmetricEigen eigen = symmetric_eigen(correlations_[m], dim_);
        std::vector<double> rows(dim_ * dim_);
        for (std::size_t i = 0; i < dim_; ++i)
          for (std::size_t k = 0; k < dim_; ++k) rows[i * dim_ + k] = eigen.vectors[k * dim_ + i];
        components_.push_back({weights_[m], std::move(eigen), std::move(rows)});
      }
    });
    return components_;
  }

  std::size_t dim_;
  std::vector<double> weights_;
  std::vector<std::vector<double>> correlations_, roots_;  // R = L L^T
  mutable std::once_flag once_;
  mutable std::vector<Component> components_;
};

}  // namespace

std::shared_ptr<const ClosedForm> make_mixture(const std::vector<double>& weights,
                                               const std::vector<std::vector<double>>& correlations,
                                               std::size_t dim) {
  return std::make_shared<MixtureCopula>(weights, correlations, dim);
}

}  // namespace sklar
