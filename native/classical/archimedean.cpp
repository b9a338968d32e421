#include <algorithm>
#include <bit>
#include <cmath>

#include "classical/cells/frailty.hpp"
#include "classical/pairs/generators.hpp"
#include "classical/pairs/numeric.hpp"
#include "classical/rows.hpp"
#include "core/error.hpp"

// One-parameter Archimedean copulas of any dimension (docs/mathematics.md, M.2). Their density needs
// |psi^(k)|: with the right variable y each is a polynomial in y whose coefficients are positive and follow
// by differentiating once more, so that sums of logarithms lose nothing (Hofert, Maechler and McNeil 2012).
namespace sklar {
namespace {

// Logarithms of the coefficients of polynomials Q_1 .. Q_count, Q_1 = y.
class PositivePolynomials {
 public:
  // The coefficient of y^j in Q_(k+1) is stay(k, j) of that of Q_k and rise(k, j) of the one below.
  template <class Stay, class Rise>
  PositivePolynomials(std::size_t count, double first, Stay&& stay, Rise&& rise) : log_(count + 1) {
    log_[1] = {-infinity, std::log(first)};
    for (std::size_t k = 1; k < count; ++k) {
      log_[k + 1].assign(k + 2, -infinity);
      for (std::size_t j = 1; j <= k + 1; ++j) {
        const double kept = j <= k ? std::log(stay(k, j)) + log_[k][j] : -infinity;
        const double risen = j > 1 ? std::log(rise(k, j)) + log_[k][j - 1] : -infinity;
        log_[k + 1][j] = log_add_exp(kept, risen);
      }
    }
  }

  // log Q_k(y)
  double at(std::size_t k, double log_y) const {
    const std::vector<double>& c = log_[k];
    double top = -infinity, sum = 0;
    for (std::size_t j = 1; j < c.size(); ++j) top = std::fmax(top, c[j] + times(double(j), log_y));
    if (!std::isfinite(top)) return top;
    for (std::size_t j = 1; j < c.size(); ++j) sum += std::exp(c[j] + times(double(j), log_y) - top);
    return top + std::log(sum);
  }

 private:
  std::vector<std::vector<double>> log_;
};

// Q_(k+1) = y (1 + y) Q_k' - alpha y Q_k, of y = 1 / (e^s - 1) for Joe; with alpha = 0 the polylogarithms of
// order 1 - k.
PositivePolynomials logistic_polynomials(std::size_t count, double alpha) {
  return {count, 1, [](std::size_t, std::size_t j) { return double(j); },
          [alpha](std::size_t, std::size_t j) { return double(j) - 1 - alpha; }};
}

struct ClaytonFamily {
  using Generator = Exponentiated<IndependenceGenerator>;
  Generator generator;
  std::vector<double> log_rising;  // of 1/theta (1/theta + 1) ..

  ClaytonFamily(double theta, std::size_t orders) : generator{{}, theta}, log_rising(orders + 1) {
    for (std::size_t k = 0; k < orders; ++k)
      log_rising[k + 1] = log_rising[k] + std::log(1 / theta + static_cast<double>(k));
  }
  double log_derivative(std::size_t k, Positive s) const {
    return log_rising[k] - (1 / generator.delta + static_cast<double>(k)) * log1p_of(s).value;
  }
  double log_frailty(RowDraws& draws) const { return draws.log_gamma(1 / generator.delta); }
};

struct GumbelFamily {
  OuterPower<IndependenceGenerator> generator;
  PositivePolynomials polynomials;

  GumbelFamily(double theta, std::size_t orders)
      : generator{{}, theta},
        polynomials(
            orders, 1 / theta,
            [a = 1 / theta](std::size_t k, std::size_t j) { return double(k) - a * double(j); },
            [a = 1 / theta](std::size_t, std::size_t) { return a; }) {}
  double log_derivative(std::size_t k, Positive s) const {
    const double log_x = s.log / generator.delta;
    return polynomials.at(k, log_x) - std::exp(log_x) - static_cast<double>(k) * s.log;
  }
  double log_frailty(RowDraws& draws) const { return draws.log_stable(1 / generator.delta); }
};

struct JoeFamily {
  Bb8Generator generator;
  PositivePolynomials polynomials;

