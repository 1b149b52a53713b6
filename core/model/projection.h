// SPDX-License-Identifier: Apache-2.0
// A matrix product with its parameters; where the tensor axis cuts the matrix, here are the sums that make it whole.
#pragma once

#include <cstdint>
#include <string>

#include "core/model/layer.h"

namespace trireme {

/// y = x * weight^T (+ bias) (+ residual). A cut along dim 0 (outputs) leaves a partial sum in the input's gradient,
/// one along dim 1 (inputs) in the output; both are summed over the tensor axis (Shoeybi et al. 2019).
class Projection {
 public:
  struct Spec {
    std::string name;  // "blocks.3.mlp.up": parameters are name.weight [out, in] and name.bias [out]
    int block = 0;
    std::int64_t in = 0;
    std::int64_t out = 0;
    bool bias = false;
    float std = 0.02F;  // of the initial weight
    Cut cut;            // of the weight
  };
  explicit Projection(Spec spec) : spec_(std::move(spec)) {}

  void params(ParamTable& table);
  /// x [N, in] -> y [N, out]; y may be residual's memory.
  void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y,
               const Tensor& residual = {}) const;
  /// Adds the gradients of weight and bias, given dy [N, out].
  void backward_weights(const Pass& pass, const Weights& gradients, const Tensor& dy, const Tensor& x) const;
  /// dx [N, in] is written, given dy [N, out].
  void backward_input(const Pass& pass, const Weights& weights, const Tensor& dy, const Tensor& dx) const;

 private:
  Spec spec_;
  ParamId weight_, bias_;
};

}  // namespace trireme
