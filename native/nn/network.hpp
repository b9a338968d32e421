#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"

// Networks as four passes: forward, adjoint, tangent, second adjoint. With them the gradient of a loss that
// contains an input gradient (a denoiser, a score) needs no tape and no second differentiation; see
// docs/mathematics.md, L.
namespace sklar {

// Where one named tensor lies in the flat parameter vector. Names are those of the published state dicts.
struct ParameterSlice {
  std::string name;
  std::size_t offset;
  std::size_t rows;
  std::size_t columns;  // 0: a vector of `rows`
  std::size_t fan_in;   // of the layer: initial values are uniform within +-1/sqrt(fan_in)
};

enum class Pass {
  value,
  gradient,
  training
};  // how much a workspace keeps: forward only, + adjoint (and the first-order gradient), all four

template <class T>
class Network {
 public:
  virtual ~Network() = default;

  // false: no device knows a network of this kind as a whole
  virtual bool describe(FusedNetwork<T>&) const { return false; }

  virtual std::size_t input_columns()
      const = 0;  // features; matrices given as inputs carry one more column, of ones
  virtual std::size_t output_columns() const = 0;
  virtual const std::vector<ParameterSlice>& slices() const = 0;
  std::size_t parameter_count() const { return slices().back().offset + slice_size(slices().back()); }
  static std::size_t slice_size(const ParameterSlice& s) { return s.columns ? s.rows * s.columns : s.rows; }

  // Workspaces grow on demand and are kept; call before the first pass with the largest number of rows to
  // come.
  virtual void reserve(std::size_t rows, Pass pass) = 0;
  // Takes over new parameter values (backend memory, parameter_count() of them).
  virtual void set_parameters(const T* parameters) = 0;

  // y = f(x). `pass` says what is kept for the passes below.
  virtual void forward(MatrixView<const T> x, MatrixView<T> y, Pass pass) = 0;
  // For the first e.rows rows of the last forward: x_adjoint = (dy/dx)^T e
  virtual void adjoint(MatrixView<const T> e, MatrixView<T> x_adjoint, Pass pass) = 0;
  // gradient = d/dparameters ( sum over rows of c . y ) for all rows of the last forward; takes the place of
  // adjoint
  virtual void backward(MatrixView<const T> c, T* gradient) = 0;
};

// A network whose input gradient can be trained.
template <class T>
class SecondOrderNetwork : public Network<T> {
 public:
  // After forward and adjoint of Pass::training, any number of times before tangent: direction r of the input
  // (its last column zero), x_second = d/dx ( r . (dy/dx)^T e ), the Hessian of e . y times r
  virtual void hessian_product(MatrixView<const T> r, MatrixView<T> x_second) = 0;
  // After adjoint: direction r of the input (its last column zero), same rows; y_tangent = (dy/dx) r if
  // wanted
  virtual void tangent(MatrixView<const T> r, MatrixView<T> y_tangent) = 0;
  // After tangent: gradient = d/dparameters ( sum over rows of  c . y  +  r . (dy/dx)^T e ), c for all rows
  // of the forward. The arguments of the earlier passes must still be there.
  virtual void parameter_gradient(MatrixView<const T> c, T* gradient) = 0;
};

enum class Activation { silu, published };  // inside a block; the outer one is SiLU in both. published: ReLU

struct ResidualMlpShape {
  std::size_t inputs, hidden, depth, outputs;
  Activation activation;
  const char* head = "classifier_head";  // name of the last layer
};

// h = W0 x + b0; `depth` blocks h <- silu(h + W2 f(W1 h + b1) + b2); y = Wh h + bh
template <class T>
std::unique_ptr<SecondOrderNetwork<T>> make_residual_mlp(Backend<T>& backend, const ResidualMlpShape& shape);

std::vector<ParameterSlice> residual_mlp_slices(const ResidualMlpShape& shape);

// The published reflection network: Linear, then (Linear, SiLU) x (layers - 1), then Linear; nothing stands
// between the first two.
struct MlpShape {
  std::size_t inputs, hidden, layers, outputs;
};

template <class T>
std::unique_ptr<Network<T>> make_mlp(Backend<T>& backend, const MlpShape& shape);

std::vector<ParameterSlice> mlp_slices(const MlpShape& shape);

}  // namespace sklar