  JoeFamily(double theta, std::size_t orders)
      : generator(theta, 1), polynomials(logistic_polynomials(orders, 1 / theta)) {}
  double log_derivative(std::size_t k, Positive s) const {
    const double log_forgotten = Bb8Generator::log_forgotten(s), alpha = 1 / generator.theta;
    return std::log(alpha) + alpha * log_forgotten + polynomials.at(k, -s.value - log_forgotten);
  }
  double log_frailty(RowDraws& draws) const { return draws.log_sibuya(1 / generator.theta); }
};

struct FrankFamily {
  FrankGenerator generator;
  PositivePolynomials polynomials;

  FrankFamily(double theta, std::size_t orders)
      : generator{theta}, polynomials(logistic_polynomials(orders, 0)) {}
  double log_derivative(std::size_t k, Positive s) const {
    const double log_theta = std::log(generator.theta);
    return polynomials.at(k, generator.log_w(s) + log_theta - generator.log_remainder(s)) - log_theta;
  }
  double log_frailty(RowDraws& draws) const { return draws.log_logarithmic(generator.theta); }
};

struct AmhFamily {
  AmhGenerator generator;
  PositivePolynomials polynomials;

  AmhFamily(double theta, std::size_t orders)
      : generator{theta}, polynomials(logistic_polynomials(orders + 1, 0)) {}
  double log_derivative(std::size_t k, Positive s) const {
    const double log_theta = std::log(generator.theta);
    return std::log1p(-generator.theta) - log_theta +
           polynomials.at(k + 1, log_theta - s.value - generator.log_remainder(s));
  }
  double log_frailty(RowDraws& draws) const { return draws.log_geometric(generator.theta); }
};

template <class Family>
class ArchimedeanRows final : public ClassicalRows {
 public:
  ArchimedeanRows(double theta, std::size_t dim, bool survival)
      : ClassicalRows(dim), family_(theta, dim + 2 * most_terms), survival_(survival) {}

  void log_pdf(const Unit* u, std::size_t rows, double* out) const override {
    for (std::size_t i = 0; i < rows; ++i) {
      double slopes = 0;
      for (std::size_t j = 0; j < dim_; ++j) slopes += family_.generator.log_phi_slope(side(u[i * dim_ + j]));
      out[i] = family_.log_derivative(dim_, sum(&u[i * dim_], dim_)) + slopes;
    }
  }
  void cdf(const Unit* u, std::size_t rows, double* out, double*) const override {
    for (std::size_t i = 0; i < rows; ++i) {
      bool empty = false;
      for (std::size_t j = 0; j < dim_; ++j) empty = empty || u[i * dim_ + j].p == 0;
      out[i] = empty       ? 0
               : survival_ ? survival(&u[i * dim_])
                           : family_.generator.psi(sum(&u[i * dim_], dim_)).p;
    }
  }
  void log_cells(const Cell* cells, std::size_t rows, double* out) const override {
    for (std::size_t i = 0; i < rows; ++i) out[i] = log_cells_of(&cells[i * dim_]);
  }
  void rosenblatt(Unit* u, std::size_t rows) const override {
    for (std::size_t i = 0; i < rows; ++i) {
      Positive before = family_.generator.phi(side(u[i * dim_]));
      for (std::size_t j = 1; j < dim_; ++j) {
        Unit& value = u[i * dim_ + j];
        const Positive after = sum_of(before, family_.generator.phi(side(value)));
        if (value.p > 0 && value.q > 0) value = side(step(j, before, after));
        before = after;
      }
    }
  }
  void complete(Unit* u, std::size_t rows, std::size_t known) const override {
    for (std::size_t i = 0; i < rows; ++i) {
      Positive before = sum(&u[i * dim_], known);
      for (std::size_t j = known; j < dim_; ++j) {
        Unit& value = u[i * dim_ + j];
        Unit own = side(value);
        if (own.p > 0 && own.q > 0)
          own = solve_unit([&](Unit v) { return step(j, before, sum_of(before, family_.generator.phi(v))); },
                           own);
        before = sum_of(before, family_.generator.phi(own));
        value = side(own);
      }
    }
  }
  // Marshall and Olkin (1988): psi(E_j / V), E_j exponential, psi the Laplace transform of V.
  void draw(Unit* u, std::size_t rows, std::uint64_t seed, std::uint64_t first_row) const override {
    uniform_rows(u, rows, dim_, seed, first_row, kTagClassicalUniform);
    for (std::size_t i = 0; i < rows; ++i) {
      RowDraws draws(seed, first_row + i);
      const double log_v = family_.log_frailty(draws);
      for (std::size_t j = 0; j < dim_; ++j) {
        Unit& value = u[i * dim_ + j];
        value = side(family_.generator.psi(positive_of_log(std::log(-value.log_p()) - log_v)));
      }
    }
  }

