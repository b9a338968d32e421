#include "process/field.hpp"

#include <cmath>

#include "core/error.hpp"

namespace sklar {

double form_scale(Form form, double theta) {
  // cos(pi / 2) in doubles is 6e-17, not the 0 that is meant
  const double alpha = theta >= 1.5707963267948966 ? 0 : std::cos(theta), sine = std::sin(theta);
  switch (form) {
    case Form::gradient:
      return 1;
    case Form::slope_w:
      return 1 / (2 * alpha * alpha);
    case Form::slope_alpha:
      return 1 / alpha;
    case Form::slope_theta:
      return -sine / alpha;
    case Form::velocity:
      break;
  }
  throw Error("VALUE", "a velocity is no form of the Ornstein-Uhlenbeck process");
}

}  // namespace sklar
