// SPDX-License-Identifier: Apache-2.0
// Operations on a GPU: own kernels, cuBLASLt for products, cuDNN for attention where it has a plan.
#pragma once

#include <mutex>
#include <utility>

#include "core/base/ops.h"
#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/linear.h"
#include "kernels/cuda/range.h"
#include "kernels/cuda/stream.h"
#include "kernels/kernels.h"

namespace trireme::cuda {

class CudaOps : public Ops {
 public:
  CudaOps(Determinism deterministic, ProductChoices choices)
      : deterministic_(deterministic), matmul_(std::move(choices)) {}

  void run(Stream& s, const Embedding& op) const override {
    const Range range("embedding");
    embedding(of(s), op);
  }
  void run(Stream& s, const EmbeddingBackward& op) const override {
    const Range range("embedding_backward");
    embedding_backward(of(s), op);
  }
  void run(Stream& s, const LayerNorm& op) const override {
    const Range range("layer_norm");
    layer_norm(of(s), op);
  }
  void run(Stream& s, const LayerNormBackward& op) const override {
    const Range range("layer_norm_backward");
    layer_norm_backward(of(s), op);
  }
  void run(Stream& s, const RmsNorm& op) const override {
    const Range range("rms_norm");
    rms_norm(of(s), op);
  }
  void run(Stream& s, const RmsNormBackward& op) const override {
    const Range range("rms_norm_backward");
    rms_norm_backward(of(s), op);
  }
  void run(Stream& s, const Linear& op) const override {
    const Range range("linear");
    linear(matmul_, of(s), op);
  }
  void run(Stream& s, const LinearBackwardInput& op) const override {
    const Range range("linear_backward_input");
    linear_backward_input(matmul_, of(s), op);
  }
  void run(Stream& s, const LinearBackwardWeight& op) const override {
    const Range range("linear_backward_weight");
    linear_backward_weight(matmul_, of(s), op);
  }
  void run(Stream& s, const Rope& op) const override {
    const Range range("rope");
    rope(of(s), op);
  }
  void run(Stream& s, const Attention& op) const override;
  void run(Stream& s, const AttentionBackward& op) const override;
  void run(Stream& s, const Gelu& op) const override {
    const Range range("gelu");
    gelu(of(s), op);
  }
  void run(Stream& s, const GeluBackward& op) const override {
    const Range range("gelu_backward");
    gelu_backward(of(s), op);
  }
  void run(Stream& s, const SwiGlu& op) const override {
    const Range range("swiglu");
    swiglu(of(s), op);
  }
  void run(Stream& s, const SwiGluBackward& op) const override {
    const Range range("swiglu_backward");
    swiglu_backward(of(s), op);
  }
  void run(Stream& s, const SoftmaxPart& op) const override {
    const Range range("softmax_part");
    softmax_part(of(s), op);
  }
  void run(Stream& s, const CrossEntropy& op) const override {
    const Range range("cross_entropy");
    cross_entropy(of(s), op);
  }
  void run(Stream& s, const TokenScore& op) const override {
    const Range range("token_score");
    token_score(of(s), op);
  }
  void run(Stream& s, const Sum& op) const override {
    const Range range("sum");
    sum(of(s), op);
  }
  void run(Stream& s, const SquaredNorm& op) const override {
    const Range range("squared_norm");
    squared_norm(of(s), op);
  }
  void run(Stream& s, const GradientScale& op) const override {
    const Range range("gradient_scale");
    gradient_scale(of(s), op);
  }
  void run(Stream& s, const AdamW& op) const override {
    const Range range("adamw");
    adamw(of(s), op);
  }
  void run(Stream& s, const Cast& op) const override {
    const Range range("cast");
    cast(of(s), op);
  }
  void run(Stream& s, const Add& op) const override {
    const Range range("add");
    add(of(s), op);
  }

 private:
  static CudaStream& of(Stream& stream) { return static_cast<CudaStream&>(stream); }

  Determinism deterministic_;
  // Caches: plans by shape.
  mutable Matmul matmul_;
  mutable std::mutex mutex_;
  mutable AttentionPlans attention_;
};

}  // namespace trireme::cuda