 private:
  Unit side(Unit u) const { return survival_ ? u.flipped() : u; }

  Positive sum(const Unit* u, std::size_t count) const {
    Positive total = family_.generator.phi(side(u[0]));
    for (std::size_t j = 1; j < count; ++j) total = sum_of(total, family_.generator.phi(side(u[j])));
    return total;
  }
  // |psi^(k)|
  double log_moment(std::size_t k, Positive s) const {
    return k == 0 ? family_.generator.psi(s).log_p() : family_.log_derivative(k, s);
  }

  // phi(a) - phi(b)
  Positive gap(const Cell& cell) const {
    const Positive far = family_.generator.phi(cell.lower), near = family_.generator.phi(cell.upper);
    if (far.log == infinity) return far;
    if (near.log < far.log - 0.1) return positive_of_log(far.log + log1m_exp(near.log - far.log));
    return positive_of_log(log_smooth_integral([&](Unit u) { return family_.generator.log_phi_slope(u); },
                                               cell.lower, cell.upper));
  }

  // With n levels, s the sum of phi at them and at the upper ends of the cells, and V of Laplace transform
  // psi, the log density is that of E[V^n e^(-V s) prod_j (1 - e^(-V w_j))] times the slopes of phi at the
  // levels, w = phi(a) - phi(b). Narrow cells take (1 - e^(-V w)) e^(V w/2) = 2 sinh(V w/2) as a series in V,
  // whose means are derivatives of psi and positive; wide ones are written out, corner by corner: they are
  // increasing in V, so that no more cancels than the product of what each leaves.
  double log_cells_of(const Cell* cells) const {
    Positive levels{0, -infinity};
    double slopes = 0;
    std::size_t count = 0;
    std::vector<Cell> others;
    for (std::size_t j = 0; j < dim_; ++j) {
      if (cells[j].level) {
        const Unit u = side(cells[j].lower);
        levels = sum_of(levels, family_.generator.phi(u));
        slopes += family_.generator.log_phi_slope(u);
        ++count;
      } else if (!cells[j].whole()) {
        Cell cell{side(cells[j].lower), side(cells[j].upper), false};
        if (survival_) std::swap(cell.lower, cell.upper);
        others.push_back(cell);
      }
    }
    const std::size_t k = others.size();
    if (k == 0) return (count == 0 ? 0 : family_.log_derivative(count, levels)) + slopes;
    if (count == 0 && k == 1) return std::log(distance(others[0].lower, others[0].upper));

    std::vector<Positive> gaps(k);
    std::vector<std::size_t> order(k);
    Positive least = levels;
    for (std::size_t j = 0; j < k; ++j) {
      gaps[j] = gap(others[j]);
      order[j] = j;
      least = sum_of(least, family_.generator.phi(others[j].upper));
    }
    std::sort(order.begin(), order.end(), [&](auto i, auto j) { return gaps[i].log < gaps[j].log; });
    const double log_rate =
        family_.log_derivative(count + k + 8, least) - family_.log_derivative(count + k + 7, least);
    std::size_t narrow = 0;
    double width = 0, square = 0;  // in units of the mean of V, and of the least sum
    for (; narrow < k; ++narrow) {
      const double log_gap = gaps[order[narrow]].log;
      const double own = std::exp(2 * (log_gap + log_rate)) / 12, wide = std::exp(log_gap - least.log);
      if (!(square + own < 1 && width + wide < 1)) break;
      square += own;
      width += wide;
    }
    for (;; --narrow) {
      std::size_t corners = 0;
      for (std::size_t i = narrow; i < k; ++i) corners += gaps[order[i]].log < infinity;
      if (corners > most_corners) break;
      const double log_p = cornered(others, gaps, order, narrow, count, levels);
      if (!std::isnan(log_p)) return log_p + slopes;
      if (narrow == 0) break;
    }
    return separated(others, count, levels) + (count == 0 ? 0 : family_.log_derivative(count, levels)) +
           slopes;
  }

