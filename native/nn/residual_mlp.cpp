#include "core/error.hpp"
#include "nn/network.hpp"

namespace sklar {

std::vector<ParameterSlice> residual_mlp_slices(const ResidualMlpShape& shape) {
  std::vector<ParameterSlice> slices;
  std::size_t offset = 0;
  auto linear = [&](const std::string& name, std::size_t rows, std::size_t columns) {
    slices.push_back({name + ".weight", offset, rows, columns, columns});
    offset += rows * columns;
    slices.push_back({name + ".bias", offset, rows, 0, columns});
    offset += rows;
  };
  linear("backbone.input_proj", shape.hidden, shape.inputs);
  for (std::size_t k = 0; k < shape.depth; ++k) {
    const std::string block = "backbone.resblocks." + std::to_string(k) + ".net.";
    linear(block + "0", shape.hidden, shape.hidden);
    linear(block + "2", shape.hidden, shape.hidden);
  }
  linear(shape.head, shape.outputs, shape.hidden);
  return slices;
}

namespace {

// Nothing stands between the input projection and the first linear map of block 0, so their product is formed
// once for each set of parameters and replaces a hidden x hidden product in every pass ("merged").
constexpr std::size_t merge_ratio = 8;

template <class T>
struct Weight {
  const T* w = nullptr;
  const T* b = nullptr;
  std::size_t rows = 0, columns = 0;
  PackedMatrix<T> forward;  // w^T: y = x forward
  PackedMatrix<T> adjoint;  // w
};

// What the passes leave behind for one block. Names as in docs/mathematics.md, L: a, z inputs of the inner
// and outer activation. Arrays are reused when the later pass no longer needs the earlier one's values.
template <class T>
struct Block {
  Matrix<T> h;       // input of the block
  Matrix<T> p;       // f(a)
  Matrix<T> f1, f2;  // f'(a), f''(a); SiLU only. The second adjoint N takes f2's place
  Matrix<T> s1, s2;  // silu'(z), silu''(z). s2 becomes silu''(z) z-dot lambda
  Matrix<T> lambda;  // adjoint of the block's output. The second adjoint M takes its place
  Matrix<T> mu, nu;  // adjoints of z, a
  Matrix<T> kappa;   // adjoint of p; becomes f''(a) a-dot kappa. SiLU only
  Matrix<T> dp, dh;  // tangents of p and of the block's input
  Matrix<T> n;       // second adjoint of a; ReLU only

  Matrix<T>& m() { return lambda; }
  Matrix<T>& second_n(bool relu) { return relu ? n : f2; }
};

template <class T>
class ResidualMlp final : public SecondOrderNetwork<T> {
 public:
  ResidualMlp(Backend<T>& backend, const ResidualMlpShape& shape)
      : backend_(backend),
        shape_(shape),
        slices_(residual_mlp_slices(shape)),
        relu_(shape.activation == Activation::published),
        merge_(shape.inputs * merge_ratio <= shape.hidden) {
    if (!shape.inputs || !shape.hidden || !shape.depth || !shape.outputs)
      throw Error("SHAPE", "residual network: inputs, hidden width, depth and outputs must be at least 1");
    linears_.resize(2 * shape.depth);
    blocks_.resize(shape.depth);
    input_ = backend.matrix(shape.inputs + 1, shape.hidden);
    if (merge_) {
      merged_ = backend.matrix(shape.inputs + 1, shape.hidden);
      first_sums_ = backend.matrix(shape.inputs + 1, shape.hidden);
    }
    input_gradient_ = backend.matrix(shape.inputs + 1, shape.hidden);
  }

  std::size_t input_columns() const override { return shape_.inputs; }
  std::size_t output_columns() const override { return shape_.outputs; }
  const std::vector<ParameterSlice>& slices() const override { return slices_; }

  bool describe(FusedNetwork<T>& network) const override {
    network.parameters = parameters_;
    network.inputs = shape_.inputs;
    network.hidden = shape_.hidden;
    network.depth = shape_.depth;
    network.outputs = shape_.outputs;
    network.relu = relu_;
    return true;
  }

