#pragma once

#include <memory>
#include <string>
#include <vector>

#include "special/positive.hpp"

namespace sklar {

// Tail dependence in the four corners: of u and v, lower or upper.
struct TailDependence {
  double lower_lower, lower_upper, upper_lower, upper_upper;
};

// A copula of two variables. The density is defined inside the unit square; the others on all of it, with
// their limits at its sides.
class Bivariate {
 public:
  virtual ~Bivariate() = default;

  virtual double log_pdf(Unit u, Unit v) const = 0;
  double cdf(Unit u, Unit v) const;
  Unit h1(Unit u, Unit v) const;        // P(V <= v | U = u) = dC/du
  Unit h2(Unit u, Unit v) const;        // P(U <= u | V = v) = dC/dv
  Unit inverse1(Unit u, Unit p) const;  // v with h1(u, v) = p
  Unit inverse2(Unit p, Unit v) const;  // u with h2(u, v) = p
  // P of the quadrant of (u, v) where either variable is below or above, to relative precision
  double quadrant(Unit u, Unit v, bool above_u, bool above_v) const;
  virtual double tau() const = 0;
  virtual TailDependence tails() const = 0;

 protected:
  // with v inside (0, 1) for h1, u for h2, both for cdf, and p inside for the inverses
  virtual double cdf_inside(Unit u, Unit v) const = 0;
  virtual Unit h1_inside(Unit u, Unit v) const = 0;
  virtual Unit h2_inside(Unit u, Unit v) const = 0;
  virtual Unit inverse1_inside(Unit u, Unit p) const;
  virtual Unit inverse2_inside(Unit p, Unit v) const;
};

// family: independence, gaussian (rho), student (rho, degrees), clayton, gumbel, frank, joe, amh, galambos,
// husler-reiss, fgm, plackett (theta), bb1 .. bb8 (theta, delta), tawn (psi1, psi2, theta); parameters as in
// Joe (2014). rotation: 0, 90, 180 or 270, counter-clockwise: c90(u, v) = c(v, 1 - u).
std::unique_ptr<Bivariate> make_bivariate(const std::string& family, const std::vector<double>& parameters,
                                          int rotation);

// The copula whose density is bilinear between nodes (standard normal quantiles, increasing) and constant
// beyond the outermost: of the density at pairs of nodes, nodes x nodes, all positive, with uniform margins.
std::unique_ptr<Bivariate> make_grid(const std::vector<double>& nodes, const std::vector<double>& density);

std::unique_ptr<Bivariate> make_gaussian(double rho);
std::unique_ptr<Bivariate> make_student(double rho, double degrees);
std::unique_ptr<Bivariate> make_fgm_bivariate(double theta);
std::unique_ptr<Bivariate> make_plackett_bivariate(double theta);

}  // namespace sklar
