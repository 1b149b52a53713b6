// SPDX-License-Identifier: Apache-2.0
// What each operation costs, from its shapes alone.
//
// bytes: every tensor that the operation must read or write, once for each; what is added to counts twice. A kernel
// whose working set exceeds the caches moves more.
// flops: of matrix products 2 * rows * inner * columns, without bias, residual and bias gradient; of attention by the
// causal convention, T^2/2 pairs of query and key with 4K each forward and 10K backward (5 products of K, one of which
// makes the scores again). Elsewhere additions, multiplications, divisions, comparisons, roots, exponentials and
// hyperbolic tangents count as one each.
#pragma once

#include "core/base/ops.h"

namespace trireme::dry {

struct Work {
  const char* name = "";
  double flops = 0.0;
  double bytes = 0.0;
  Dtype dtype = Dtype::f32;  // whose peak counts
  enum class Kind { elementwise, product, attention, attention_backward } kind = Kind::elementwise;
  std::int64_t time = 0;  // of attention: T and K
  std::int64_t size = 0;
};

Work work_of(const Embedding& op);
Work work_of(const EmbeddingBackward& op);
Work work_of(const LayerNorm& op);
Work work_of(const LayerNormBackward& op);
Work work_of(const RmsNorm& op);
Work work_of(const RmsNormBackward& op);
Work work_of(const Linear& op);
Work work_of(const LinearBackwardInput& op);
Work work_of(const LinearBackwardWeight& op);
Work work_of(const Rope& op);
Work work_of(const Attention& op);
Work work_of(const AttentionBackward& op);
Work work_of(const Gelu& op);
Work work_of(const GeluBackward& op);
Work work_of(const SwiGlu& op);
Work work_of(const SwiGluBackward& op);
Work work_of(const SoftmaxPart& op);
Work work_of(const CrossEntropy& op);
Work work_of(const TokenScore& op);
Work work_of(const Sum& op);
Work work_of(const SquaredNorm& op);
Work work_of(const GradientScale& op);
Work work_of(const AdamW& op);
Work work_of(const Cast& op);
Work work_of(const Add& op);

}  // namespace trireme::dry