  void reserve(std::size_t rows, Pass pass) override {
    if (rows <= rows_ && pass <= pass_) return;
    rows_ = std::max(rows, rows_);
    pass_ = std::max(pass, pass_);
    const auto make = [&](Use use) { return backend_.activations(rows_, shape_.hidden, use); };
    if (pass_ == Pass::value) {  // two arrays in turn serve all blocks
      for (auto* m : {&top_, &blocks_[0].h}) *m = make(Use::precise_stream);
      blocks_[0].p = make(Use::precise_factor);
      return;
    }
    top_ = make(Use::precise_stream);
    for (auto& b : blocks_) {
      b.h = make(Use::precise_stream);
      b.p = make(Use::precise_factor);
      b.s1 = make(Use::slope);
      for (auto* m : {&b.lambda, &b.mu}) *m = make(Use::stream);
      b.nu = make(Use::factor);
      if (!relu_) b.f1 = make(Use::slope);
      if (pass_ == Pass::training) {
        b.s2 = make(Use::slope);
        b.dp = make(Use::factor);
        b.dh = make(Use::stream);
        if (relu_)
          b.n = make(Use::factor);
        else
          for (auto* m : {&b.f2, &b.kappa}) *m = make(Use::slope);
      }
    }
    if (!merge_) bottom_lambda_ = make(Use::factor);
    if (pass_ == Pass::training) {
      top_tangent_ = make(Use::stream);
      if (!merge_) bottom_second_ = make(Use::factor);
    }
  }

  void set_parameters(const T* parameters) override {
    parameters_ = parameters;
    const std::size_t d = shape_.inputs, h = shape_.hidden;
    auto at = [&](std::size_t i) { return parameters + slices_[i].offset; };
    backend_.transpose(MatrixView<T>{input_.data(), d, h, input_.stride()}, {at(0), h, d, d});
    backend_.copy(input_.view().row(d), at(1), h * sizeof(T));
    backend_.together([&] {
      backend_.pack(input_forward_, input_.data(), input_.stride(), d + 1, h, Orientation::as_is);
      backend_.pack(input_adjoint_, input_.data(), input_.stride(), h, d, Orientation::transposed);
      for (std::size_t i = 0; i < linears_.size(); ++i) {
        linears_[i].w = at(2 + 2 * i);
        linears_[i].b = at(3 + 2 * i);
        pack_weight(linears_[i], h, h);
      }
      head_.w = at(2 + 2 * linears_.size());
      head_.b = at(3 + 2 * linears_.size());
      pack_weight(head_, shape_.outputs, h);
    });
    if (merge_) {
      if (!backend_.merge_linear(merged_, at(0), at(1), linears_[0].w, linears_[0].b)) {
        product(input_, linears_[0].forward, Epilogue::store, nullptr, {merged_});
        Combine<T> bias;
        bias.to = {merged_.view().row(d), 1, h, merged_.stride()};
        backend_.combine(bias.add(bias.to, 1).add({linears_[0].b, 1, h, h}, 1));
      }
      backend_.together([&] {
        backend_.pack(merged_forward_, merged_.data(), merged_.stride(), d + 1, h, Orientation::as_is);
        backend_.pack(merged_adjoint_, merged_.data(), merged_.stride(), h, d, Orientation::transposed);
      });
    }
  }

