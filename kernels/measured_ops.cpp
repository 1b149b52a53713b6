// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured_ops.h"

#include <fmt/format.h>

#include <utility>

namespace trireme {
namespace {

/// The tensor whose shape decides the cost.
template <class Op>
const Tensor& main_of(const Op& op) {
  if constexpr (requires { op.logits; }) {
    return op.logits;
  } else if constexpr (requires { op.master; }) {
    return op.master;
  } else if constexpr (requires { op.dy; }) {
    return op.dy;
  } else if constexpr (requires { op.y; }) {
    return op.y;
  } else if constexpr (requires { op.x; }) {
    return op.x;
  } else {
    return op.norm;
  }
}

template <class Op>
std::string shape_of(const Op& op) {
  return to_string(main_of(op).shape);
}
std::string product_of(const Tensor& a, std::int64_t rows, std::int64_t inner, std::int64_t columns, const char* more) {
  return fmt::format("[{}, {}] x [{}, {}]{}{}", rows, inner, inner, columns, a.dtype == Dtype::bf16 ? " bf16" : "",
                     more);
}
std::string shape_of(const Linear& op) {
  const char* more = op.residual ? (op.bias ? " + bias + residual" : " + residual") : (op.bias ? " + bias" : "");
  return product_of(op.x, op.x.shape[0], op.x.shape[1], op.y.shape[1], more);
}
std::string shape_of(const LinearBackwardInput& op) {
  return product_of(op.dy, op.dy.shape[0], op.dy.shape[1], op.dx.shape[1], op.accumulate ? " + dx" : "");
}
std::string shape_of(const LinearBackwardWeight& op) {
  return product_of(op.dy, op.dy.shape[1], op.dy.shape[0], op.x.shape[1], op.d_bias ? ", bias" : "");
}
std::string shape_of(const Attention& op) { return to_string(op.qkv.shape); }
std::string shape_of(const AttentionBackward& op) { return to_string(op.qkv.shape); }

}  // namespace

template <class Op>
void MeasuredOps::timed(Stream& stream, const Op& op) const {
  if (!on_) {
    ops_.run(stream, op);
    return;
  }
  const dry::Work work = dry::work_of(op);
  const auto [hit, fresh] = index_.emplace(std::pair(std::string(work.name), shape_of(op)), kinds_.size());
  if (fresh) {
    kinds_.push_back({.name = hit->first.first,
                      .shape = hit->first.second,
                      .flops = work.flops,
                      .bytes = work.bytes,
                      .dtype = work.dtype,
                      .product = work.kind != dry::Work::Kind::elementwise});
  }
  const std::size_t begin = clock_.mark(stream);
  ops_.run(stream, op);
  calls_.push_back({hit->second, begin, clock_.mark(stream)});
}

void MeasuredOps::run(Stream& stream, const Embedding& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const EmbeddingBackward& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const LayerNorm& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const LayerNormBackward& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const RmsNorm& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const RmsNormBackward& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Linear& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const LinearBackwardInput& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const LinearBackwardWeight& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Rope& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Attention& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const AttentionBackward& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Gelu& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const GeluBackward& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const SwiGlu& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const SwiGluBackward& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const SoftmaxPart& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const CrossEntropy& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const TokenScore& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Sum& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const SquaredNorm& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const GradientScale& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const AdamW& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Cast& op) const { timed(stream, op); }
void MeasuredOps::run(Stream& stream, const Add& op) const { timed(stream, op); }

std::vector<OperationTime> MeasuredOps::take() const {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    kinds_[call.kind].seconds += clock_.seconds(call.begin, call.end);
    kinds_[call.kind].waited += i == 0 ? 0.0 : clock_.seconds(calls_[i - 1].end, call.begin);
    kinds_[call.kind].calls += 1;
  }
  calls_.clear();
  index_.clear();
  clock_.clear();
  return std::exchange(kinds_, {});
}

}  // namespace trireme
