#include "classical/pairs/kernel_estimate.hpp"

#include <algorithm>
#include <cmath>

#include "core/check_rows.hpp"
#include "core/error.hpp"
#include "core/threads/thread_pool.hpp"
#include "special/positive.hpp"

namespace sklar {
namespace {

// Weighted sums over the rows of 1, the distances t = (s, t) from a node, and their products.
struct Moments {
  double mass = 0, squares = 0;  // of the weights and of their squares
  double s = 0, t = 0, ss = 0, st = 0, tt = 0;

  void add(double weight, double x, double y) {
    mass += weight;
    squares += weight * weight;
    s += weight * x;
    t += weight * y;
    ss += weight * x * x;
    st += weight * x * y;
    tt += weight * y * y;
  }
};

struct Kernel {
  double correlation, scale;

  // With a normal kernel, the log-quadratic whose product with it has the mass, the mean and the covariance
  // of the weighted rows is the maximum. Where few rows have weight, mean and covariance lean towards those
  // that N(0, R) would have there, as if one row more had them.
  double log_density(const Moments& m, double rows, double x, double y) const {
    if (!(m.mass > 0)) return -infinity;
    const double own = 1 / (1 + m.mass * m.mass / m.squares), theirs = 1 - own;
    const double spread = scale / (1 + scale), guide_s = -spread * x, guide_t = -spread * y;
    const double s = theirs * m.s / m.mass + own * guide_s, t = theirs * m.t / m.mass + own * guide_t;
    const double ss = theirs * m.ss / m.mass + own * (spread + guide_s * guide_s) - s * s;
    const double st = theirs * m.st / m.mass + own * (spread * correlation + guide_s * guide_t) - s * t;
    const double tt = theirs * m.tt / m.mass + own * (spread + guide_t * guide_t) - t * t;
    const double det = ss * tt - st * st;
    if (!(det > 0)) return -infinity;
    const double form = (s * s * tt - 2 * s * t * st + t * t * ss) / det;
    return std::log(m.mass / rows) - 0.5 * std::log(det) - 0.5 * form + 0.5 * (x * x + y * y);
  }
};

// Adds the rows' weights to the nodes whose first coordinate is x. Along the second a weight is a constant
// times exp(-(y - centre)^2 / 2 v), whose ratios of neighbours are again in constant ratio.
void add_rows(const std::vector<double>& z, const std::vector<double>& nodes, double x, const Kernel& kernel,
              std::vector<Moments>& out) {
  const std::size_t count = nodes.size();
  const double step = nodes[1] - nodes[0];
  const double narrow = kernel.scale * (1 - kernel.correlation) * (1 + kernel.correlation);
  const double turn = std::exp(-step * step / narrow);
  for (std::size_t i = 0; i < z.size(); i += 2) {
    const double s = z[i] - x, far = s * s / kernel.scale;
    if (far > 83) continue;  // below rounding beside a row at the node
    const double centre = z[i + 1] - kernel.correlation * s;
    const double place =
        std::clamp(std::nearbyint((centre - nodes[0]) / step), 0.0, static_cast<double>(count - 1));
    const std::size_t middle = static_cast<std::size_t>(place);
    const double off = nodes[middle] - centre;
    const double top = std::exp(-0.5 * (far + off * off / narrow));
    double weight = top, ratio = std::exp(-(off + 0.5 * step) * step / narrow);
    for (std::size_t b = middle; b < count && weight > 1e-18; ++b) {
      out[b].add(weight, s, z[i + 1] - nodes[b]);
      weight *= ratio;
      ratio *= turn;
    }
    weight = top;
    ratio = std::exp((off - 0.5 * step) * step / narrow);
    for (std::size_t b = middle; b-- > 0;) {
      weight *= ratio;
      ratio *= turn;
      if (!(weight > 1e-18)) break;
      out[b].add(weight, s, z[i + 1] - nodes[b]);
    }
  }
}

// Masses of the functions that are 1 at one node, 0 at the others and linear between, constant beyond.
std::vector<double> masses(const std::vector<double>& nodes) {
  const std::size_t last = nodes.size() - 1;
  std::vector<double> mass(nodes.size());
  mass[0] = normal_cdf(nodes[0]);
  mass[last] = normal_cdf(-nodes[last]);
  for (std::size_t k = 0; k < last; ++k) {
    const double width = nodes[k] < 0 ? normal_cdf(nodes[k + 1]) - normal_cdf(nodes[k])
                                      : normal_cdf(-nodes[k]) - normal_cdf(-nodes[k + 1]);
    mass[k] += 0.5 * width;
    mass[k + 1] += 0.5 * width;
  }
  return mass;
}

void make_margins_uniform(std::vector<double>& density, const std::vector<double>& mass,
                          const CancelFlag& cancel) {
  const std::size_t count = mass.size();
  std::vector<double> row(count), column(count);
  for (int iteration = 0; iteration < 10000; ++iteration) {
    cancel.check();
    std::fill(column.begin(), column.end(), 0.0);
    for (std::size_t a = 0; a < count; ++a) {
      double sum = 0;
      for (std::size_t b = 0; b < count; ++b) sum += density[a * count + b] * mass[b];
      for (std::size_t b = 0; b < count; ++b) column[b] += (density[a * count + b] /= sum) * mass[a];
    }
    double error = 0;
    for (const double sum : column) error = std::fmax(error, std::fabs(sum - 1));
    if (error < 1e-14) return;
    for (std::size_t a = 0; a < count; ++a)
      for (std::size_t b = 0; b < count; ++b) density[a * count + b] /= column[b];
  }
}

}  // namespace

std::vector<double> kernel_density(const std::vector<double>& u, std::size_t rows,
                                   const std::vector<double>& nodes, double correlation, double scale,
                                   std::size_t threads, const CancelFlag& cancel) {
  check_rows(u.data(), false, rows, 2);
  if (nodes.size() < 2 || !(std::fabs(correlation) < 1) || !(scale > 0))
    throw Error("VALUE", "expected 2 nodes at least, a correlation between -1 and 1 and a positive scale");
  const std::size_t count = nodes.size();
  std::vector<double> z(u.size()), density(count * count);
  for (std::size_t i = 0; i < u.size(); ++i) z[i] = normal_quantile(u[i]);
  const Kernel kernel{correlation, scale};
  const double n = static_cast<double>(rows);
  ThreadPool(threads).run(count, [&](std::size_t a, std::size_t) {
    cancel.check();
    std::vector<Moments> moments(count);
    add_rows(z, nodes, nodes[a], kernel, moments);
    for (std::size_t b = 0; b < count; ++b)
      density[a * count + b] =
          (n * std::exp(kernel.log_density(moments[b], n, nodes[a], nodes[b])) + 1) / (n + 1);
  });
  make_margins_uniform(density, masses(nodes), cancel);
  return density;
}

}  // namespace sklar