  void forward(MatrixView<const T> x, MatrixView<T> y, Pass pass) override {
    backend_.together([&] {
      using E = Epilogue;
      reserve(x.rows, pass);
      const std::size_t rows = x.rows;
      const bool keep = pass_ != Pass::value;
      x_ = x;
      Block<T>& first = blocks_[0];
      product(x, input_forward_, E::store, nullptr, {first.h.first(rows)});
      Matrix<T>* in = &first.h;
      Matrix<T>* spare = &top_;
      for (std::size_t k = 0; k < blocks_.size(); ++k) {
        Block<T>& b = keep ? blocks_[k] : first;
        Matrix<T>* out = keep ? (k + 1 < blocks_.size() ? &blocks_[k + 1].h : &top_) : spare;
        const auto p = b.p.first(rows);
        const E inner = relu_                    ? E::inner_relu
                        : pass == Pass::value    ? E::inner_silu
                        : pass == Pass::gradient ? E::inner_silu_1
                                                 : E::inner_silu_2;
        const E outer = pass == Pass::value ? E::outer : pass == Pass::gradient ? E::outer_1 : E::outer_2;
        const std::vector<MatrixView<T>> inner_out =
            relu_ || pass == Pass::value ? std::vector<MatrixView<T>>{p}
            : pass == Pass::gradient     ? std::vector<MatrixView<T>>{p, b.f1.first(rows)}
                                         : std::vector<MatrixView<T>>{p, b.f1.first(rows), b.f2.first(rows)};
        if (merge_ && k == 0) {
          product(x, merged_forward_, inner, nullptr, inner_out);
        } else {
          product(in->first(rows), linears_[2 * k].forward, inner, linears_[2 * k].b, inner_out);
        }
        const std::vector<MatrixView<T>> outer_out =
            pass == Pass::value ? std::vector<MatrixView<T>>{out->first(rows)}
            : pass == Pass::gradient
                ? std::vector<MatrixView<T>>{out->first(rows), b.s1.first(rows)}
                : std::vector<MatrixView<T>>{out->first(rows), b.s1.first(rows), b.s2.first(rows)};
        product(p, linears_[2 * k + 1].forward, outer, linears_[2 * k + 1].b, outer_out, {in->first(rows)});
        spare = in;
        in = out;
      }
      top_rows_ = in->first(rows);
      product(top_rows_, head_.forward, E::store, head_.b, {y});
    });
  }

  void adjoint(MatrixView<const T> e, MatrixView<T> x_adjoint, Pass pass) override {
    backend_.together([&] {
      using E = Epilogue;
      const std::size_t rows = e.rows, last = blocks_.size() - 1;
      e_ = e;
      product(e, head_.adjoint, E::top_adjoint, nullptr,
              {blocks_[last].lambda.first(rows), blocks_[last].mu.first(rows)},
              {blocks_[last].s1.first(rows)});
      for (std::size_t k = last + 1; k-- > 0;) {
        Block<T>& b = blocks_[k];
        const auto mu = b.mu.first(rows), nu = b.nu.first(rows);
        if (relu_) {
          product(mu, linears_[2 * k + 1].adjoint, E::inner_adjoint_relu, nullptr, {nu}, {b.p.first(rows)});
        } else if (pass == Pass::training) {
          product(mu, linears_[2 * k + 1].adjoint, E::inner_adjoint_silu_2, nullptr,
                  {nu, b.kappa.first(rows)}, {b.f1.first(rows)});
        } else {
          product(mu, linears_[2 * k + 1].adjoint, E::inner_adjoint_silu, nullptr, {nu}, {b.f1.first(rows)});
        }
        if (k > 0) {
          Block<T>& below = blocks_[k - 1];
          product(nu, linears_[2 * k].adjoint, E::outer_adjoint, nullptr,
                  {below.lambda.first(rows), below.mu.first(rows)}, {mu, below.s1.first(rows)});
        } else if (merge_) {
          if (!x_adjoint.data) continue;
          product(mu, input_adjoint_, E::store, nullptr, {x_adjoint});
          product(nu, merged_adjoint_, E::accumulate, nullptr, {x_adjoint}, {x_adjoint});
        } else {
          product(nu, linears_[0].adjoint, E::bottom_adjoint, nullptr, {bottom_lambda_.first(rows)}, {mu});
          if (x_adjoint.data)
            product(bottom_lambda_.first(rows), input_adjoint_, E::store, nullptr, {x_adjoint});
        }
      }
    });
  }

