#include "classical/cells/elliptical_cells.hpp"

#include <array>
#include <numeric>

#include "core/linear/dot.hpp"
#include "core/linear/symmetric.hpp"
#include "core/linear/triangular.h"
#include "special/special.hpp"

namespace sklar {
namespace {

// sqrt(chi2_n / n) at level p
double radius_quantile(double n, double p) {
  const double z = normal_quantile(p), c = 2 / (9 * n);
  const double cube = 1 - c + z * std::sqrt(c);  // Wilson and Hilferty
  if (n > 1e5) return std::pow(cube, 1.5);
  const double a = 0.5 * n, log_gamma = std::lgamma(a);
  const double start = std::log(a) + 3 * std::log(std::fmax(cube, 0.05));
  const double t = invert([&](double s) { return gamma_level(a, std::exp(s)).p; },
                          [&](double s) { return std::exp(a * s - std::exp(s) - log_gamma); }, p, start);
  return std::exp(0.5 * (t - std::log(a)));
}

// docs/mathematics.md, M.7. The standard normal distribution function by Taylor's series about tabled places,
// to 1e-11 relative.
class NormalTable {
 public:
  static const NormalTable& get() {
    static const NormalTable table;
    return table;
  }
  double cdf(double x) const {
    if (!(x > -reach)) return x == -infinity ? 0 : normal_cdf(x);
    if (x >= reach) return 1;
    const double at = (x + reach) * per_unit;
    const std::size_t k = static_cast<std::size_t>(at + 0.5);
    const double d = (at - static_cast<double>(k)) / per_unit;
    const double* c = series_[k].data();
    return c[0] + d * (c[1] + d * (c[2] + d * (c[3] + d * (c[4] + d * (c[5] + d * (c[6] + d * c[7]))))));
  }
  // x with cdf(x) = p to ten digits: in the tails by formula 26.2.23 of Abramowitz and Stegun and Halley's
  // step
  double quantile(double p) const {
    if (std::fabs(p - 0.5) <= 0.425) return normal_quantile(p);
    const double tail = p < 0.5 ? p : 1 - p, t = std::sqrt(-2 * std::log(tail));
    double x =
        (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    const double e = (cdf(x) - tail) * std::exp(0.5 * x * x + half_log_two_pi);
    x -= e / (1 + 0.5 * x * e);
    return p < 0.5 ? x : -x;
  }
  // P(a < X <= b)
  double between(double a, double b) const { return a > 0 ? cdf(-a) - cdf(-b) : cdf(b) - cdf(a); }

 private:
  static constexpr double reach = 8.5, per_unit = 32;

  NormalTable() : series_(static_cast<std::size_t>(2 * reach * per_unit) + 2) {
    for (std::size_t k = 0; k < series_.size(); ++k) {
      const double x = static_cast<double>(k) / per_unit - reach;
      // derivatives of the density are Hermite polynomials times it
      double before = 0, hermite = std::exp(-0.5 * x * x - half_log_two_pi), factorial = 1;
      series_[k][0] = normal_cdf(x);
      for (std::size_t n = 1; n < 8; ++n) {
        factorial *= static_cast<double>(n);
        series_[k][n] = hermite / factorial;
        const double next = -x * hermite - static_cast<double>(n - 1) * before;
        before = hermite;
        hermite = next;
      }
    }
  }

  std::vector<std::array<double, 8>> series_;
};

// Lower factor of `scale` with its variables in the order in which what comes first leaves least to the
// others: each time the one whose cell is least likely, given means of those before it.
std::vector<double> ordered_factor(std::vector<double>& lower, std::vector<double>& upper,
                                   std::vector<double> scale) {
  const std::size_t k = lower.size();
  const EllipticalLaw normal(infinity);
  std::vector<double> l(k * k), shift(k), left(k);
  for (std::size_t j = 0; j < k; ++j) left[j] = scale[j * k + j];
  for (std::size_t i = 0; i < k; ++i) {
    const auto interval = [&](std::size_t j) {
      const double deviation = std::sqrt(std::fmax(left[j], 1e-300));
      return std::pair((lower[j] - shift[j]) / deviation, (upper[j] - shift[j]) / deviation);
    };
    std::size_t best = i;
    double least = infinity;
    for (std::size_t j = i; j < k; ++j) {
      const auto [a, b] = interval(j);
      const double p = NormalTable::get().between(a, b);
      if (p < least) {
        least = p;
        best = j;
      }
    }
    if (best != i) {
      for (auto* values : {&lower, &upper, &shift, &left}) std::swap((*values)[i], (*values)[best]);
      for (std::size_t m = 0; m < k; ++m) std::swap(scale[i * k + m], scale[best * k + m]);
      for (std::size_t m = 0; m < k; ++m) std::swap(scale[m * k + i], scale[m * k + best]);
      for (std::size_t m = 0; m < i; ++m) std::swap(l[i * k + m], l[best * k + m]);
    }
    const auto [a, b] = interval(i);
    const double pivot = l[i * k + i] = std::sqrt(std::fmax(left[i], 1e-300));
    const double log_p = normal.log_interval(a, b);
    const auto density = [&](double x) { return std::isinf(x) ? 0 : std::exp(normal.log_pdf(x) - log_p); };
    const double mean = std::fmin(std::fmax(density(a) - density(b), a), b);
    for (std::size_t j = i + 1; j < k; ++j) {
      const double slope = l[j * k + i] = (scale[j * k + i] - dot(&l[i * k], &l[j * k], i)) / pivot;
      shift[j] += slope * mean;
      left[j] -= slope * slope;
    }
  }
  return l;
}

// A draw of a standard normal variable from (a, b] by the level p, and the log probability of the interval.
double rare_normal_between(double a, double b, double p, double& log_p) {
  const bool upper = a > 0;
  const double lo = upper ? -b : a, hi = upper ? -a : b;
  const double low = normal_cdf(lo), high = normal_cdf(hi), width = high - low;
  if (!(width > 0)) {
    const double log_high = log_normal_cdf(hi);
    log_p += lo < hi ? log_high + log1m_exp(std::fmin(log_normal_cdf(lo) - log_high, -1e-16)) : -infinity;
    return upper ? -hi : hi;
  }
  log_p += std::log(width);
  const double at = upper ? high - p * width : low + p * width;
  const double x = std::fmin(std::fmax(normal_quantile(at), lo), hi);
  return upper ? -x : x;
}

// The same to ten digits where the interval is not far out or narrow; `p_all` is multiplied by its
// probability.
double normal_between(double a, double b, double p, double& p_all, double& log_p) {
  const NormalTable& table = NormalTable::get();
  const bool upper = a > 0;
  const double lo = upper ? -b : a, hi = upper ? -a : b;
  const double low = table.cdf(lo), high = table.cdf(hi), width = high - low;
  if (!(width > 1e-4 * high && width > 1e-30)) return rare_normal_between(a, b, p, log_p);
  p_all *= width;
  if (p_all < 1e-250) {
    log_p += std::log(p_all);
    p_all = 1;
  }
  const double at = upper ? high - p * width : low + p * width;
  const double x = std::fmin(std::fmax(table.quantile(at), lo), hi);
  return upper ? -x : x;
}

LogEstimate separate(std::vector<double> lower, std::vector<double> upper, const std::vector<double>& scale,
                     double degrees, const RadiusLaw& law, LatticeEffort effort) {
  const std::size_t k = lower.size();
  const bool normal = std::isinf(degrees);
  std::uint64_t key = key_of(lower.data(), k) ^ (key_of(upper.data(), k) << 1);
  const std::vector<double> l = ordered_factor(lower, upper, scale);
  const std::vector<double> roots = prime_roots(normal ? k - 1 : k);
  std::vector<double> y(k), inverse_pivot(k);
  for (std::size_t i = 0; i < k; ++i) inverse_pivot[i] = 1 / l[i * k + i];
  return integrate_lattice(roots, key, effort.tolerance, effort.most, [&](const double* point) {
    const double radius = normal ? 1 : law.quantile(point[k - 1]);
    double p_all = 1, log_p = 0;
    for (std::size_t i = 0; i < k; ++i) {
      const double shift = dot(&l[i * k], y.data(), i);
      const auto limit = [&](double x) {
        return std::isinf(x) ? x : (x * radius - shift) * inverse_pivot[i];
      };
      y[i] = normal_between(limit(lower[i]), limit(upper[i]), i + 1 < k ? point[i] : 0.5, p_all, log_p);
      if (log_p == -infinity) break;
    }
    return log_p + std::log(p_all);
  });
}

}  // namespace

RadiusLaw::RadiusLaw(double degrees) {
  for (double z = -reach; z <= reach; z += step)
    log_.push_back(std::log(std::fmax(radius_quantile(degrees, normal_cdf(z)), 1e-300)));
}

double RadiusLaw::quantile(double p) const {
  const double at = (std::fmin(std::fmax(normal_quantile(p), -8.2), 8.2) + reach) / step;
  const std::size_t k = static_cast<std::size_t>(at);
  const double t = at - static_cast<double>(k), *y = &log_[k - 1];
  // through four nodes: Lagrange
  const double a = t + 1, b = t - 1, c = t - 2;
  return std::exp(-t * b * c / 6 * y[0] + a * b * c / 2 * y[1] - a * t * c / 2 * y[2] + a * t * b / 6 * y[3]);
}

double EllipticalLaw::log_interval(double a, double b) const {
  if (!(a < b)) return -infinity;
  if (a > 0) return log_interval(-b, -a);
  const Unit low = cdf(a), high = cdf(b);
  if (keeps_digits(low, high, 1e-5)) return std::log(distance(low, high));
  if (normal() && b < -5 && std::isinf(a)) return log_normal_cdf(b);
  if (normal() && b < -5) {
    const double log_high = log_normal_cdf(b), ratio = log_normal_cdf(a) - log_high;
    if (ratio < -1e-5) return log_high + log1m_exp(ratio);
  }
  if (std::isinf(a) || std::isinf(b)) return std::log(distance(low, high));
  // narrow: the density is next to constant
  const double middle = 0.5 * (a + b), half = 0.5 * (b - a), node = 0.7745966692414834 * half;
  const double at = log_pdf(middle);
  const double sides = std::exp(log_pdf(middle - node) - at) + std::exp(log_pdf(middle + node) - at);
  return at + std::log(half * (8 + 5 * sides) / 9);
}

LogEstimate elliptical_cells(std::vector<double> lower, std::vector<double> upper, std::vector<double> scale,
                             double degrees, const RadiusLaw& radius, LatticeEffort effort) {
  const std::size_t k = lower.size();
  if (k == 0) return {};
  for (std::size_t i = 0; i < k; ++i) {
    const double deviation = std::sqrt(scale[i * k + i]);
    lower[i] /= deviation;
    upper[i] /= deviation;
    if (!(lower[i] < upper[i])) return {-infinity, 0};
    for (std::size_t j = 0; j < k; ++j) {
      scale[i * k + j] /= deviation;
      scale[j * k + i] /= deviation;
    }
    scale[i * k + i] = 1;
  }
  const EllipticalLaw law(degrees);
  if (k == 1) return {law.log_interval(lower[0], upper[0]), 0};
  const auto cell = [&](std::size_t i) { return Cell{law.cdf(lower[i]), law.cdf(upper[i]), false}; };
  if (k == 2) {
    const auto pair = law.normal() ? make_gaussian(scale[1]) : make_student(scale[1], degrees);
    const double value = log_cell(*pair, cell(0), cell(1));
    if (std::isfinite(value)) return {value, 0};
  }
  if (k == 3 && effort.tolerance < 1e-4) {
    // over the variable that the others depend on most; what is left is a pair
    std::size_t first = 0;
    double most = -1;
    for (std::size_t i = 0; i < 3; ++i) {
      const double a = scale[i * 3 + (i + 1) % 3], b = scale[i * 3 + (i + 2) % 3];
      if (a * a + b * b > most) {
        most = a * a + b * b;
        first = i;
      }
    }
    const std::size_t second = (first + 1) % 3, third = (first + 2) % 3;
    const double r = scale[first * 3 + second], s = scale[first * 3 + third];
    const double rest_r = std::sqrt((1 - r) * (1 + r)), rest_s = std::sqrt((1 - s) * (1 + s));
    const double rho = std::fmin(std::fmax((scale[second * 3 + third] - r * s) / (rest_r * rest_s), -1), 1);
    const EllipticalLaw next(degrees + 1);
    const auto pair = law.normal() ? make_gaussian(rho) : make_student(rho, degrees + 1);
    const Cell given = cell(first);
    const double value = log_integral(
        [&](Unit u) {
          const double x = law.quantile(u);
          const double spread = law.normal() ? 1 : std::sqrt((degrees + x * x) / (degrees + 1));
          const auto left = [&](std::size_t i, double slope, double rest) {
            const auto limit = [&](double at) { return next.cdf((at - slope * x) / (rest * spread)); };
            return Cell{limit(lower[i]), limit(upper[i]), false};
          };
          return log_cell(*pair, left(second, r, rest_r), left(third, s, rest_s));
        },
        given.lower, given.upper, 1e-11);
    if (std::isfinite(value) && std::fabs(rho) < 1) return {value, 0};
  }
  return separate(lower, upper, scale, degrees, radius, effort);
}

EllipticalCells::EllipticalCells(const std::vector<double>& factor, std::size_t dim, double degrees)
    : dim_(dim), law_(degrees), correlation_(dim * dim) {
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k <= j; ++k) sum += factor[i * dim + k] * factor[j * dim + k];
      correlation_[i * dim + j] = correlation_[j * dim + i] = i == j ? 1 : sum;
    }
}

