// SPDX-License-Identifier: Apache-2.0
// The attention half of a block: y = x + out(attention(qkv(norm1(x)))).
#pragma once

#include "core/model/architecture.h"
#include "core/model/layer.h"
#include "core/model/norm.h"
#include "core/model/projection.h"

namespace trireme {

/// Causal grouped-query attention with or without rotary positions. Queries, keys and values are one projection whose
/// rows are H query heads, then G key heads, then G value heads, each of K rows.
///
/// Over a tensor axis each rank has some of the heads; where they do not divide, the last ranks have heads of zeros.
class AttentionLayer : public Layer {
 public:
  AttentionLayer(const Architecture& a, int block, const std::string& prefix);

  void params(ParamTable& table) override;
  void plan(Plan& plan, const PassShape& shape) override;
  void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) override;
  void backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                const Tensor& d) override;

 private:
  void rotate(const Pass& pass, const Tensor& qkv, bool inverse) const;

  Architecture a_;
  std::string name_;
  float scale_;
  Norm norm_;
  Projection qkv_, out_;
  PassShape shape_;
  std::int64_t heads_ = 0, kv_heads_ = 0;         // of this rank
  Slot normed_, packed_, mixed_, lse_;            // saved; normed_ may be made again
  Slot full_;                                     // scratch: all rows of what this rank has some of
  Slot d_normed_, d_packed_, d_mixed_, row_dot_;  // scratch of backward
};

}  // namespace trireme
