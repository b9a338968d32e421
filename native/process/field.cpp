#include "process/field.hpp"

#include <cmath>

#include "core/error.hpp"

namespace sklar {

double angle_alpha(double theta) { return theta >= 1.5707963267948966 ? 0 : std::cos(theta); }

double form_scale(Form form, double theta) {
  const double alpha = angle_alpha(theta), sine = std::sin(theta);
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