  void tangent(MatrixView<const T> r, MatrixView<T> y_tangent) override {
    backend_.together([&] {
      r_ = r;
      tangent_pass(r, [&](std::size_t k) -> Source { return {&blocks_[k].kappa, &blocks_[k].s2}; });
      if (y_tangent.data)
        product(top_tangent_.first(r.rows), head_.forward, Epilogue::store, nullptr, {y_tangent});
    });
  }

  // The tangent and second adjoint passes with no source but the first adjoint's, kept apart from its values
  void hessian_product(MatrixView<const T> r, MatrixView<T> x_second) override {
    backend_.together([&] {
      using E = Epilogue;
      const std::size_t rows = r.rows;
      reserve_second(rows);
      const auto source = [&](std::size_t k) -> Source { return {&source_a_[k], &source_z_[k]}; };
      tangent_pass(r, source);
      second_pass(no_output_.first(rows), rows, source, [&](std::size_t k) -> Second {
        return {&second_m_[k % 2], &second_n_};
      });
      const auto m = second_m_[0].first(rows), n = second_n_.first(rows);
      if (merge_) {
        product(m, input_adjoint_, E::store, nullptr, {x_second});
        product(n, merged_adjoint_, E::accumulate, nullptr, {x_second}, {x_second});
      } else {
        product(n, linears_[0].adjoint, E::bottom_second, nullptr, {bottom_second_.first(rows)}, {m});
        product(bottom_second_.first(rows), input_adjoint_, E::store, nullptr, {x_second});
      }
    });
  }

  void parameter_gradient(MatrixView<const T> c, T* gradient) override {
    backend_.together([&] {
      second_pass(
          c, e_.rows,
          [&](std::size_t k) -> Source {
            return {&blocks_[k].kappa, &blocks_[k].s2};
          },
          [&](std::size_t k) -> Second {
            return {&blocks_[k].m(), &blocks_[k].second_n(relu_)};
          });
    });
    outer_products(c, gradient, true);
  }

  void backward(MatrixView<const T> c, T* gradient) override {
    backend_.together([&] {
      adjoint(c, {}, Pass::gradient);
      outer_products(c, gradient, false);
    });
  }

 private:
  void reserve_second(std::size_t rows) {
    if (second_n_.rows() >= rows) return;
    const auto make = [&](Use use) { return backend_.activations(rows_, shape_.hidden, use); };
    source_a_.resize(blocks_.size());
    source_z_.resize(blocks_.size());
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
      if (!relu_) source_a_[k] = make(Use::slope);
      source_z_[k] = make(Use::slope);
    }
    for (auto& m : second_m_) m = make(Use::stream);
    second_n_ = make(Use::factor);
    no_output_ = backend_.matrix(rows_, shape_.outputs);
  }

  void pack_weight(Weight<T>& w, std::size_t rows, std::size_t columns) {
    w.rows = rows;
    w.columns = columns;
    backend_.pack(w.forward, w.w, columns, columns, rows, Orientation::transposed);
    backend_.pack(w.adjoint, w.w, columns, rows, columns, Orientation::as_is);
  }

  void product(MatrixView<const T> x, const PackedMatrix<T>& w, Epilogue kind, const T* bias,
               const std::vector<MatrixView<T>>& out, const std::vector<MatrixView<const T>>& in = {},
               std::size_t active = ~std::size_t{0}) {
    EpilogueOperands<T> e;
    e.kind = kind;
    e.bias = bias;
    e.active = active;
    for (std::size_t i = 0; i < out.size(); ++i) e.out[i] = out[i];
    for (std::size_t i = 0; i < in.size(); ++i) e.in[i] = in[i];
    backend_.linear(x, w, e);
  }

  // Where the second-order sources of a block are: f''(a) a-dot kappa (not of relu) and silu''(z) z-dot
  // lambda.
  struct Source {
    const Matrix<T>*a, *z;
  };
  // Where its second adjoints M and N go.
  struct Second {
    const Matrix<T>*m, *n;
  };

