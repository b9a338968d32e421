#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "classical/cells/frailty.hpp"
#include "classical/order_statistics.hpp"
#include "classical/rows.hpp"
#include "core/error.hpp"

// C(u) = mean over the training rows of the product over j of P(U_(r_j) <= u_j), r the ranks of the row
// (docs/mathematics.md, M.3). Each
// margin is the mean of all order statistics of n uniform draws, and so uniform. What is conditional on some
// variables is the same mixture, its rows weighted by their densities there.
namespace sklar {
namespace {

class EmpiricalBeta {
 public:
  EmpiricalBeta(const std::vector<double>& ranks, std::size_t dim)
      : n_(ranks.size() / dim), rank_(ranks.size()), log_front_(n_) {
    if (n_ == 0 || ranks.size() % dim != 0)
      throw Error("SHAPE", "expected rows x dim ranks, got " + std::to_string(ranks.size()));
    const double n = static_cast<double>(n_);
    for (std::size_t j = 0; j < dim; ++j) {
      std::vector<bool> taken(n_);
      for (std::size_t i = 0; i < n_; ++i) {
        const double rank = ranks[i * dim + j];
        if (!(rank >= 1 && rank <= n) || rank != std::floor(rank) ||
            taken[static_cast<std::size_t>(rank) - 1])
          throw Error("VALUE", "expected the ranks 1 to " + std::to_string(n_) + " once each, got " +
                                   std::to_string(rank) + " (row " + std::to_string(i + 1) + ", column " +
                                   std::to_string(j + 1) + ")");
        const std::size_t r = static_cast<std::size_t>(rank) - 1;
        taken[r] = true;
        rank_[j * n_ + i] = static_cast<std::uint32_t>(r);
      }
    }
    for (std::size_t r = 0; r < n_; ++r)  // n times n - 1 choose r
      log_front_[r] = std::lgamma(n + 1) - std::lgamma(static_cast<double>(r + 1)) -
                      std::lgamma(n - static_cast<double>(r));
  }

  std::size_t rows() const { return n_; }
  double rank(std::size_t i, std::size_t j) const { return rank_[j * n_ + i] + 1.0; }

  // log_weight[i] += log density of U_(r_ij) at u; scratch: n. At a side the limit from inside: a row's
  // weight there is 0 in any ratio to one of lower rank.
  void weigh(std::size_t j, Unit u, double* log_weight, double* scratch) const {
    const double log_p = u.at_side() && u.p == 0 ? least_log : u.log_p(),
                 log_q = u.at_side() && u.q == 0 ? least_log : u.log_q();
    for (std::size_t r = 0; r < n_; ++r)
      scratch[r] = log_front_[r] + static_cast<double>(r) * log_p + static_cast<double>(n_ - 1 - r) * log_q;
    const std::uint32_t* rank = &rank_[j * n_];
    for (std::size_t i = 0; i < n_; ++i) log_weight[i] += scratch[rank[i]];
  }

  // Of column j, the rows weighted; scratch: n
  OrderStatisticMixture mixture(std::size_t j, const double* log_weight, std::vector<double>& scratch) const {
    const double top = greatest(log_weight);
    const std::uint32_t* rank = &rank_[j * n_];
    for (std::size_t i = 0; i < n_; ++i) scratch[rank[i]] = std::exp(log_weight[i] - top);
    return OrderStatisticMixture(scratch);
  }

  // log of the mean of the weights
  double log_mean(const double* log_weight) const {
    const double top = greatest(log_weight);
    double sum = 0;
    for (std::size_t i = 0; i < n_; ++i)
      if (log_weight[i] > top - 50) sum += std::exp(log_weight[i] - top);  // the others are below rounding
    return top + std::log(sum / static_cast<double>(n_));
  }

  double greatest(const double* log_weight) const {
    double top = -infinity;
    for (std::size_t i = 0; i < n_; ++i) top = log_weight[i] > top ? log_weight[i] : top;
    return top;
  }

