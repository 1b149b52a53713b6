// SPDX-License-Identifier: Apache-2.0
// Operations with a clock: each one is done by another Ops, and its time is taken.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ops.h"
#include "kernels/dry/work.h"
#include "kernels/stream_clock.h"

namespace trireme {

/// All operations of one name and one shape.
struct OperationTime {
  std::string name;   // "linear", "attention_backward", ...
  std::string shape;  // for people, of what decides its cost
  std::int64_t calls = 0;
  double seconds = 0.0;  // of all calls
  double waited = 0.0;   // from the end of the operation before to the beginning of this one, of all calls
  double flops = 0.0;    // of one call; see kernels/dry/work.h
  double bytes = 0.0;    // of one call, read and written
  Dtype dtype = Dtype::f32;
  bool product = false;  // a matrix product or attention: FLOPs are what bounds it
};

class MeasuredOps : public Ops {
 public:
  /// Both are borrowed.
  MeasuredOps(const Ops& ops, StreamClock& clock) : ops_(ops), clock_(clock) {}

  /// Whether times are taken from now on; they are not at first.
  void measure(bool on) { on_ = on; }
  /// What was measured since the last call, by name and shape. The stream has been synchronized.
  std::vector<OperationTime> take() const;

  void run(Stream& stream, const Embedding& op) const override;
  void run(Stream& stream, const EmbeddingBackward& op) const override;
  void run(Stream& stream, const LayerNorm& op) const override;
  void run(Stream& stream, const LayerNormBackward& op) const override;
  void run(Stream& stream, const RmsNorm& op) const override;
  void run(Stream& stream, const RmsNormBackward& op) const override;
  void run(Stream& stream, const Linear& op) const override;
  void run(Stream& stream, const LinearBackwardInput& op) const override;
  void run(Stream& stream, const LinearBackwardWeight& op) const override;
  void run(Stream& stream, const Rope& op) const override;
  void run(Stream& stream, const Attention& op) const override;
  void run(Stream& stream, const AttentionBackward& op) const override;
  void run(Stream& stream, const Gelu& op) const override;
  void run(Stream& stream, const GeluBackward& op) const override;
  void run(Stream& stream, const SwiGlu& op) const override;
  void run(Stream& stream, const SwiGluBackward& op) const override;
  void run(Stream& stream, const SoftmaxPart& op) const override;
  void run(Stream& stream, const CrossEntropy& op) const override;
  void run(Stream& stream, const TokenScore& op) const override;
  void run(Stream& stream, const Sum& op) const override;
  void run(Stream& stream, const SquaredNorm& op) const override;
  void run(Stream& stream, const GradientScale& op) const override;
  void run(Stream& stream, const AdamW& op) const override;
  void run(Stream& stream, const Cast& op) const override;
  void run(Stream& stream, const Add& op) const override;

 private:
  struct Call {
    std::size_t kind;  // in kinds_
    std::size_t begin, end;
  };

  template <class Op>
  void timed(Stream& stream, const Op& op) const;

  const Ops& ops_;
  StreamClock& clock_;
  bool on_ = false;
  mutable std::vector<OperationTime> kinds_;
  mutable std::map<std::pair<std::string, std::string>, std::size_t> index_;
  mutable std::vector<Call> calls_;
};

}  // namespace trireme
