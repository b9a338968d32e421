#include <algorithm>
#include <cmath>
#include <string>

#include "classical/pairs/bivariate.hpp"
#include "core/error.hpp"

namespace sklar {
namespace {

// docs/mathematics.md, M.4. Piecewise linear functions of the nodes, constant beyond the outermost.
class Axis {
 public:
  // Of a point: the node below it and its distance from it, as a share of the way to the next and the rest.
  // Below the first node share is 0, above the last rest is 0.
  struct Place {
    std::size_t node;
    double share, rest;
  };

  explicit Axis(const std::vector<double>& nodes) {
    for (const double z : nodes) node_.push_back(unit_of_normal(z));
    for (std::size_t k = 0; k + 1 < nodes.size(); ++k) {
      width_.push_back(distance(node_[k], node_[k + 1]));
      if (!(width_[k] > 0)) throw Error("VALUE", "expected nodes that increase, and are not too far out");
    }
  }

  std::size_t size() const { return node_.size(); }
  double width(std::size_t k) const { return width_[k]; }
  Unit node(std::size_t k) const { return node_[k]; }

  Place at(Unit u) const {
    std::size_t low = 0, high = node_.size() - 1;
    if (!(distance(node_[low], u) > 0)) return {0, 0, 1};
    if (!(distance(u, node_[high]) > 0)) return {high - 1, 1, 0};
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      (distance(node_[middle], u) > 0 ? low : high) = middle;
    }
    return {low, distance(node_[low], u) / width_[low], distance(u, node_[high]) / width_[low]};
  }

  template <class Values>
  static double value(const Values& values, Place at) {
    return at.rest * values(at.node) + at.share * values(at.node + 1);
  }

  // Integrals of a function from 0 to u and from u to 1, of its integrals to and from the nodes.
  template <class Values, class Below, class Above>
  Unit integral(const Values& values, const Below& below, const Above& above, Unit u) const {
    const std::size_t last = size() - 1;
    const Place at = this->at(u);
    if (at.share == 0) {
      const double left = distance(u, node_[0]);
      return {values(0) * u.p, above(0) + values(0) * std::fmax(0, left)};
    }
    if (at.rest == 0) {
      const double left = distance(node_[last], u);
      return {below(last) + values(last) * std::fmax(0, left), values(last) * u.q};
    }
    const double low = values(at.node), high = values(at.node + 1), w = width_[at.node];
    return {below(at.node) + w * at.share * (low + 0.5 * at.share * (high - low)),
            above(at.node + 1) + w * at.rest * (high + 0.5 * at.rest * (low - high))};
  }

  // v - u without cancellation where both are next to 1
  static double distance(Unit u, Unit v) { return u.p < 0.5 ? v.p - u.p : u.q - v.q; }

 private:
  std::vector<Unit> node_;
  std::vector<double> width_;
};

// A row of a table, count x count, between two nodes of the first variable.
auto row_at(const std::vector<double>& table, std::size_t count, Axis::Place at) {
  return [row = &table[at.node * count], count, at](std::size_t k) {
    return at.rest * row[k] + at.share * row[count + k];
  };
}

// Densities whose first index is that of the conditioning variable, with their integrals over the other.
class Sheet {
 public:
  Sheet(const Axis& axis, std::vector<double> density)
      : axis_(axis), density_(std::move(density)), below_(density_.size()), above_(density_.size()) {
    const std::size_t count = axis.size(), last = count - 1;
    for (std::size_t a = 0; a < count; ++a) {
      const double* row = &density_[a * count];
      double *below = &below_[a * count], *above = &above_[a * count];
      below[0] = row[0] * axis.node(0).p;
      above[last] = row[last] * axis.node(last).q;
      for (std::size_t k = 0; k < last; ++k)
        below[k + 1] = below[k] + 0.5 * axis.width(k) * (row[k] + row[k + 1]);
      for (std::size_t k = last; k-- > 0;)
        above[k] = above[k + 1] + 0.5 * axis.width(k) * (row[k] + row[k + 1]);
    }
  }

  double density(Unit u, Unit v) const {
    return Axis::value(row_at(density_, axis_.size(), axis_.at(u)), axis_.at(v));
  }

  Unit h(Unit u, Unit v) const {
    const Axis::Place at = axis_.at(u);
    return axis_.integral(row_at(density_, axis_.size(), at), row_at(below_, axis_.size(), at),
                          row_at(above_, axis_.size(), at), v);
  }

