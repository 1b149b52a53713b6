// SPDX-License-Identifier: Apache-2.0
// Operations on the CPU: each run() puts a copy of the operation and its kernel into the stream's queue.
#pragma once

#include <memory>

#include "core/base/ops.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/stream.h"

namespace trireme::cpu {

class CpuOps : public Ops {
 public:
  CpuOps(int threads, const KernelTable& kernels) : threads_(threads), kernels_(kernels) {}

  void run(Stream& stream, const Embedding& op) const override { enqueue(stream, kernels_.embedding, op); }
  void run(Stream& stream, const EmbeddingBackward& op) const override {
    enqueue(stream, kernels_.embedding_backward, op);
  }
  void run(Stream& stream, const LayerNorm& op) const override { enqueue(stream, kernels_.layer_norm, op); }
  void run(Stream& stream, const LayerNormBackward& op) const override {
    enqueue(stream, kernels_.layer_norm_backward, op);
  }
  void run(Stream& stream, const RmsNorm& op) const override { enqueue(stream, kernels_.rms_norm, op); }
  void run(Stream& stream, const RmsNormBackward& op) const override {
    enqueue(stream, kernels_.rms_norm_backward, op);
  }
  void run(Stream& stream, const Linear& op) const override;
  void run(Stream& stream, const LinearBackwardInput& op) const override;
  void run(Stream& stream, const LinearBackwardWeight& op) const override;
  void run(Stream& stream, const Rope& op) const override { enqueue(stream, kernels_.rope, op); }
  void run(Stream& stream, const Attention& op) const override { enqueue(stream, kernels_.attention, op); }
  void run(Stream& stream, const AttentionBackward& op) const override {
    enqueue(stream, kernels_.attention_backward, op);
  }
  void run(Stream& stream, const Gelu& op) const override { enqueue(stream, kernels_.gelu, op); }
  void run(Stream& stream, const GeluBackward& op) const override { enqueue(stream, kernels_.gelu_backward, op); }
  void run(Stream& stream, const SwiGlu& op) const override { enqueue(stream, kernels_.swiglu, op); }
  void run(Stream& stream, const SwiGluBackward& op) const override { enqueue(stream, kernels_.swiglu_backward, op); }
  void run(Stream& stream, const SoftmaxPart& op) const override { enqueue(stream, kernels_.softmax_part, op); }
  void run(Stream& stream, const CrossEntropy& op) const override { enqueue(stream, kernels_.cross_entropy, op); }
  void run(Stream& stream, const TokenScore& op) const override { enqueue(stream, kernels_.token_score, op); }
  void run(Stream& stream, const Sum& op) const override { enqueue(stream, kernels_.sum, op); }
  void run(Stream& stream, const SquaredNorm& op) const override { enqueue(stream, kernels_.squared_norm, op); }
  void run(Stream& stream, const GradientScale& op) const override { enqueue(stream, kernels_.gradient_scale, op); }
  void run(Stream& stream, const AdamW& op) const override { enqueue(stream, kernels_.adamw, op); }
  void run(Stream& stream, const Cast& op) const override { enqueue(stream, kernels_.cast, op); }
  void run(Stream& stream, const Add& op) const override { enqueue(stream, kernels_.add, op); }

 private:
  template <class Op>
  void enqueue(Stream& stream, Kernel<Op> kernel, const Op& op) const {
    static_cast<CpuStream&>(stream).enqueue([kernel, op, threads = threads_] { kernel(op, threads); });
  }

  int threads_;
  const KernelTable& kernels_;
  // Shared with the work in flight, which may outlive the operations.
  std::shared_ptr<Matmul> matmul_ = std::make_shared<Matmul>();
};

}  // namespace trireme::cpu