  template <class Sources>
  void tangent_pass(MatrixView<const T> r, Sources&& source) {
    using E = Epilogue;
    const std::size_t rows = r.rows;
    product(r, input_forward_, E::store, nullptr, {blocks_[0].dh.first(rows)});
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
      Block<T>& b = blocks_[k];
      const Source to = source(k);
      const auto dp = b.dp.first(rows), dh = b.dh.first(rows);
      const auto out = k + 1 < blocks_.size() ? blocks_[k + 1].dh.first(rows) : top_tangent_.first(rows);
      const bool merged = merge_ && k == 0;
      const auto& in = merged ? r : MatrixView<const T>(dh);
      const auto& w = merged ? merged_forward_ : linears_[2 * k].forward;
      if (relu_)
        product(in, w, E::inner_tangent_relu, nullptr, {dp}, {b.p.first(rows)});
      else
        product(in, w, E::inner_tangent_silu, nullptr, {dp, to.a->first(rows)},
                {b.f1.first(rows), b.f2.first(rows), b.kappa.first(rows)});
      product(dp, linears_[2 * k + 1].forward, E::outer_tangent, nullptr, {out, to.z->first(rows)},
              {dh, b.s1.first(rows), b.s2.first(rows), b.lambda.first(rows)});
    }
  }

  // M and N of every block, from the adjoint c of the output; rows from `active` on have no source.
  template <class Sources, class Seconds>
  void second_pass(MatrixView<const T> c, std::size_t active, Sources&& source, Seconds&& second) {
    using E = Epilogue;
    const std::size_t rows = c.rows, last = blocks_.size() - 1;
    product(c, head_.adjoint, E::top_second, nullptr, {second(last).m->first(rows)},
            {blocks_[last].s1.first(rows), source(last).z->first(rows)}, active);
    for (std::size_t k = last + 1; k-- > 0;) {
      Block<T>& b = blocks_[k];
      const auto m = second(k).m->first(rows), n = second(k).n->first(rows);
      if (relu_)
        product(m, linears_[2 * k + 1].adjoint, E::inner_second_relu, nullptr, {n}, {b.p.first(rows)});
      else
        product(m, linears_[2 * k + 1].adjoint, E::inner_second_silu, nullptr, {n},
                {b.f1.first(rows), source(k).a->first(rows)}, active);
      if (k > 0)
        product(n, linears_[2 * k].adjoint, E::outer_second, nullptr, {second(k - 1).m->first(rows)},
                {m, blocks_[k - 1].s1.first(rows), source(k - 1).z->first(rows)}, active);
    }
  }

  // every weight gradient is one product with a doubled inner length: value part over all rows, tangent part
  // over the active ones. First order: the value part alone, its adjoints are mu and nu
  void outer_products(MatrixView<const T> c, T* gradient, bool second_order) {
    const std::size_t rows = c.rows, active = second_order ? e_.rows : 0, d = shape_.inputs,
                      h = shape_.hidden;
    auto at = [&](std::size_t i) { return gradient + slices_[i].offset; };
    auto pair = [&](MatrixView<const T> a, MatrixView<const T> b, MatrixView<const T> a2,
                    MatrixView<const T> b2, T* to, std::size_t stride, T* sums) {
      OuterProduct<T> p;
      p.segment[0] = {a, b};
      p.segment[1] = {a2, b2};
      p.segments = active ? 2 : 1;
      p.c = to;
      p.c_stride = stride;
      p.column_sums = sums;
      return p;
    };
    std::vector<OuterProduct<T>> products;
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
      Block<T>& b = blocks_[k];
      const std::size_t first = 2 + 4 * k;
      const auto m = (second_order ? b.m() : b.mu).first(rows);
      const auto n = (second_order ? b.second_n(relu_) : b.nu).first(rows);
      const auto mu = b.mu.first(active), nu = b.nu.first(active);
      products.push_back(pair(m, b.p.first(rows), mu, b.dp.first(active), at(first + 2), h, at(first + 3)));
      if (k > 0 || !merge_)
        products.push_back(pair(n, b.h.first(rows), nu, b.dh.first(active), at(first), h, at(first + 1)));
    }
    const std::size_t head = slices_.size() - 2;
    const auto e = e_.first(active), r = second_order ? r_ : MatrixView<const T>{};
    products.push_back(pair(c, top_rows_, e, top_tangent_.first(active), at(head), h, at(head + 1)));