  Unit inverse(Unit u, Unit p) const {
    const Axis::Place at = axis_.at(u);
    const auto values = row_at(density_, axis_.size(), at), below = row_at(below_, axis_.size(), at),
               above = row_at(above_, axis_.size(), at);
    const std::size_t last = axis_.size() - 1;
    if (p.p <= below(0)) return unit_of(p.p / values(0));
    if (p.q <= above(last)) return unit_of(p.q / values(last)).flipped();
    const bool low = p.p < 0.5;
    std::size_t k = 0, high = last;
    while (high - k > 1) {
      const std::size_t middle = (k + high) / 2;
      ((low ? below(middle) < p.p : above(middle) > p.q) ? k : high) = middle;
    }
    // the root of the quadratic that integrates the cell from the end that is nearer to 0 or 1
    const double from = values(low ? k : k + 1), bend = values(low ? k + 1 : k) - from, w = axis_.width(k);
    const double c = std::fmax(0, low ? p.p - below(k) : p.q - above(k + 1)) / w;
    const double way = std::fmin(1, 2 * c / (from + std::sqrt(std::fmax(0, from * from + 2 * bend * c))));
    const double share = low ? way : 1 - way, rest = low ? 1 - way : way;
    return {axis_.node(k).p + share * w, axis_.node(k + 1).q + rest * w};
  }

 private:
  const Axis& axis_;
  std::vector<double> density_, below_, above_;
};

std::vector<double> transposed(const std::vector<double>& table, std::size_t count) {
  std::vector<double> out(table.size());
  for (std::size_t a = 0; a < count; ++a)
    for (std::size_t b = 0; b < count; ++b) out[b * count + a] = table[a * count + b];
  return out;
}

class Grid final : public Bivariate {
 public:
  Grid(const std::vector<double>& nodes, const std::vector<double>& density)
      : axis_(nodes), first_(axis_, density), second_(axis_, transposed(density, nodes.size())) {}

  double log_pdf(Unit u, Unit v) const override { return std::log(first_.density(u, v)); }
  // 1 - 4 int dC/du dC/dv, cubic in each variable between nodes: two points of Gauss and Legendre are exact
  double tau() const override {
    std::vector<Unit> point;
    std::vector<double> weight;
    const std::size_t last = axis_.size() - 1;
    const double near = 0.5 - std::sqrt(1.0 / 12);
    const auto add = [&](Unit low, Unit high) {
      const double w = Axis::distance(low, high);
      for (const double share : {near, 1 - near}) {
        point.push_back({low.p + share * w, high.q + (1 - share) * w});
        weight.push_back(0.5 * w);
      }
    };
    add({0, 1}, axis_.node(0));
    for (std::size_t k = 0; k < last; ++k) add(axis_.node(k), axis_.node(k + 1));
    add(axis_.node(last), {1, 0});
    double sum = 0;
    for (std::size_t a = 0; a < point.size(); ++a)
      for (std::size_t b = 0; b < point.size(); ++b)
        sum += weight[a] * weight[b] * first_.h(point[a], point[b]).p * second_.h(point[b], point[a]).p;
    return 1 - 4 * sum;
  }
  TailDependence tails() const override { return {0, 0, 0, 0}; }  // the density is bounded

 protected:
  // of h, which is linear in u between nodes
  double cdf_inside(Unit u, Unit v) const override {
    const std::size_t count = axis_.size();
    std::vector<double> h(count), below(count), above(count);
    for (std::size_t a = 0; a < count; ++a) h[a] = first_.h(axis_.node(a), v).p;
    below[0] = h[0] * axis_.node(0).p;
    for (std::size_t a = 0; a + 1 < count; ++a)
      below[a + 1] = below[a] + 0.5 * axis_.width(a) * (h[a] + h[a + 1]);
    const auto at = [](const std::vector<double>& values) {
      return [&values](std::size_t k) { return values[k]; };
    };
    return axis_.integral(at(h), at(below), at(above), u).p;
  }
  Unit h1_inside(Unit u, Unit v) const override { return first_.h(u, v); }
  Unit h2_inside(Unit u, Unit v) const override { return second_.h(v, u); }
  Unit inverse1_inside(Unit u, Unit p) const override { return first_.inverse(u, p); }
  Unit inverse2_inside(Unit p, Unit v) const override { return second_.inverse(v, p); }

 private:
  Axis axis_;
  Sheet first_, second_;
};

}  // namespace

std::unique_ptr<Bivariate> make_grid(const std::vector<double>& nodes, const std::vector<double>& density) {
  if (nodes.size() < 2 || density.size() != nodes.size() * nodes.size())
    throw Error("SHAPE", "expected the density at every pair of 2 nodes at least, got " +
                             std::to_string(density.size()) + " of " + std::to_string(nodes.size()));
  for (const double value : density)
    if (!(value > 0 && std::isfinite(value))) throw Error("VALUE", "expected positive densities");
  return std::make_unique<Grid>(nodes, density);
}

}  // namespace sklar
