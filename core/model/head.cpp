// SPDX-License-Identifier: Apache-2.0
#include "core/model/head.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/model/parametrization.h"
#include "core/model/vocabulary.h"

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
    : a_(a), block_(block), chunk_rows_(chunk_rows), norm_(a, block, "head.norm", true) {
  check_usage(chunk_rows >= 1, "train.head_rows = {}: at least 1 row", chunk_rows);
}

void Head::params(ParamTable& table, ParamId tied) {
  norm_.params(table);
  matrix_ = a_.tied ? tied
                    : table.add(block_, {.name = "head.weight",
                                         .shape = {a_.vocabulary, a_.width},
                                         .init = table_start(a_).init,
                                         .decay = true,
                                         .cut = {.dim = 0, .sections = {vocabulary_section(a_)}}});
}

void Head::plan(Plan& plan, const PassShape& shape) {
  const Plan::Scope scope(plan);
  norm_.plan(plan, shape, Norm::Lifetime::scratch);
  normed_ = plan.scratch("head.normed", shape.dtype, {shape.rows(), a_.width});
  const bool fp32 = shape.dtype == Dtype::f32 || plan.saving() == Saving::none;
  // Two bf16 rows are the memory of one fp32 row, which evaluation between steps needs.
  const std::int64_t rows = std::max(std::min(chunk_rows_, shape.rows()), std::int64_t{fp32 ? 1 : 2});
  const std::int64_t columns = local_size(vocabulary_section(a_), shape.tensor);
  logits_ = plan.scratch("head.logits", fp32 ? Dtype::f32 : shape.dtype, {rows, columns});
  if (shape.tensor > 1) parts_ = plan.scratch("head.parts", Dtype::f32, {shape.tensor, rows, 4});
}

Head::Columns Head::columns(const Pass& pass) const {
  const std::int64_t size = local_size(vocabulary_section(a_), pass.tensor_axis.size());
  const std::int64_t first = size * pass.tensor_axis.rank();
  return {.first = first, .real = std::clamp<std::int64_t>(a_.vocabulary - first, 0, size)};
}

Tensor Head::normed(const Pass& pass, const Weights& weights, const Tensor& x) const {
  const Tensor all = pass.plan[normed_];
  const std::int64_t n = x.shape[0];
  const Tensor own = all.rows(pass.tensor_axis.rank() * n, n);
  norm_.forward(pass, weights, x, own);
  if (pass.tensor_axis.size() > 1) pass.tensor_axis.all_gather(pass.stream, all, own);
  return all;
}

Tensor Head::gathered_parts(const Pass& pass, const Tensor& logits, const Tensor& targets) const {
  const std::int64_t ranks = pass.tensor_axis.size();
  if (ranks == 1) return {};
  const auto [first, real] = columns(pass);
  const std::int64_t rows = logits.shape[0];
  const Tensor parts{pass.plan[parts_].data, Dtype::f32, {ranks, rows, 4}};
  const Tensor own = parts.rows(pass.tensor_axis.rank(), 1).reshape({rows, 4});
  pass.ops.run(
      pass.stream,
      SoftmaxPart{.stats = own, .logits = logits, .targets = targets, .vocabulary = real, .first_column = first});
  pass.tensor_axis.all_gather(pass.stream, parts, own);
  return parts;
}

