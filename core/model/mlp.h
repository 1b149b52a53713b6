// SPDX-License-Identifier: Apache-2.0
// The feed-forward half of a block: y = x + down(activation(up(norm2(x)))).
#pragma once

#include "core/model/architecture.h"
#include "core/model/layer.h"
#include "core/model/norm.h"
#include "core/model/projection.h"

namespace trireme {

/// GELU of one projection ("mlp.up") for gpt2; SwiGLU of two packed in one matrix ("mlp.gate_up") for llama.
class MlpLayer : public Layer {
 public:
  MlpLayer(const Architecture& a, int block, const std::string& prefix);

  void params(ParamTable& table) override;
  void plan(Plan& plan, const PassShape& shape) override;
  void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) override;
  void backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                const Tensor& d) override;

 private:
  bool gated() const { return a_.family == Family::llama; }
  void activate(const Pass& pass, const Tensor& raised, const Tensor& activated) const;

  Architecture a_;
  std::string name_;
  Norm norm_;
  Projection up_, down_;
  Slot normed_, raised_, activated_;        // saved, or made again by backward
  Slot full_;                               // scratch: all rows of what this rank has some of
  Slot d_normed_, d_raised_, d_activated_;  // scratch of backward
};

}  // namespace trireme
