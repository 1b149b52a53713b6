// SPDX-License-Identifier: Apache-2.0
// Operations that are counted instead of done.
#pragma once

#include "core/base/ops.h"
#include "kernels/dry/device.h"
#include "kernels/dry/work.h"
#include "kernels/kernels.h"

namespace trireme::dry {

class DryOps : public Ops {
 public:
  DryOps(DryDevice& device, Determinism deterministic) : device_(device), deterministic_(deterministic) {}

  void run(Stream& stream, const Embedding& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const EmbeddingBackward& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const LayerNorm& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const LayerNormBackward& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const RmsNorm& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const RmsNormBackward& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const Linear& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const LinearBackwardInput& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const LinearBackwardWeight& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const Rope& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const Attention& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const AttentionBackward& op) const override;
  void run(Stream& stream, const Gelu& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const GeluBackward& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const SwiGlu& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const SwiGluBackward& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const SoftmaxPart& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const CrossEntropy& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const TokenScore& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const Sum& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const SquaredNorm& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const GradientScale& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const AdamW& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const Cast& op) const override { count(stream, work_of(op)); }
  void run(Stream& stream, const Add& op) const override { count(stream, work_of(op)); }

 private:
  void count(Stream& stream, const Work& work) const;

  DryDevice& device_;
  const Determinism deterministic_;
};

}  // namespace trireme::dry
