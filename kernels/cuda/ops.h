// SPDX-License-Identifier: Apache-2.0
// Operations on a GPU: own kernels, cuBLASLt for products, cuDNN for attention where it has a plan.
#pragma once

#include <mutex>
#include <utility>

#include "core/base/ops.h"
#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/linear.h"
#include "kernels/cuda/stream.h"
#include "kernels/kernels.h"

namespace trireme::cuda {

class CudaOps : public Ops {
 public:
  CudaOps(Determinism deterministic, ProductChoices choices)
      : deterministic_(deterministic), matmul_(std::move(choices)) {}

  void run(Stream& s, const Embedding& op) const override { embedding(of(s), op); }
  void run(Stream& s, const EmbeddingBackward& op) const override { embedding_backward(of(s), op); }
  void run(Stream& s, const LayerNorm& op) const override { layer_norm(of(s), op); }
  void run(Stream& s, const LayerNormBackward& op) const override { layer_norm_backward(of(s), op); }
  void run(Stream& s, const RmsNorm& op) const override { rms_norm(of(s), op); }
  void run(Stream& s, const RmsNormBackward& op) const override { rms_norm_backward(of(s), op); }
  void run(Stream& s, const Linear& op) const override { linear(matmul_, of(s), op); }
  void run(Stream& s, const LinearBackwardInput& op) const override { linear_backward_input(matmul_, of(s), op); }
  void run(Stream& s, const LinearBackwardWeight& op) const override { linear_backward_weight(matmul_, of(s), op); }
  void run(Stream& s, const Rope& op) const override { rope(of(s), op); }
  void run(Stream& s, const Attention& op) const override;
  void run(Stream& s, const AttentionBackward& op) const override;
  void run(Stream& s, const Gelu& op) const override { gelu(of(s), op); }
  void run(Stream& s, const GeluBackward& op) const override { gelu_backward(of(s), op); }
  void run(Stream& s, const SwiGlu& op) const override { swiglu(of(s), op); }
  void run(Stream& s, const SwiGluBackward& op) const override { swiglu_backward(of(s), op); }
  void run(Stream& s, const SoftmaxPart& op) const override { softmax_part(of(s), op); }
  void run(Stream& s, const CrossEntropy& op) const override { cross_entropy(of(s), op); }
  void run(Stream& s, const TokenScore& op) const override { token_score(of(s), op); }
  void run(Stream& s, const Sum& op) const override { sum(of(s), op); }
  void run(Stream& s, const SquaredNorm& op) const override { squared_norm(of(s), op); }
  void run(Stream& s, const GradientScale& op) const override { gradient_scale(of(s), op); }
  void run(Stream& s, const AdamW& op) const override { adamw(of(s), op); }
  void run(Stream& s, const Cast& op) const override { cast(of(s), op); }
  void run(Stream& s, const Add& op) const override { add(of(s), op); }

 private:
  static CudaStream& of(Stream& stream) { return static_cast<CudaStream&>(stream); }

  Determinism deterministic_;
  // Caches: plans by shape.
  mutable Matmul matmul_;
  mutable std::mutex mutex_;
  mutable AttentionPlans attention_;
};

}  // namespace trireme::cuda