void EllipticalCells::renew(Split& split) const {
  const auto& levels = split.levels;
  const auto& cells = split.cells;
  const std::size_t m = levels.size(), k = cells.size();
  split.front = 0;
  std::vector<double> block(m * m);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < m; ++j) block[i * m + j] = correlation_[levels[i] * dim_ + levels[j]];
  split.factor = m == 0 ? block : cholesky(block, m);
  split.slope.assign(k * m, 0.0);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < m; ++j) {
      const double left = dot(&split.slope[i * m], &split.factor[j * m], j);
      split.slope[i * m + j] = (correlation_[cells[i] * dim_ + levels[j]] - left) / split.factor[j * m + j];
    }
  split.scale.assign(k * k, 0.0);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      // without levels there is no slope to point to
      const double left = m == 0 ? 0 : dot(&split.slope[i * m], &split.slope[j * m], m);
      split.scale[i * k + j] = split.scale[j * k + i] = correlation_[cells[i] * dim_ + cells[j]] - left;
    }
  if (k > 1 && !law_.normal() && !split.radius.contains(m))
    split.radius.emplace(m, RadiusLaw(law_.degrees() + static_cast<double>(m)));
  split.log_root = half_log_determinant(split.factor.data(), m);
  for (std::size_t j = 0; j < m; ++j) {
    if (law_.normal())
      split.front -= half_log_two_pi;
    else {
      const double n = law_.degrees() + static_cast<double>(j);
      split.front += StudentT(n).log_pdf(0) + 0.5 * std::log(n / law_.degrees());
    }
  }
}