void Head::loss_and_gradient(const Pass& pass, const Tensors& weights, const Tensors& gradients, const Tensor& x,
                             const Tensor& d, const Tensor& losses, float gradient_scale) const {
  const Tensor normed = this->normed(pass, weights.own, x);
  const Tensor memory = pass.plan[logits_];
  const std::int64_t rows = normed.shape[0];
  const Tensor targets = targets_of(pass, rows);
  const Columns own = columns(pass);
  for_chunks(rows, memory.shape[0], [&](std::int64_t first, std::int64_t count) {
    const Tensor h = normed.rows(first, count);
    const Tensor logits = memory.rows(0, count);
    const Tensor of_chunk = targets.rows(first, count);
    pass.ops.run(pass.stream,
                 Linear{.y = logits, .x = h, .weight = weights.matrix[matrix_], .bias = {}, .residual = {}});
    pass.ops.run(pass.stream, CrossEntropy{.losses = losses.rows(first, count),
                                           .logits = logits,
                                           .targets = of_chunk,
                                           .parts = gathered_parts(pass, logits, of_chunk),
                                           .vocabulary = own.real,
                                           .first_column = own.first,
                                           .gradient_scale = gradient_scale});
    pass.ops.run(pass.stream,
                 LinearBackwardWeight{.d_weight = gradients.matrix[matrix_], .d_bias = {}, .dy = logits, .x = h});
    // The chunk's normed rows have been read for the last time: their gradient takes their place.
    pass.ops.run(pass.stream, LinearBackwardInput{.dx = h, .dy = logits, .weight = weights.matrix[matrix_]});
  });
  const std::int64_t n = x.shape[0];
  const Tensor d_normed = normed.rows(pass.tensor_axis.rank() * n, n);
  if (pass.tensor_axis.size() > 1) pass.tensor_axis.reduce_scatter(pass.stream, d_normed, normed);
  norm_.backward(pass, weights.own, gradients.own, d_normed, x, d, false);
}

void Head::for_logits(const Pass& pass, const Tensors& weights, const Tensor& x, const ChunkBody& body) const {
  const Tensor memory = pass.plan[logits_];
  const std::int64_t rows = memory.dtype == Dtype::f32 ? memory.shape[0] : memory.shape[0] / 2;
  const Tensor chunk{memory.data, Dtype::f32, {rows, memory.shape[1]}};
  const Tensor normed = this->normed(pass, weights.own, x);
  for_chunks(normed.shape[0], rows, [&](std::int64_t first, std::int64_t count) {
    const Tensor logits = chunk.rows(0, count);
    pass.ops.run(pass.stream, Linear{.y = logits,
                                     .x = normed.rows(first, count),
                                     .weight = weights.matrix[matrix_],
                                     .bias = {},
                                     .residual = {}});
    body(first, count, logits);
  });
}

void Head::losses(const Pass& pass, const Tensors& weights, const Tensor& x, const Tensor& losses) const {
  const Tensor targets = targets_of(pass, losses.shape[0]);
  const Columns own = columns(pass);
  for_logits(pass, weights, x, [&](std::int64_t first, std::int64_t count, const Tensor& logits) {
    const Tensor of_chunk = targets.rows(first, count);
    pass.ops.run(pass.stream, CrossEntropy{.losses = losses.rows(first, count),
                                           .logits = logits,
                                           .targets = of_chunk,
                                           .parts = gathered_parts(pass, logits, of_chunk),
                                           .vocabulary = own.real,
                                           .first_column = own.first});
  });
}

void Head::score(const Pass& pass, const Tensors& weights, const Tensor& x, const Tensor& log_prob,
                 const Tensor& best) const {
  const Tensor targets = targets_of(pass, log_prob.shape[0]);
  for_logits(pass, weights, x, [&](std::int64_t first, std::int64_t count, const Tensor& logits) {
    const Tensor of_chunk = targets.rows(first, count);
    pass.ops.run(pass.stream, TokenScore{.log_prob = log_prob.rows(first, count),
                                         .best = best.rows(first, count),
                                         .logits = logits,
                                         .targets = of_chunk,
                                         .parts = gathered_parts(pass, logits, of_chunk),
                                         .vocabulary = columns(pass).real});
  });
}

void Head::logits(const Pass& pass, const Tensors& weights, const Tensor& x, std::int64_t first_row,
                  const Tensor& out) const {
  check(pass.tensor_axis.size() == 1, "whole logits on mesh.tensor = {}: each rank has a part of the vocabulary only",
        pass.tensor_axis.size());
  pass.ops.run(pass.stream, Linear{.y = out,
                                   .x = normed(pass, weights.own, x).rows(first_row, out.shape[0]),
                                   .weight = weights.matrix[matrix_].rows(0, out.shape[1]),
                                   .bias = {},
                                   .residual = {}});
}

}  // namespace trireme
