#pragma once

#include <memory>
#include <vector>

#include "integrate/steps/linear_steps.hpp"

// What all solvers share: the state, the field at it, increments of Brownian motion.
namespace sklar {

template <class T>
class Trajectory {
 public:
  Trajectory(Backend<T>& backend, Field<T>& field, const SolverOptions& options, MatrixView<T> y,
             const DivergenceIntegral* divergence, const CancelFlag& cancel);

  Backend<T>& backend;
  Field<T>& field;
  const SolverOptions& options;
  const DivergenceIntegral* divergence;
  const CancelFlag& cancel;
  MatrixView<T> y;  // with its column of ones
  MatrixView<T> z;  // without
  std::uint64_t evaluations = 0;

  bool reflected() const { return on_cube(field.process()); }
  std::size_t rows() const { return y.rows; }
  std::size_t dim() const { return z.columns; }
  double node(std::size_t i) const { return options.nodes[i]; }
  std::size_t steps() const { return options.nodes.size() - 1; }
  Matrix<T> vectors() const { return backend.matrix(rows(), dim()); }
  // A second state: a column of ones behind it.
  Matrix<T> state() const;
  MatrixView<T> inner(const Matrix<T>& state) const { return {state.data(), rows(), dim(), state.stride()}; }

  // out = the field at the rows of `at`, all at one time. A field on the cube is continued beyond its faces,
  // where it takes `at` folded and turns round its sign. divergence (backend memory, rows x columns of the
  // integral): or null.
  void evaluate(MatrixView<const T> at, double time, Form form, MatrixView<T> out,
                double* divergence_out = nullptr);
  // The same with a time for each row (backend memory).
  void evaluate(MatrixView<const T> at, const double* times, Form form, MatrixView<T> out,
                double* divergence_out);

  // Adds the noise of a move to the sum: of the Brownian path over its step of the grid where there is one.
  void add_noise(Combine<T>& sum, const LinearStep& step);
  // W ~ N(0, h) and H ~ N(0, h / 12) of the step from node i, as factors of the matrices w and h.
  struct Increment {
    MatrixView<const T> w, h;
    double w_scale = 1, h_scale = 1;
  };
  Increment increment(std::size_t i);
  double forward_time(double time) const { return sklar::forward_time(field.process(), time); }
  BrownianPath path() const { return {options.seed, options.first_row, nullptr, span_}; }

  // As the function of this name, carried out.
  bool leave_reference(std::size_t i);

 private:
  void brownian_between_nodes(std::size_t i);

  Matrix<T> folded_, w_, h_;
  Buffer<double> times_, from_, to_;
  double origin_ = 0, span_ = 0;  // of the Brownian path
};

// Advances the state from node i to the next, by a rule that is not linear.
template <class T>
class Stepper {
 public:
  virtual ~Stepper() = default;
  virtual void step(std::size_t i) = 0;
};

template <class T>
std::unique_ptr<Stepper<T>> make_runge_kutta(Trajectory<T>& trajectory);
template <class T>
std::unique_ptr<Stepper<T>> make_stochastic_runge_kutta(Trajectory<T>& trajectory);

// With steps of their own for each row.
template <class T>
SolverStatistics integrate_adaptively(Trajectory<T>& trajectory);

}  // namespace sklar
