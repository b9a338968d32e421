#pragma once

#include <functional>
#include <vector>

#include "backend/backend.hpp"
#include "core/error.hpp"

namespace sklar {

// Holds the rows of a state that leave the finite numbers at their last good state, without waiting for the
// backend at each step.
template <class T>
class LastGood {
 public:
  LastGood(Backend<T>& backend, MatrixView<T> z, std::uint64_t first_row);

  void keep(std::size_t step);  // after each step, counted from 0
  // The steps that rows did not survive, counted from 1, or 0: for a device that does by itself what keep
  // does.
  std::int32_t* failed() const { return failed_.data(); }
  // Throws Diverged if a row was lost so far; time(i): where step i begins, step i - 1 ends.
  void check(const std::function<double(std::size_t)>& time);

 private:
  Backend<T>& backend_;
  MatrixView<T> z_;
  std::uint64_t first_row_;
  Matrix<T> good_;
  Buffer<std::int32_t> failed_;
  std::vector<std::int32_t> host_;
};

// `to`: the time that the first of the rows was on its way to.
[[noreturn]] void throw_diverged(LastGoodState state, double to);

}  // namespace sklar
