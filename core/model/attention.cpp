// SPDX-License-Identifier: Apache-2.0
#include "core/model/attention.h"

#include <cmath>

#include "core/model/initial_std.h"

namespace trireme {
namespace {

std::int64_t packed_width(const Architecture& a) { return (a.heads + 2 * a.kv_heads) * a.head_size; }

}  // namespace

AttentionLayer::AttentionLayer(const Architecture& a, int block, const std::string& prefix)
    : a_(a),
      name_(prefix + "attention"),
      scale_(static_cast<float>(1.0 / std::sqrt(static_cast<double>(a.head_size)))),
      norm_(a, block, prefix + "norm1"),
      qkv_(
          {.name = name_ + ".qkv",
           .block = block,
           .in = a.width,
           .out = packed_width(a),
           .bias = a.qkv_bias,
           .std = kInitialStd,
           .cut = {.dim = 0, .sections = {a.heads * a.head_size, a.kv_heads * a.head_size, a.kv_heads * a.head_size}}}),
      out_({.name = name_ + ".out",
            .block = block,
            .in = a.heads * a.head_size,
            .out = a.width,
            .bias = a.family == Family::gpt2,
            .std = residual_std(a),
            .cut = {.dim = 1, .sections = {}}}) {}

void AttentionLayer::params(ParamTable& table) {
  norm_.params(table);
  qkv_.params(table);
  out_.params(table);
}

void AttentionLayer::plan(Plan& plan, const PassShape& shape) {
  shape_ = shape;
  const auto n = shape.rows();
  norm_.plan(plan, shape, Norm::Lifetime::keep);
  normed_ = plan.keep(name_ + ".normed", shape.dtype, {n, a_.width});
  packed_ = plan.keep(name_ + ".qkv", shape.dtype, {n, packed_width(a_)});
  mixed_ = plan.keep(name_ + ".mixed", shape.dtype, {n, a_.heads * a_.head_size});
  lse_ = plan.keep(name_ + ".lse", Dtype::f32, {shape.batch, a_.heads, shape.time});
  if (plan.saving() == Saving::none) return;
  const Plan::Scope scope(plan);
  d_normed_ = plan.scratch(name_ + ".d_normed", shape.dtype, {n, a_.width});
  d_packed_ = plan.scratch(name_ + ".d_qkv", shape.dtype, {n, packed_width(a_)});
  d_mixed_ = plan.scratch(name_ + ".d_mixed", shape.dtype, {n, a_.heads * a_.head_size});
  row_dot_ = plan.scratch(name_ + ".row_dot", Dtype::f32, {shape.batch, a_.heads, shape.time});
}

void AttentionLayer::rotate(const Pass& pass, const Tensor& qkv, bool inverse) const {
  if (!pass.cos_sin) return;
  pass.ops.run(pass.stream, Rope{.x = qkv.reshape({shape_.rows(), a_.heads + 2 * a_.kv_heads, a_.head_size}),
                                 .positions = pass.batch.positions.reshape({shape_.rows()}),
                                 .cos_sin = pass.cos_sin,
                                 .rotated_heads = a_.heads + a_.kv_heads,
                                 .inverse = inverse});
}

void AttentionLayer::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) {
  const Tensor normed = pass.plan[normed_];
  const Tensor qkv = pass.plan[packed_];
  const Tensor mixed = pass.plan[mixed_];
  norm_.forward(pass, weights, x, normed);
  qkv_.forward(pass, weights, normed, qkv);
  rotate(pass, qkv, false);
  const Shape packed_heads{shape_.batch, shape_.time, a_.heads + 2 * a_.kv_heads, a_.head_size};
  const Shape query_heads{shape_.batch, shape_.time, a_.heads, a_.head_size};
  pass.ops.run(pass.stream, Attention{.y = mixed.reshape(query_heads),
                                      .lse = pass.plan[lse_],
                                      .qkv = qkv.reshape(packed_heads),
                                      .document_start = pass.batch.document_start,
                                      .heads = a_.heads,
                                      .kv_heads = a_.kv_heads,
                                      .scale = scale_});
  out_.forward(pass, weights, mixed, y, x);
}

void AttentionLayer::backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                              const Tensor& d) {
  const Tensor d_normed = pass.plan[d_normed_];
  const Tensor d_qkv = pass.plan[d_packed_];
  const Tensor d_mixed = pass.plan[d_mixed_];
  const Tensor mixed = pass.plan[mixed_];
  out_.backward_weights(pass, gradients, d, mixed);
  out_.backward_input(pass, weights, d, d_mixed);
  const Shape packed_heads{shape_.batch, shape_.time, a_.heads + 2 * a_.kv_heads, a_.head_size};
  const Shape query_heads{shape_.batch, shape_.time, a_.heads, a_.head_size};
  pass.ops.run(pass.stream, AttentionBackward{.d_qkv = d_qkv.reshape(packed_heads),
                                              .dy = d_mixed.reshape(query_heads),
                                              .y = mixed.reshape(query_heads),
                                              .lse = pass.plan[lse_],
                                              .qkv = pass.plan[packed_].reshape(packed_heads),
                                              .document_start = pass.batch.document_start,
                                              .row_dot = pass.plan[row_dot_],
                                              .heads = a_.heads,
                                              .kv_heads = a_.kv_heads,
                                              .scale = scale_});
  rotate(pass, d_qkv, true);
  qkv_.backward_weights(pass, gradients, d_qkv, pass.plan[normed_]);
  qkv_.backward_input(pass, weights, d_qkv, d_normed);
  norm_.backward(pass, weights, gradients, d_normed, x, d, true);
}

}  // namespace trireme
