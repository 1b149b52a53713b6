// SPDX-License-Identifier: Apache-2.0
#include "core/model/head.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/model/initial_std.h"

namespace trireme {
namespace {

// Calls body(first, count) for chunks of at most `chunk` of `rows` rows.
template <class Body>
void for_chunks(std::int64_t rows, std::int64_t chunk, const Body& body) {
  for (std::int64_t first = 0; first < rows; first += chunk) body(first, std::min(chunk, rows - first));
}

Tensor targets_of(const Pass& pass, std::int64_t rows) { return pass.batch.targets.reshape({rows}); }

}  // namespace

Head::Head(const Architecture& a, int block, std::int64_t chunk_rows)
    : a_(a), block_(block), chunk_rows_(chunk_rows), norm_(a, block, "head.norm") {
  check_usage(chunk_rows >= 1, "train.head_rows = {}: at least 1 row", chunk_rows);
}

void Head::params(ParamTable& table, ParamId tied) {
  norm_.params(table);
  matrix_ = a_.tied ? tied
                    : table.add(block_, {.name = "head.weight",
                                         .shape = {a_.vocabulary, a_.width},
                                         .init = {.kind = Init::Kind::normal, .std = kInitialStd},
                                         .decay = true,
                                         .cut = {.dim = 0, .sections = {}}});
}

void Head::plan(Plan& plan, const PassShape& shape) {
  const Plan::Scope scope(plan);
  norm_.plan(plan, shape, Norm::Lifetime::scratch);
  normed_ = plan.scratch("head.normed", shape.dtype, {shape.rows(), a_.width});
  const bool fp32 = shape.dtype == Dtype::f32 || plan.saving() == Saving::none;
  // Two bf16 rows are the memory of one fp32 row, which evaluation between steps needs.
  const std::int64_t rows = std::max(std::min(chunk_rows_, shape.rows()), std::int64_t{fp32 ? 1 : 2});
  logits_ = plan.scratch("head.logits", fp32 ? Dtype::f32 : shape.dtype, {rows, a_.vocabulary});
}

void Head::loss_and_gradient(const Pass& pass, const Tensors& weights, const Tensors& gradients, const Tensor& x,
                             const Tensor& d, const Tensor& losses, float gradient_scale) const {
  const Tensor normed = pass.plan[normed_];
  const Tensor memory = pass.plan[logits_];
  const std::int64_t rows = x.shape[0];
  const Tensor targets = targets_of(pass, rows);
  norm_.forward(pass, weights.own, x, normed);
  for_chunks(rows, memory.shape[0], [&](std::int64_t first, std::int64_t count) {
    const Tensor h = normed.rows(first, count);
    const Tensor logits = memory.rows(0, count);
    pass.ops.run(pass.stream,
                 Linear{.y = logits, .x = h, .weight = weights.matrix[matrix_], .bias = {}, .residual = {}});
    pass.ops.run(pass.stream, CrossEntropy{.losses = losses.rows(first, count),
                                           .logits = logits,
                                           .targets = targets.rows(first, count),
                                           .vocabulary = a_.vocabulary,
                                           .gradient_scale = gradient_scale});
    pass.ops.run(pass.stream,
                 LinearBackwardWeight{.d_weight = gradients.matrix[matrix_], .d_bias = {}, .dy = logits, .x = h});
    // The chunk's normed rows have been read for the last time: their gradient takes their place.
    pass.ops.run(pass.stream, LinearBackwardInput{.dx = h, .dy = logits, .weight = weights.matrix[matrix_]});
  });
  norm_.backward(pass, weights.own, gradients.own, normed, x, d, false);
}

void Head::for_logits(const Pass& pass, const Tensors& weights, const Tensor& x, const ChunkBody& body) const {
  const Tensor memory = pass.plan[logits_];
  const std::int64_t rows = memory.dtype == Dtype::f32 ? memory.shape[0] : memory.shape[0] / 2;
  const Tensor chunk{memory.data, Dtype::f32, {rows, memory.shape[1]}};
  norm_.forward(pass, weights.own, x, pass.plan[normed_]);
  for_chunks(x.shape[0], rows, [&](std::int64_t first, std::int64_t count) {
    const Tensor logits = chunk.rows(0, count);
    pass.ops.run(pass.stream, Linear{.y = logits,
                                     .x = pass.plan[normed_].rows(first, count),
                                     .weight = weights.matrix[matrix_],
                                     .bias = {},
                                     .residual = {}});
    body(first, count, logits);
  });
}

void Head::losses(const Pass& pass, const Tensors& weights, const Tensor& x, const Tensor& losses) const {
  const Tensor targets = targets_of(pass, x.shape[0]);
  for_logits(pass, weights, x, [&](std::int64_t first, std::int64_t count, const Tensor& logits) {
    pass.ops.run(pass.stream, CrossEntropy{.losses = losses.rows(first, count),
                                           .logits = logits,
                                           .targets = targets.rows(first, count),
                                           .vocabulary = a_.vocabulary});
  });
}

void Head::score(const Pass& pass, const Tensors& weights, const Tensor& x, const Tensor& log_prob,
                 const Tensor& best) const {
  const Tensor targets = targets_of(pass, x.shape[0]);
  for_logits(pass, weights, x, [&](std::int64_t first, std::int64_t count, const Tensor& logits) {
    pass.ops.run(pass.stream, TokenScore{.log_prob = log_prob.rows(first, count),
                                         .best = best.rows(first, count),
                                         .logits = logits,
                                         .targets = targets.rows(first, count),
                                         .vocabulary = a_.vocabulary});
  });
}

void Head::logits(const Pass& pass, const Tensors& weights, const Tensor& x, std::int64_t first_row,
                  const Tensor& out) const {
  norm_.forward(pass, weights.own, x, pass.plan[normed_]);
  pass.ops.run(pass.stream, Linear{.y = out,
                                   .x = pass.plan[normed_].rows(first_row, out.shape[0]),
                                   .weight = weights.matrix[matrix_],
                                   .bias = {},
                                   .residual = {}});
}

}  // namespace trireme