  // out[r] = P(U_(r + 1) <= u)
  void cdfs(Unit u, Binomial& draws, std::vector<double>& out) const {
    if (u.p == 0 || u.q == 0) {
      out.assign(n_, u.p);
      return;
    }
    draws.at(u);
    double sum = 0;
    for (std::size_t r = n_; r-- > 0;) {
      if (r + 1 >= draws.first() && r + 1 < draws.end()) sum += draws[r + 1];
      out[r] = sum;
    }
  }

  const std::uint32_t* ranks(std::size_t j) const { return &rank_[j * n_]; }

 private:
  static constexpr double least_log = -745;  // of the least double

  std::size_t n_;
  std::vector<std::uint32_t> rank_;  // dim x n, from 0
  std::vector<double> log_front_;
};

class EmpiricalBetaRows final : public ClassicalRows {
 public:
  EmpiricalBetaRows(const std::vector<double>& ranks, std::size_t dim)
      : ClassicalRows(dim), beta_(ranks, dim), n_(beta_.rows()) {}

  void log_pdf(const Unit* u, std::size_t rows, double* out) const override {
    std::vector<double> weight(n_), scratch(n_);
    for (std::size_t i = 0; i < rows; ++i) {
      weight.assign(n_, 0.0);
      for (std::size_t j = 0; j < dim_; ++j) beta_.weigh(j, u[i * dim_ + j], weight.data(), scratch.data());
      out[i] = beta_.log_mean(weight.data());
    }
  }
  void cdf(const Unit* u, std::size_t rows, double* out, double*) const override {
    std::vector<double> product(n_), below(n_);
    Binomial draws(n_);
    for (std::size_t i = 0; i < rows; ++i) {
      product.assign(n_, 1.0);
      for (std::size_t j = 0; j < dim_; ++j) {
        beta_.cdfs(u[i * dim_ + j], draws, below);
        const std::uint32_t* rank = beta_.ranks(j);
        for (std::size_t k = 0; k < n_; ++k) product[k] *= below[rank[k]];
      }
      double sum = 0;
      for (const double value : product) sum += value;
      out[i] = sum / static_cast<double>(n_);
    }
  }
  void log_cells(const Cell* cells, std::size_t rows, double* out) const override {
    std::vector<double> weight(n_), scratch(n_), below(n_), above(n_);
    Binomial draws(n_);
    for (std::size_t i = 0; i < rows; ++i) {
      weight.assign(n_, 0.0);
      for (std::size_t j = 0; j < dim_; ++j) {
        const Cell& cell = cells[i * dim_ + j];
        if (cell.whole()) continue;
        if (cell.level) {
          beta_.weigh(j, cell.lower, weight.data(), scratch.data());
          continue;
        }
        beta_.cdfs(cell.lower, draws, below);
        beta_.cdfs(cell.upper, draws, above);
        const std::uint32_t* rank = beta_.ranks(j);
        for (std::size_t k = 0; k < n_; ++k)
          weight[k] += std::log(std::fmax(above[rank[k]] - below[rank[k]], 1e-300));
      }
      out[i] = beta_.log_mean(weight.data());
    }
  }
  void rosenblatt(Unit* u, std::size_t rows) const override {
    walk(
        u, rows, dim_,
        [](const OrderStatisticMixture& mixture, Unit v, Binomial& draws) {
          return std::pair(mixture.cdf(v, draws), v);
        },
        1);
  }
  void complete(Unit* u, std::size_t rows, std::size_t known) const override {
    walk(
        u, rows, dim_,
        [](const OrderStatisticMixture& mixture, Unit e, Binomial& draws) {
          const Unit v = mixture.inverse(e, draws);
          return std::pair(v, v);
        },
        known);
  }
  // A row by its weight, then each variable by its law.
  void draw(Unit* u, std::size_t rows, std::uint64_t seed, std::uint64_t first_row) const override {
    draw_rows(u, rows, 0, std::vector<double>(n_), seed, first_row);
  }
  void draw_given(Unit* u, std::size_t rows, std::size_t known, std::uint64_t seed,
                  std::uint64_t first_row) const override {
    std::vector<double> weight(n_), scratch(n_);
    for (std::size_t j = 0; j < known; ++j) beta_.weigh(j, u[j], weight.data(), scratch.data());
    for (std::size_t i = 1; i < rows; ++i) std::copy(u, u + known, &u[i * dim_]);
    draw_rows(u, rows, known, std::move(weight), seed, first_row);
  }