LogEstimate EllipticalCells::row(const Cell* cells, LatticeEffort effort, Split& split) const {
  std::vector<std::size_t> levels, others;
  for (std::size_t j = 0; j < dim_; ++j) {
    if (cells[j].level)
      levels.push_back(j);
    else if (!cells[j].whole())
      others.push_back(j);
  }
  const std::size_t m = levels.size(), k = others.size();
  if (levels != split.levels || others != split.cells) {
    split.levels = levels;
    split.cells = others;
    renew(split);
  }
  double log_density = 0, form = 0;
  std::vector<double> y(m);
  if (m > 0) {
    log_density = split.front - split.log_root;
    for (std::size_t i = 0; i < m; ++i) {
      const double x = law_.quantile(cells[levels[i]].lower);
      log_density -= law_.log_pdf(x);
      y[i] = solve_row(&split.factor[i * m], i, x, y.data());
      form += y[i] * y[i];
    }
    const double n = law_.degrees();
    log_density -= law_.normal() ? 0.5 * form : 0.5 * (n + static_cast<double>(m)) * std::log1p(form / n);
  }
  if (k == 0) return {log_density, 0};
  const double degrees = law_.degrees() + static_cast<double>(m);
  const double spread = law_.normal() || m == 0 ? 1 : std::sqrt((law_.degrees() + form) / degrees);
  std::vector<double> lower(k), upper(k);
  for (std::size_t i = 0; i < k; ++i) {
    double mean = 0;
    for (std::size_t h = 0; h < m; ++h) mean += split.slope[i * m + h] * y[h];
    const double from = law_.quantile(cells[others[i]].lower), to = law_.quantile(cells[others[i]].upper);
    lower[i] = (from - mean) / spread;
    upper[i] = (to - mean) / spread;
    // Far out in a tail a Student cell is narrow beside what the levels leave: the density in its middle,
    // times its width.
    if (to - from < 1e-7 * spread * std::fmax(1, std::fabs(lower[i]))) {
      std::vector<Cell> all(cells, cells + dim_);
      const double middle = 0.5 * (from + to);
      const Unit at = law_.cdf(middle);
      all[others[i]] = {at, at, true};
      Split other;
      LogEstimate estimate = row(all.data(), effort, other);
      estimate.log_value += law_.log_pdf(middle) + std::log(to - from);
      return estimate;
    }
  }
  static const RadiusLaw none;
  const auto radius = split.radius.find(m);
  LogEstimate estimate = elliptical_cells(lower, upper, split.scale, degrees,
                                          radius == split.radius.end() ? none : radius->second, effort);
  estimate.log_value += log_density;
  return estimate;
}

}  // namespace sklar
