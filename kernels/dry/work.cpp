// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/work.h"

#include <cassert>
#include <initializer_list>

namespace trireme::dry {
namespace {

/// Bytes of tensors, those left out counting nothing.
double bytes(std::initializer_list<Tensor> tensors) {
  double sum = 0.0;
  for (const Tensor& tensor : tensors) sum += static_cast<double>(tensor.bytes());
  return sum;
}

double elements(const Tensor& tensor) { return static_cast<double>(tensor.elements()); }

Work elementwise(const char* name, double flops, double moved) { return {name, flops, moved, Dtype::f32}; }

/// [rows, inner] times [inner, columns].
Work product(const char* name, Dtype dtype, std::int64_t rows, std::int64_t inner, std::int64_t columns, double moved) {
  const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(inner) * static_cast<double>(columns);
  return {name, flops, moved, dtype, Work::Kind::product};
}

/// Products of K for each of the T^2/2 pairs of each head; y is [B, T, H, K].
double causal_flops(const Tensor& y, double products) {
  return products * elements(y) * static_cast<double>(y.shape[1]);
}

}  // namespace

// Rows of the tables that the tokens name, as many as there are tokens.
Work work_of(const Embedding& op) {
  const double rows = op.position_table ? 2.0 : 1.0;
  return elementwise("embedding", op.position_table ? elements(op.y) : 0.0,
                     (1.0 + rows) * bytes({op.y}) + bytes({op.tokens}) + (rows - 1.0) * bytes({op.positions}));
}

Work work_of(const EmbeddingBackward& op) {
  const double tables = op.d_position_table ? 2.0 : 1.0;
  const double added = 2.0 * elements(op.dy) * static_cast<double>(size_of(Dtype::f32));
  return elementwise("embedding_backward", tables * elements(op.dy),
                     tables * (bytes({op.dy}) + added) + bytes({op.tokens}) + (tables - 1.0) * bytes({op.positions}));
}

Work work_of(const LayerNorm& op) {
  return elementwise("layer_norm", 8.0 * elements(op.x), bytes({op.y, op.mean, op.rstd, op.x, op.weight, op.bias}));
}

Work work_of(const LayerNormBackward& op) {
  const double flops = op.accumulate ? 14.0 : 13.0;
  return elementwise("layer_norm_backward", flops * elements(op.x),
                     bytes({op.dx, op.dy, op.x, op.mean, op.rstd, op.weight}) + 2.0 * bytes({op.d_weight, op.d_bias}) +
                         (op.accumulate ? bytes({op.dx}) : 0.0));
}

Work work_of(const RmsNorm& op) {
  return elementwise("rms_norm", 4.0 * elements(op.x), bytes({op.y, op.rstd, op.x, op.weight}));
}

Work work_of(const RmsNormBackward& op) {
  const double flops = op.accumulate ? 10.0 : 9.0;
  return elementwise("rms_norm_backward", flops * elements(op.x),
                     bytes({op.dx, op.dy, op.x, op.rstd, op.weight}) + 2.0 * bytes({op.d_weight}) +
                         (op.accumulate ? bytes({op.dx}) : 0.0));
}

Work work_of(const Linear& op) {
  assert(op.weight.shape == (Shape{op.y.shape[1], op.x.shape[1]}) && op.y.shape[0] == op.x.shape[0]);
  return product("linear", op.x.dtype, op.x.shape[0], op.x.shape[1], op.y.shape[1],
                 bytes({op.y, op.x, op.weight, op.bias, op.residual}));
}

Work work_of(const LinearBackwardInput& op) {
  assert(op.weight.shape == (Shape{op.dy.shape[1], op.dx.shape[1]}) && op.dy.shape[0] == op.dx.shape[0]);
  return product("linear_backward_input", op.dy.dtype, op.dy.shape[0], op.dy.shape[1], op.dx.shape[1],
                 bytes({op.dx, op.dy, op.weight}) + (op.accumulate ? bytes({op.dx}) : 0.0));
}

Work work_of(const LinearBackwardWeight& op) {
  assert(op.d_weight.shape == (Shape{op.dy.shape[1], op.x.shape[1]}) && op.dy.shape[0] == op.x.shape[0]);
  return product("linear_backward_weight", op.dy.dtype, op.dy.shape[1], op.dy.shape[0], op.x.shape[1],
                 bytes({op.dy, op.x}) + 2.0 * bytes({op.d_weight, op.d_bias}));
}

Work work_of(const Rope& op) {
  const double part = static_cast<double>(op.rotated_heads) / static_cast<double>(op.x.shape[1]);
  return elementwise("rope", 3.0 * part * elements(op.x),
                     2.0 * part * bytes({op.x}) + bytes({op.positions, op.cos_sin}));
}

Work work_of(const Attention& op) {
  return {"attention",    causal_flops(op.y, 2.0), bytes({op.y, op.lse, op.qkv, op.document_start}),
          op.qkv.dtype,   Work::Kind::attention,   op.qkv.shape[1],
          op.qkv.shape[3]};
}

Work work_of(const AttentionBackward& op) {
  return {"attention_backward",
          causal_flops(op.y, 5.0),
          bytes({op.d_qkv, op.dy, op.y, op.lse, op.qkv, op.document_start}) + 2.0 * bytes({op.row_dot}),
          op.qkv.dtype,
          Work::Kind::attention_backward,
          op.qkv.shape[1],
          op.qkv.shape[3]};
}

Work work_of(const Gelu& op) { return elementwise("gelu", 9.0 * elements(op.x), bytes({op.y, op.x})); }

Work work_of(const GeluBackward& op) {
  const double flops = op.d_bias ? 19.0 : 18.0;
  return elementwise("gelu_backward", flops * elements(op.x), bytes({op.dx, op.dy, op.x}) + 2.0 * bytes({op.d_bias}));
}

Work work_of(const SwiGlu& op) { return elementwise("swiglu", 5.0 * elements(op.y), bytes({op.y, op.gate_up})); }

Work work_of(const SwiGluBackward& op) {
  return elementwise("swiglu_backward", 11.0 * elements(op.dy), bytes({op.d_gate_up, op.dy, op.gate_up}));
}

Work work_of(const SoftmaxPart& op) {
  return elementwise("softmax_part", 4.0 * elements(op.logits), bytes({op.stats, op.logits, op.targets}));
}

// With parts, the logits are read for the gradient alone.
Work work_of(const CrossEntropy& op) {
  const bool gradient = op.gradient_scale != 0.0F;
  const double flops = (op.parts ? 0.0 : 4.0) + (gradient ? 3.0 : 0.0);
  const double passes = (op.parts && !gradient ? 0.0 : 1.0) + (gradient ? 1.0 : 0.0);
  return elementwise("cross_entropy", flops * elements(op.logits),
                     bytes({op.losses, op.targets, op.parts}) + passes * bytes({op.logits}));
}

Work work_of(const TokenScore& op) {
  const Tensor logits = op.parts ? Tensor{} : op.logits;
  return elementwise("token_score", 4.0 * elements(logits),
                     bytes({op.log_prob, op.best, logits, op.targets, op.parts}));
}

Work work_of(const Sum& op) { return elementwise("sum", elements(op.x), bytes({op.x}) + 2.0 * bytes({op.out})); }

Work work_of(const SquaredNorm& op) {
  return elementwise("squared_norm", 2.0 * elements(op.x), bytes({op.x}) + 2.0 * bytes({op.out}));
}

Work work_of(const GradientScale& op) {
  return elementwise(
      "gradient_scale", op.guard.state ? 18.0 : 8.0,
      bytes({op.scale, op.norm, op.norm_squared, op.count, op.guard.loss_sum}) + 2.0 * bytes({op.guard.state}));
}

Work work_of(const AdamW& op) {
  return elementwise("adamw", 17.0 * elements(op.master),
                     2.0 * bytes({op.master, op.first, op.second}) + bytes({op.gradient, op.copy, op.scale}));
}

Work work_of(const Cast& op) { return elementwise("cast", 0.0, bytes({op.y, op.x})); }

Work work_of(const Add& op) {
  return elementwise("add", (op.bias ? 2.0 : 1.0) * elements(op.y), bytes({op.y, op.a, op.b, op.bias}));
}

}  // namespace trireme::dry
