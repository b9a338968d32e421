#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sklar {

// Step sizes of rows that each go their own way from `start` to `end` in some clock (docs/mathematics.md, J):
// PID control of log error (Soederlind, 2003), on the host.
class StepControl {
 public:
  struct Gains {
    double order;  // the error of a step goes like h^order
    double proportional, integral, derivative;
  };

  StepControl(std::size_t rows, double start, double end, double first_step, const Gains& gains);

  std::size_t rows() const { return at_.size(); }
  bool done(std::size_t i) const { return at_[i] == end_; }
  bool all_done() const { return running_ == 0; }
  double at(std::size_t i) const { return at_[i]; }
  // Where the row stands after its trial step; itself for a row that is done.
  double next(std::size_t i) const;
  double step(std::size_t i) const { return next(i) - at_[i]; }  // signed
  // Takes the judgement of the trial step of row i, error < 1 being good enough, and says whether it counts.
  // A row whose steps became too short or too many is `stuck`.
  bool judge(std::size_t i, double error);
  bool stuck(std::size_t i) const { return stuck_[i] != 0; }
  // Rows that are to be kept on, in this order.
  void keep(const std::vector<std::uint32_t>& rows);
  std::uint64_t attempts(std::size_t i) const { return attempts_[i]; }

 private:
  double end_, span_;
  Gains gains_;
  std::size_t running_;
  std::vector<double> at_, size_, before_,
      before_that_;  // size: unsigned; errors of the last two accepted steps
  std::vector<std::uint64_t> attempts_;
  std::vector<char> stuck_;
};

}  // namespace sklar