 private:
  // step gives the new value of a variable and its place on the copula scale
  template <class Step>
  void walk(Unit* u, std::size_t rows, std::size_t dim, Step&& step, std::size_t known) const {
    std::vector<double> weight(n_), scratch(n_);
    Binomial draws(n_);
    for (std::size_t i = 0; i < rows; ++i) {
      Unit* row = &u[i * dim];
      weight.assign(n_, 0.0);
      for (std::size_t j = 0; j < dim; ++j) {
        Unit place = row[j];
        if (j >= known)
          std::tie(row[j], place) = step(beta_.mixture(j, weight.data(), scratch), row[j], draws);
        if (j + 1 < dim) beta_.weigh(j, place, weight.data(), scratch.data());
      }
    }
  }

  void draw_rows(Unit* u, std::size_t rows, std::size_t known, std::vector<double> log_weight,
                 std::uint64_t seed, std::uint64_t first_row) const {
    const double top = beta_.greatest(log_weight.data());
    std::vector<double> sum(n_);
    double total = 0;
    for (std::size_t i = 0; i < n_; ++i) sum[i] = total += std::exp(log_weight[i] - top);
    std::vector<Unit> choice(rows);
    uniform_rows(choice.data(), rows, 1, seed, first_row, known ? kTagClassicalGiven : kTagClassicalUniform);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto found = std::upper_bound(sum.begin(), sum.end(), choice[i].p * total);
      const std::size_t row = std::min<std::size_t>(static_cast<std::size_t>(found - sum.begin()), n_ - 1);
      RowDraws draws(seed, first_row + i);
      for (std::size_t j = known; j < dim_; ++j) {
        const double rank = beta_.rank(row, j), low = draws.log_gamma(rank);
        u[i * dim_ + j] = unit_of_logit(low - draws.log_gamma(static_cast<double>(n_) + 1 - rank));
      }
    }
  }

  EmpiricalBeta beta_;
  std::size_t n_;
};

// Nodes and weights of the Gauss-Legendre rule on (0, 1).
struct LegendreRule {
  std::vector<Unit> node;
  std::vector<double> weight;

