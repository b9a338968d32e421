#include "core/error.hpp"
#include "nn/network.hpp"

namespace sklar {

std::vector<ParameterSlice> mlp_slices(const MlpShape& shape) {
  std::vector<ParameterSlice> slices;
  std::size_t offset = 0;
  // positions in the published nn.Sequential, in which activations have numbers too
  auto linear = [&](std::size_t position, std::size_t rows, std::size_t columns) {
    const std::string name = "model." + std::to_string(position);
    slices.push_back({name + ".weight", offset, rows, columns, columns});
    offset += rows * columns;
    slices.push_back({name + ".bias", offset, rows, 0, columns});
    offset += rows;
  };
  linear(0, shape.hidden, shape.inputs);
  for (std::size_t k = 1; k < shape.layers; ++k) linear(2 * k - 1, shape.hidden, shape.hidden);
  linear(2 * shape.layers - 1, shape.outputs, shape.hidden);
  return slices;
}

namespace {

template <class T>
class Mlp final : public Network<T> {
 public:
  Mlp(Backend<T>& backend, const MlpShape& shape)
      : backend_(backend), shape_(shape), slices_(mlp_slices(shape)), layers_(shape.layers + 1) {
    if (!shape.inputs || !shape.hidden || shape.layers < 2 || !shape.outputs)
      throw Error("SHAPE", "network: inputs, hidden width and outputs must be at least 1, layers at least 2");
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      layer.rows = slices_[2 * i].rows;
      layer.columns = slices_[2 * i].columns;
      layer.smooth = i > 0 && i + 1 < layers_.size();
    }
    gradient_ = backend.matrix(shape.inputs + 1, shape.hidden);
  }

  std::size_t input_columns() const override { return shape_.inputs; }
  std::size_t output_columns() const override { return shape_.outputs; }
  const std::vector<ParameterSlice>& slices() const override { return slices_; }

  void reserve(std::size_t rows, Pass pass) override {
    if (rows <= rows_ && pass <= pass_) return;
    rows_ = std::max(rows, rows_);
    pass_ = std::max(pass, pass_);
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      const auto make = [&](Use use) { return backend_.activations(rows_, layer.rows, use); };
      layer.out = make(Use::precise_factor);
      if (pass_ == Pass::value) continue;
      if (layer.smooth) layer.slope = make(Use::slope);
      layer.adjoint = make(Use::factor);
    }
  }

  void set_parameters(const T* parameters) override {
    backend_.together([&] {
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        Layer& layer = layers_[i];
        const T* w = parameters + slices_[2 * i].offset;
        layer.bias = parameters + slices_[2 * i + 1].offset;
        backend_.pack(layer.forward, w, layer.columns, layer.columns, layer.rows, Orientation::transposed);
        backend_.pack(layer.backward, w, layer.columns, layer.rows, layer.columns, Orientation::as_is);
      }
    });
  }

  void forward(MatrixView<const T> x, MatrixView<T> y, Pass pass) override {
    backend_.together([&] {
      reserve(x.rows, pass);
      const bool keep = pass_ != Pass::value;
      x_ = x;
      // the input carries a column of ones, which the first layer's weights do not know
      MatrixView<const T> in{x.data, x.rows, shape_.inputs, x.stride};
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        Layer& layer = layers_[i];
        const bool last = i + 1 == layers_.size();
        const MatrixView<T> out = last ? y : layer.out.first(x.rows);
        EpilogueOperands<T> e;
        e.kind = !layer.smooth ? Epilogue::store : keep ? Epilogue::inner_silu_1 : Epilogue::inner_silu;
        e.bias = layer.bias;
        e.out[0] = out;
        if (layer.smooth && keep) e.out[1] = layer.slope.first(x.rows);
        backend_.linear(in, layer.forward, e);
        in = out;
      }
    });
  }

  void adjoint(MatrixView<const T> e, MatrixView<T> x_adjoint, Pass) override {
    backend_.together([&] {
      MatrixView<const T> from = e;
      for (std::size_t i = layers_.size() - 1; i > 0; --i) {
        Layer& below = layers_[i - 1];
        EpilogueOperands<T> operands;
        operands.kind = below.smooth ? Epilogue::inner_adjoint_silu : Epilogue::store;
        operands.out[0] = below.adjoint.first(e.rows);
        if (below.smooth) operands.in[0] = below.slope.first(e.rows);
        backend_.linear(from, layers_[i].backward, operands);
        from = below.adjoint.first(e.rows);
      }
      if (!x_adjoint.data) return;
      EpilogueOperands<T> operands;
      operands.out[0] = x_adjoint;
      backend_.linear(from, layers_[0].backward, operands);
    });
  }

  void backward(MatrixView<const T> c, T* gradient) override {
    std::vector<OuterProduct<T>> products;
    for (std::size_t i = 1; i < layers_.size(); ++i) {
      OuterProduct<T> p;
      p.segment[0] = {i + 1 < layers_.size() ? MatrixView<const T>(layers_[i].adjoint.first(c.rows)) : c,
                      layers_[i - 1].out.first(c.rows)};
      p.c = gradient + slices_[2 * i].offset;
      p.c_stride = layers_[i].columns;
      p.column_sums = gradient + slices_[2 * i + 1].offset;
      products.push_back(p);
    }
    OuterProduct<T> first;  // the column of ones makes the bias
    first.segment[0] = {x_, layers_[0].adjoint.first(c.rows)};
    first.c = gradient_.data();
    first.c_stride = gradient_.stride();
    products.push_back(first);
    backend_.together([&] {
      adjoint(c, {}, Pass::gradient);
      backend_.outer(products);
    });
    const std::size_t d = shape_.inputs, h = shape_.hidden;
    backend_.transpose({gradient + slices_[0].offset, h, d, d},
                       MatrixView<const T>{gradient_.data(), d, h, gradient_.stride()});
    backend_.copy(gradient + slices_[1].offset, gradient_.view().row(d), h * sizeof(T));
  }

 private:
  struct Layer {
    std::size_t rows = 0, columns = 0;
    bool smooth = false;  // followed by SiLU
    const T* bias = nullptr;
    PackedMatrix<T> forward, backward;
    Matrix<T> out, slope, adjoint;  // adjoint: of what the linear map gives, before the activation
  };

  Backend<T>& backend_;
  MlpShape shape_;
  std::vector<ParameterSlice> slices_;
  std::vector<Layer> layers_;
  std::size_t rows_ = 0;
  Pass pass_ = Pass::value;
  Matrix<T> gradient_;  // [W0 | b0]^T
  MatrixView<const T> x_;
};

}  // namespace

template <class T>
std::unique_ptr<Network<T>> make_mlp(Backend<T>& backend, const MlpShape& shape) {
  return std::make_unique<Mlp<T>>(backend, shape);
}
template std::unique_ptr<Network<float>> make_mlp(Backend<float>&, const MlpShape&);
template std::unique_ptr<Network<double>> make_mlp(Backend<double>&, const MlpShape&);

}  // namespace sklar
