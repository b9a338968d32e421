// Reflection at the faces of the unit cube (docs/mathematics.md, B.1 and I, 25).
#include "core/fold.h"

#include "check.hpp"
#include "closed_form.hpp"

namespace {

template <class T>
void known_answers() {
  const struct {
    double y, folded, sign;
  } answers[] = {{0, 0, 1},         {0.25, 0.25, 1},  {1, 1, -1},        {1.25, 0.75, -1},     {2, 0, 1},
                 {2.5, 0.5, 1},     {3.75, 0.25, -1}, {-0.25, 0.25, -1}, {-1, 1, -1},          {-1.5, 0.5, 1},
                 {-2.25, 0.25, -1}, {1000.5, 0.5, 1}, {-1001.5, 0.5, 1}, {0x1p-20, 0x1p-20, 1}};
  for (const auto& a : answers) {
    CHECK_EQUAL(sklar::fold(static_cast<T>(a.y)), static_cast<T>(a.folded));
    CHECK_EQUAL(sklar::fold_sign(static_cast<T>(a.y)), static_cast<T>(a.sign));
  }
  // what rounds to 2 from below is on the face
  CHECK_EQUAL(sklar::fold(static_cast<T>(-1e-30)), T(0));
}

template <class T>
void identities() {
  const closed_form::Vector random = closed_form::normals(20000, 1, 3);
  for (double x : random) {
    // multiples of 2^-10 so that shifts by whole numbers are exact in both precisions
    const T y = static_cast<T>(std::round(x * 8 * 1024) / 1024);
    const T f = sklar::fold(y);
    CHECK(f >= 0 && f <= 1);
    CHECK_EQUAL(sklar::fold(f), f);
    CHECK_EQUAL(sklar::fold(y + 2), f);
    CHECK_EQUAL(sklar::fold(-y), f);
    CHECK_EQUAL(sklar::fold(2 - y), f);
    CHECK_EQUAL(sklar::fold_sign(y + 2), sklar::fold_sign(y));
    // off the corners the derivative is odd, and the slope between neighbours
    if (y != std::floor(y)) {
      CHECK_EQUAL(sklar::fold_sign(-y), -sklar::fold_sign(y));
      const T h = T(1) / 2048;
      CHECK_EQUAL((sklar::fold(y + h) - sklar::fold(y - h)) / (2 * h), sklar::fold_sign(y));
    }
    // the definition
    const double remainder = static_cast<double>(y) - 2 * std::floor(static_cast<double>(y) / 2);
    CHECK_EQUAL(static_cast<double>(f), 1 - std::abs(remainder - 1));
  }
}

}  // namespace

TEST_CASE("25: fold and its sign at known places") {
  known_answers<float>();
  known_answers<double>();
}

TEST_CASE("25: identities of fold are exact") {
  identities<float>();
  identities<double>();
}