  explicit LegendreRule(std::size_t count) : node(count), weight(count) {
    const double n = static_cast<double>(count);
    for (std::size_t i = 0; i < count; ++i) {
      double x = std::cos(M_PI * (static_cast<double>(i) + 0.75) / (n + 0.5)), slope = 1;
      for (int step = 0; step < 100; ++step) {
        double value = 1, before = 0;
        for (std::size_t k = 0; k < count; ++k) {
          const double degree = static_cast<double>(k);
          const double next = ((2 * degree + 1) * x * value - degree * before) / (degree + 1);
          before = value;
          value = next;
        }
        slope = n * (x * value - before) / (x * x - 1);
        const double move = value / slope;
        x -= move;
        if (std::fabs(move) < 1e-15) break;
      }
      node[i] = {0.5 * (1 + x), 0.5 * (1 - x)};
      weight[i] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

class EmpiricalBetaPair final : public Bivariate {
 public:
  explicit EmpiricalBetaPair(const std::vector<double>& ranks) : beta_(ranks, 2), rows_(ranks, 2) {}

  double log_pdf(Unit u, Unit v) const override {
    const Unit row[] = {u, v};
    double out = 0;
    rows_.log_pdf(row, 1, &out);
    return out;
  }
  // 1 - 4 int dC/du dC/dv: both are polynomials of degree n, whose terms above degree k are below
  // exp(-k^2 / 2n), so that the rule is exact to rounding
  double tau() const override {
    const std::size_t n = beta_.rows();
    const std::size_t count =
        std::min(n + 1, static_cast<std::size_t>(20 + std::ceil(6 * std::sqrt(static_cast<double>(n)))));
    const LegendreRule rule(count);
    std::vector<double> h1(count * count);
    derivatives(0, rule, h1.data(), count, 1);
    std::vector<double> h2(count * count);
    derivatives(1, rule, h2.data(), 1, count);
    double sum = 0;
    for (std::size_t a = 0; a < count; ++a)
      for (std::size_t b = 0; b < count; ++b)
        sum += rule.weight[a] * rule.weight[b] * h1[a * count + b] * h2[a * count + b];
    return 1 - 4 * sum;
  }
  TailDependence tails() const override { return {0, 0, 0, 0}; }  // the density is bounded

 protected:
  double cdf_inside(Unit u, Unit v) const override {
    const Unit row[] = {u, v};
    double out = 0;
    rows_.cdf(row, 1, &out, nullptr);
    return out;
  }
  Unit h1_inside(Unit u, Unit v) const override { return with(0, u, &OrderStatisticMixture::cdf, v); }
  Unit h2_inside(Unit u, Unit v) const override { return with(1, v, &OrderStatisticMixture::cdf, u); }
  Unit inverse1_inside(Unit u, Unit p) const override {
    return with(0, u, &OrderStatisticMixture::inverse, p);
  }
  Unit inverse2_inside(Unit p, Unit v) const override {
    return with(1, v, &OrderStatisticMixture::inverse, p);
  }

 private:
  OrderStatisticMixture given(std::size_t column, Unit u) const {
    std::vector<double> weight(beta_.rows()), scratch(beta_.rows());
    beta_.weigh(column, u, weight.data(), scratch.data());
    return beta_.mixture(1 - column, weight.data(), scratch);
  }
  Unit with(std::size_t column, Unit u, Unit (OrderStatisticMixture::*what)(Unit, Binomial&) const,
            Unit v) const {
    Binomial draws(beta_.rows());
    return (given(column, u).*what)(v, draws);
  }
  // out[a stride + b other] = P(the other variable <= node b | that of `column` at node a)
  void derivatives(std::size_t column, const LegendreRule& rule, double* out, std::size_t stride,
                   std::size_t other) const {
    const std::size_t count = rule.node.size();
    Binomial draws(beta_.rows());
    std::vector<std::size_t> first(count);
    std::vector<std::vector<double>> share(count);  // of binomial variables at the nodes, to rounding
    for (std::size_t b = 0; b < count; ++b) {
      draws.at(rule.node[b]);
      for (std::size_t k = draws.first(); k < draws.end(); ++k) {
        if (draws[k] < 1e-18) continue;
        if (share[b].empty()) first[b] = k;
        share[b].push_back(draws[k]);
      }
    }
    for (std::size_t a = 0; a < count; ++a) {
      const OrderStatisticMixture mixture = given(column, rule.node[a]);
      for (std::size_t b = 0; b < count; ++b)
        out[a * stride + b * other] = mixture.mean_below(first[b], share[b]);
    }
  }

  EmpiricalBeta beta_;
  EmpiricalBetaRows rows_;
};

}  // namespace

std::unique_ptr<ClassicalRows> make_empirical_beta(const std::vector<double>& ranks, std::size_t dim) {
  return std::make_unique<EmpiricalBetaRows>(ranks, dim);
}

std::unique_ptr<Bivariate> make_empirical_beta_pair(const std::vector<double>& ranks) {
  return std::make_unique<EmpiricalBetaPair>(ranks);
}

}  // namespace sklar