  // The first `narrow` cells of the order by the series, the others by corners; NaN where fewer than eight
  // digits are left.
  double cornered(const std::vector<Cell>& cells, const std::vector<Positive>& gaps,
                  const std::vector<std::size_t>& order, std::size_t narrow, std::size_t count,
                  Positive levels) const {
    const std::size_t n = count + narrow;
    Positive base = levels;
    double log_front = 0;
    std::vector<double> series{1};  // in squares of V times half the widest of the narrow gaps
    const double log_half = narrow == 0 ? 0 : gaps[order[narrow - 1]].log - std::log(2.0);
    if (narrow > 0) series.resize(most_terms);
    for (std::size_t i = 0; i < narrow; ++i) {
      const Cell& cell = cells[order[i]];
      const double log_gap = gaps[order[i]].log;
      base =
          sum_of(base, sum_of(family_.generator.phi(cell.upper), positive_of_log(log_gap - std::log(2.0))));
      log_front += log_gap;
      const double share = std::exp(2 * (log_gap - std::log(2.0) - log_half));
      std::vector<double> factor{1};  // sinh(x) / x
      for (std::size_t q = 1; q < most_terms; ++q)
        factor.push_back(factor.back() * share / (2 * q * (2 * q + 1.0)));
      for (std::size_t q = most_terms; q-- > 0;) {
        double sum = 0;
        for (std::size_t r = 0; r <= q; ++r) sum += series[r] * factor[q - r];
        series[q] = sum;
      }
    }
    // of E[V^n e^(-V s) prod sinh]
    const auto log_mean = [&](Positive s) {
      if (narrow == 0) return log_moment(n, s);
      double log_first = family_.log_derivative(n, s), sum = 0, term = 0;
      for (std::size_t q = 0; q < most_terms; ++q) {
        const double log_step = q == 0 ? 0 : family_.log_derivative(n + 2 * q, s) - log_first;
        term = series[q] * std::exp(log_step + 2 * static_cast<double>(q) * log_half);
        sum += term;
        if (term < 1e-17 * sum) break;
      }
      return term < 1e-12 * sum ? log_first + std::log(sum) : std::nan("");
    };
    std::vector<Cell> wide;
    for (std::size_t i = narrow; i < cells.size(); ++i)
      if (gaps[order[i]].log < infinity)
        wide.push_back(cells[order[i]]);
      else
        base = sum_of(base, family_.generator.phi(cells[order[i]].upper));
    std::vector<double> logs(std::size_t{1} << wide.size());
    // a distribution function next to 1: the signs of all corners add up to 0, so that 1 - it does as well
    bool upper = n == 0 && wide.size() == cells.size();
    double top = -infinity, sum = 0;
    const auto corner = [&](std::size_t set) {
      Positive s = base;
      for (std::size_t j = 0; j < wide.size(); ++j)
        s = sum_of(s, family_.generator.phi(set >> j & 1 ? wide[j].lower : wide[j].upper));
      return s;
    };
    upper = upper && family_.generator.psi(corner(logs.size() - 1)).p > 0.5;
    for (std::size_t set = 0; set < logs.size(); ++set) {
      const Positive s = corner(set);
      logs[set] = upper ? family_.generator.psi(s).log_q() : log_mean(s);
      if (std::isnan(logs[set])) return logs[set];
      top = std::fmax(top, logs[set]);
    }
    for (std::size_t set = 0; set < logs.size(); ++set)
      sum += ((std::popcount(set) % 2 == 1) != upper ? -1 : 1) * std::exp(logs[set] - top);
    return sum > 1e-7 ? std::log(sum) + top + log_front : std::nan("");
  }

