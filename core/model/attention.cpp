// SPDX-License-Identifier: Apache-2.0
#include "core/model/attention.h"

namespace trireme {
namespace {

// Query heads go with the key and value head that they read. A rank that would have less than one of these gets a copy
// and a part of its queries.
Section query_section(const Architecture& a) {
  return {.size = a.heads * a.head_size, .unit = a.heads / a.kv_heads * a.head_size, .grain = a.head_size};
}
Section key_section(const Architecture& a) {
  return {.size = a.kv_heads * a.head_size, .unit = a.head_size, .grain = a.head_size, .copied = true};
}

}  // namespace

AttentionLayer::AttentionLayer(const Architecture& a, int block, const std::string& prefix)
    : a_(a),
      name_(prefix + "attention"),
      scale_(attention_scale(a)),
      norm_(a, block, prefix + "norm1"),
      qkv_({.name = name_ + ".qkv",
            .block = block,
            .in = a.width,
            .out = (a.heads + 2 * a.kv_heads) * a.head_size,
            .bias = a.qkv_bias,
            .start = reader_start(a),
            .cut = {.dim = 0, .sections = {query_section(a), key_section(a), key_section(a)}}}),
      out_({.name = name_ + ".out",
            .block = block,
            .in = a.heads * a.head_size,
            .out = a.width,
            .bias = a.family == Family::gpt2,
            .start = writer_start(a),
            .cut = {.dim = 1, .sections = {query_section(a)}}}) {}

void AttentionLayer::params(ParamTable& table) {
  norm_.params(table);
  qkv_.params(table);
  out_.params(table);
}

void AttentionLayer::plan(Plan& plan, const PassShape& shape) {
  shape_ = shape;
  heads_ = local_size(query_section(a_), shape.tensor) / a_.head_size;
  kv_heads_ = local_size(key_section(a_), shape.tensor) / a_.head_size;
  const auto n = shape.rows();
  const auto local = shape.local_rows();
  const std::int64_t packed = (heads_ + 2 * kv_heads_) * a_.head_size;
  norm_.plan(plan, shape, Norm::Lifetime::keep);
  const bool light = plan.saving() == Saving::light;
  if (!light) normed_ = plan.keep(name_ + ".normed", shape.dtype, {local, a_.width});
  packed_ = plan.keep(name_ + ".qkv", shape.dtype, {n, packed});
  mixed_ = plan.keep(name_ + ".mixed", shape.dtype, {n, heads_ * a_.head_size});
  lse_ = plan.keep(name_ + ".lse", Dtype::f32, {shape.batch, heads_, shape.time});
  const Plan::Scope scope(plan);
  if (shape.tensor > 1) full_ = plan.scratch(name_ + ".full", shape.dtype, {n, a_.width});
  qkv_.use(full_);
  out_.use(full_);
  if (plan.saving() == Saving::none) return;
  d_normed_ = plan.scratch(name_ + ".d_normed", shape.dtype, {local, a_.width});
  d_packed_ = plan.scratch(name_ + ".d_qkv", shape.dtype, {n, packed});
  d_mixed_ = plan.scratch(name_ + ".d_mixed", shape.dtype, {n, heads_ * a_.head_size});
  row_dot_ = plan.scratch(name_ + ".row_dot", Dtype::f32, {shape.batch, heads_, shape.time});
  if (light) normed_ = d_normed_;  // the last reader of one comes before the writer of the other
}

void AttentionLayer::rotate(const Pass& pass, const Tensor& qkv, bool inverse) const {
  if (!pass.cos_sin) return;
  pass.ops.run(pass.stream, Rope{.x = qkv.reshape({shape_.rows(), heads_ + 2 * kv_heads_, a_.head_size}),
                                 .positions = pass.batch.positions.reshape({shape_.rows()}),
                                 .cos_sin = pass.cos_sin,
                                 .rotated_heads = heads_ + kv_heads_,
                                 .inverse = inverse});
}

void AttentionLayer::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) {
  const Tensor normed = pass.plan[normed_];
  const Tensor qkv = pass.plan[packed_];
  const Tensor mixed = pass.plan[mixed_];
  norm_.forward(pass, weights, x, normed);
  qkv_.forward(pass, weights, normed, qkv);
  rotate(pass, qkv, false);
  const Shape packed_heads{shape_.batch, shape_.time, heads_ + 2 * kv_heads_, a_.head_size};
  const Shape query_heads{shape_.batch, shape_.time, heads_, a_.head_size};
  pass.ops.run(pass.stream, Attention{.y = mixed.reshape(query_heads),
                                      .lse = pass.plan[lse_],
                                      .qkv = qkv.reshape(packed_heads),
                                      .document_start = pass.batch.document_start,
                                      .heads = heads_,
                                      .kv_heads = kv_heads_,
                                      .scale = scale_,
                                      .documents = pass.batch.documents});
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
  const Shape packed_heads{shape_.batch, shape_.time, heads_ + 2 * kv_heads_, a_.head_size};
  const Shape query_heads{shape_.batch, shape_.time, heads_, a_.head_size};
  pass.ops.run(pass.stream, AttentionBackward{.d_qkv = d_qkv.reshape(packed_heads),
                                              .dy = d_mixed.reshape(query_heads),
                                              .y = mixed.reshape(query_heads),
                                              .lse = pass.plan[lse_],
                                              .qkv = pass.plan[packed_].reshape(packed_heads),
                                              .document_start = pass.batch.document_start,
                                              .row_dot = pass.plan[row_dot_],
                                              .heads = heads_,
                                              .kv_heads = kv_heads_,
                                              .scale = scale_,
                                              .documents = pass.batch.documents});
  rotate(pass, d_qkv, true);
  if (pass.plan.saving() == Saving::light) norm_.forward(pass, weights, x, pass.plan[normed_]);
  qkv_.backward_weights(pass, gradients, d_qkv, pass.plan[normed_]);
  qkv_.backward_input(pass, weights, d_qkv, d_normed);
  norm_.backward(pass, weights, gradients, d_normed, x, d, true);
}

}  // namespace trireme
