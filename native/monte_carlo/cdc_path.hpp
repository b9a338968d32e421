#pragma once

#include <algorithm>

#include "model/cdc.hpp"
#include "monte_carlo/level_path.hpp"

namespace sklar {

// The noise levels of a CDC as a path, in the network's coordinates y = L^-1 z.
template <class T>
class CdcPath final : public LevelPath<T> {
 public:
  CdcPath(Cdc<T>& model, const CancelFlag& cancel) : model_(model), cancel_(cancel) {}

  std::size_t dim() const override { return model_.dim(); }
  std::size_t last() const override { return model_.levels().last(); }
  void evaluate(MatrixView<const T> y, std::size_t level, double share, double* above, double* below,
                MatrixView<T> gradient) override {
    in_batches(y.rows, model_.bridge_rows(), cancel_, {}, [&](std::size_t first, std::size_t count) {
      model_.bridge(rows_from(y, first, count), level, share, above ? above + first : nullptr,
                    below ? below + first : nullptr, rows_from(gradient, first, count));
    });
  }
  void pull_back(MatrixView<const T> y, std::size_t level, MatrixView<const T> r,
                 MatrixView<T> product) override {
    in_batches(y.rows, model_.bridge_rows(), cancel_, {}, [&](std::size_t first, std::size_t count) {
      model_.hessian_product(rows_from(y, first, count), level, rows_from(r, first, count),
                             rows_from(product, first, count));
    });
  }

 private:
  Cdc<T>& model_;
  const CancelFlag& cancel_;
};

}  // namespace sklar
