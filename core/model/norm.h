// SPDX-License-Identifier: Apache-2.0
// LayerNorm or RMSNorm, by the model's family, with its parameters and the statistics that backward reads.
#pragma once

#include <string>

#include "core/model/architecture.h"
#include "core/model/layer.h"

namespace trireme {

class Norm {
 public:
  /// Parameters are name.weight and, for LayerNorm, name.bias, both [D].
  /// `last`: the one before the head.
  Norm(const Architecture& a, int block, std::string name, bool last = false)
      : a_(a), block_(block), name_(std::move(name)), last_(last) {}

  void params(ParamTable& table);
  /// The statistics live as long as the block's saved tensors (`keep`), or as the open scope's scratch.
  enum class Lifetime { keep, scratch };
  void plan(Plan& plan, const PassShape& shape, Lifetime lifetime);
  /// y = norm(x), both [N / tensor, D].
  void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) const;
  /// dx is written, or added to with `accumulate`; x is the input of the last forward.
  void backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& dy, const Tensor& x,
                const Tensor& dx, bool accumulate) const;

 private:
  bool centred() const { return a_.family == Family::gpt2; }

  Architecture a_;
  int block_;
  std::string name_;
  bool last_;
  ParamId weight_, bias_;
  Slot mean_, rstd_;
};

}  // namespace trireme