  // log P(cells | the first `count` variables), one variable after the other from its conditional law
  double separated(const std::vector<Cell>& cells, std::size_t count, Positive levels) const {
    const std::size_t k = cells.size();
    std::vector<double> ends;
    for (const Cell& cell : cells) ends.insert(ends.end(), {cell.lower.p, cell.upper.p});
    return integrate_lattice(
               prime_roots(k - 1), key_of(ends.data(), ends.size()), 1e-3, 1 << 10,
               [&](const double* point) {
                 double log_p = 0;
                 Positive before = levels;
                 for (std::size_t j = 0; j < k; ++j) {
                   const auto h = [&](Unit u) { return conditional(count + j, before, u); };
                   const auto log_density = [&](Unit u) { return log_conditional(count + j, before, u); };
                   const Cell& cell = cells[j];
                   const Unit low = h(cell.lower), high = h(cell.upper);
                   const double width = distance(low, high);
                   log_p +=
                       width > 1e-13 ? std::log(width) : log_edge(h, log_density, cell.lower, cell.upper);
                   if (j + 1 == k || log_p == -infinity) break;
                   // all that lies in the cell may be at one of its ends
                   Unit own = log_density(cell.lower) > log_density(cell.upper) ? cell.lower : cell.upper;
                   if (width > 0)
                     own = solve_unit(h, {low.p + point[j] * width, high.q + (1 - point[j]) * width});
                   before = sum_of(before, family_.generator.phi(own));
                 }
                 return log_p;
               })
        .log_value;
  }
  Unit conditional(std::size_t j, Positive before, Unit u) const {
    if (u.p == 0 || u.q == 0 || j == 0) return u;
    return step(j, before, sum_of(before, family_.generator.phi(u)));
  }

  // the logarithm of the density of U_j given `before`
  double log_conditional(std::size_t j, Positive before, Unit u) const {
    if (j == 0) return 0;
    const Positive after = sum_of(before, family_.generator.phi(u));
    return family_.log_derivative(j + 1, after) + family_.generator.log_phi_slope(u) -
           family_.log_derivative(j, before);
  }

  // P(U_j <= u_j | before), the j-th derivative of psi after over that before
  Unit step(std::size_t j, Positive before, Positive after) const {
    return unit_of_log(std::fmin(0, family_.log_derivative(j, after) - family_.log_derivative(j, before)));
  }
  // P(all U_j <= u_j) where 1 - U is the Archimedean copula: inclusion and exclusion
  double survival(const Unit* u) const {
    if (dim_ > 20)
      throw Error("VALUE",
                  "the cdf of a copula rotated by 180 degrees has 2^dim terms: expected at most 20 "
                  "columns, got " +
                      std::to_string(dim_));
    double total = 0;
    for (std::size_t set = 0; set < (std::size_t{1} << dim_); ++set) {
      Positive s{0, -infinity};
      bool odd = false;
      for (std::size_t j = 0; j < dim_; ++j)
        if (set >> j & 1) {
          s = sum_of(s, family_.generator.phi(u[j].flipped()));
          odd = !odd;
        }
      const double part = set == 0 ? 1 : family_.generator.psi(s).p;
      total += odd ? -part : part;
    }
    return std::fmax(0, total);
  }

  static constexpr std::size_t most_corners = 16, most_terms = 13;

  Family family_;
  bool survival_;
};

// Independence has no parameter and no polynomials.
struct IndependenceFamily {
  IndependenceGenerator generator;

  IndependenceFamily(double, std::size_t) {}
  double log_derivative(std::size_t, Positive s) const { return -s.value; }
  double log_frailty(RowDraws&) const { return 0; }
};

}  // namespace

std::unique_ptr<ClassicalRows> make_archimedean(const ClassicalDefinition& definition) {
  const auto& [family, dim, parameters, rotation, factor, table] = definition;
  const bool survival = rotation == 180;
  if (!survival && rotation != 0)
    throw Error("VALUE",
                "expected rotation 0 or 180 of more than two columns, got " + std::to_string(rotation));
  if (family == "independence")
    return std::make_unique<ArchimedeanRows<IndependenceFamily>>(0, dim, survival);
  if (parameters.size() != 1)
    throw Error("VALUE",
                "expected a family of one parameter for " + std::to_string(dim) + " columns, got " + family);
  const double theta = parameters[0];
  if (family == "clayton") return std::make_unique<ArchimedeanRows<ClaytonFamily>>(theta, dim, survival);
  if (family == "gumbel") return std::make_unique<ArchimedeanRows<GumbelFamily>>(theta, dim, survival);
  if (family == "joe") return std::make_unique<ArchimedeanRows<JoeFamily>>(theta, dim, survival);
  if (family == "frank") return std::make_unique<ArchimedeanRows<FrankFamily>>(theta, dim, survival);
  if (family == "amh") return std::make_unique<ArchimedeanRows<AmhFamily>>(theta, dim, survival);
  throw Error("VALUE", "expected a family of " + std::to_string(dim) + " columns, got " + family);
}

}  // namespace sklar
