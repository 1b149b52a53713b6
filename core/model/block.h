// SPDX-License-Identifier: Apache-2.0
// A transformer block: attention, then the feed-forward half, both on the residual stream.
#pragma once

#include "core/model/attention.h"
#include "core/model/mlp.h"

namespace trireme {

class Block : public Layer {
 public:
  /// Parameters are named prefix + "norm1.weight" and so on; `block` is what the parameter store leases.
  Block(const Architecture& a, int block, const std::string& prefix)
      : width_(a.width), name_(prefix), attention_(a, block, prefix), mlp_(a, block, prefix) {}

  void params(ParamTable& table) override;
  void plan(Plan& plan, const PassShape& shape) override;
  void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) override;
  void backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                const Tensor& d) override;

 private:
  std::int64_t width_;
  std::string name_;
  AttentionLayer attention_;
  MlpLayer mlp_;
  Slot middle_;  // the residual stream between the two halves
};

}  // namespace trireme
