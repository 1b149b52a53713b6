// SPDX-License-Identifier: Apache-2.0
// A matrix product with its parameters; where the tensor axis cuts the matrix, here are the sums that make it whole.
#pragma once

#include <cstdint>
#include <string>

#include "core/model/layer.h"
#include "core/model/parametrization.h"

namespace trireme {

/// y = x * weight^T (+ bias) (+ residual). Cut along dim 0 (outputs), it reads rows of the residual stream, which it
/// gathers, and gives columns; cut along dim 1 (inputs), it reads columns and gives rows, summed over the tensor axis
/// (Shoeybi et al. 2019, with the sequence parallelism of Korthikanti et al. 2022). N rows in all, n = N / tensor here.
class Projection {
 public:
  struct Spec {
    std::string name;  // "blocks.3.mlp.up": parameters are name.weight [out, in] and name.bias [out]
    int block = 0;
    std::int64_t in = 0;
    std::int64_t out = 0;
    bool bias = false;
    Start start;  // of the weight
    Cut cut;      // of the weight
  };
  explicit Projection(Spec spec) : spec_(std::move(spec)) {}

  void params(ParamTable& table);
  /// Columns that this rank has of the dim that is cut.
  std::int64_t local_columns(std::int64_t tensor) const;
  /// `full` is scratch [N, D] for all rows, D the uncut dim: needed when the tensor axis has more than one rank. Two
  /// projections may use the same.
  void use(Slot full) { full_ = full; }
  /// Cut along dim 0: x [n, in] -> y [N, local columns]. Along dim 1: x [N, local columns] -> y [n, out], y may be
  /// residual's memory.
  void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y,
               const Tensor& residual = {}) const;
  /// The bias's gradient, for an operation that adds dy's column sums as it makes dy; none where there is no bias. Cut
  /// along dim 0 only.
  Tensor bias_gradient(const Weights& gradients) const;
  /// Adds the gradients of weight and bias, given dy of y's shape; of the weight alone where the bias's is done.
  void backward_weights(const Pass& pass, const Weights& gradients, const Tensor& dy, const Tensor& x,
                        bool bias_done = false) const;
  /// dx of x's shape is written; comes after backward_weights, whose scratch it reads.
  void backward_input(const Pass& pass, const Weights& weights, const Tensor& dy, const Tensor& dx) const;

 private:
  Spec spec_;
  ParamId weight_, bias_;
  Slot full_;
};

}  // namespace trireme