    Block<T>& b = blocks_[0];
    const auto m = (second_order ? b.m() : b.mu).first(rows);
    const auto n = (second_order ? b.second_n(relu_) : b.nu).first(rows);
    const auto mu = b.mu.first(active), nu = b.nu.first(active);
    if (merge_) {
      // [x|1]^T N + [r|0]^T nu and the same with M: the latter and the former times W1 make the input
      // projection's gradient, the former times [W0|b0] that of W1
      products.push_back(pair(x_, n, r, nu, first_sums_.data(), first_sums_.stride(), nullptr));
      products.push_back(pair(x_, m, r, mu, input_gradient_.data(), input_gradient_.stride(), nullptr));
      backend_.outer(products);
      if (backend_.merged_gradient(
              {first_sums_, input_gradient_, input_, linears_[0].w, at(2), at(3), at(0), at(1)}))
        return;
      OuterProduct<T> w1;
      w1.segment[0] = {first_sums_, input_};
      w1.c = at(2);
      w1.c_stride = h;
      backend_.outer(std::span<const OuterProduct<T>>(&w1, 1));
      backend_.copy(at(3), first_sums_.view().row(d), h * sizeof(T));
      product(first_sums_, linears_[0].adjoint, Epilogue::accumulate, nullptr, {input_gradient_},
              {input_gradient_});
    } else {
      const auto bottom = (second_order ? bottom_second_ : bottom_lambda_).first(rows);
      if (second_order) product(n, linears_[0].adjoint, Epilogue::bottom_second, nullptr, {bottom}, {m});
      products.push_back(pair(x_, bottom, r, bottom_lambda_.first(active), input_gradient_.data(),
                              input_gradient_.stride(), nullptr));
      backend_.outer(products);
    }
    backend_.transpose({at(0), h, d, d},
                       MatrixView<const T>{input_gradient_.data(), d, h, input_gradient_.stride()});
    backend_.copy(at(1), input_gradient_.view().row(d), h * sizeof(T));
  }

  Backend<T>& backend_;
  ResidualMlpShape shape_;
  std::vector<ParameterSlice> slices_;
  bool relu_, merge_;
  const T* parameters_ = nullptr;

  Matrix<T> input_;  // [W0 | b0]^T
  PackedMatrix<T> input_forward_, input_adjoint_;
  Matrix<T> merged_;  // [W1 W0 | W1 b0 + b1]^T of block 0
  PackedMatrix<T> merged_forward_, merged_adjoint_;
  std::vector<Weight<T>> linears_;
  Weight<T> head_;

  std::size_t rows_ = 0;
  Pass pass_ = Pass::value;
  std::vector<Block<T>> blocks_;
  Matrix<T> top_, top_tangent_;
  Matrix<T> bottom_lambda_, bottom_second_;  // adjoints of the input projection, where it is not merged
  Matrix<T> first_sums_, input_gradient_;
  MatrixView<const T> x_, e_, r_, top_rows_;
  // of hessian_product: f''(a) a-dot kappa and silu''(z) z-dot lambda of each block, M of two blocks in turn,
  // N
  std::vector<Matrix<T>> source_a_, source_z_;
  Matrix<T> second_m_[2], second_n_, no_output_;
};

}  // namespace

template <class T>
std::unique_ptr<SecondOrderNetwork<T>> make_residual_mlp(Backend<T>& backend, const ResidualMlpShape& shape) {
  return std::make_unique<ResidualMlp<T>>(backend, shape);
}
template std::unique_ptr<SecondOrderNetwork<float>> make_residual_mlp(Backend<float>&,
                                                                      const ResidualMlpShape&);
template std::unique_ptr<SecondOrderNetwork<double>> make_residual_mlp(Backend<double>&,
                                                                       const ResidualMlpShape&);

}  // namespace sklar
