// SPDX-License-Identifier: Apache-2.0
#include "core/model/embedding.h"

#include "core/model/parametrization.h"
#include "core/model/vocabulary.h"

namespace trireme {

void EmbeddingLayer::params(ParamTable& table) {
  const Init normal = table_start(a_).init;
  tokens_ = table.add(block_, {.name = "embedding.tokens.weight",
                               .shape = {a_.vocabulary, a_.width},
                               .init = normal,
                               .decay = true,
                               .cut = {.dim = 0, .sections = {vocabulary_section(a_)}}});
  if (!learned_positions()) return;
  positions_ = table.add(block_, {.name = "embedding.positions.weight",
                                  .shape = {a_.context, a_.width},
                                  .init = normal,
                                  .decay = true,
                                  .cut = {}});
}

void EmbeddingLayer::plan(Plan& plan, const PassShape& shape) {
  const Plan::Scope scope(plan);
  if (shape.tensor > 1) full_ = plan.scratch("embedding.full", shape.dtype, {shape.rows(), a_.width});
}

std::int64_t EmbeddingLayer::first_row(const Pass& pass) const {
  return local_size(vocabulary_section(a_), pass.tensor_axis.size()) * pass.tensor_axis.rank();
}

void EmbeddingLayer::forward(const Pass& pass, const Weights& weights, const Tensor& y) const {
  const bool adds_positions = learned_positions() && pass.tensor_axis.rank() == 0;  // enter the sum once
  const bool alone = pass.tensor_axis.size() == 1;
  const Tensor full = alone ? y : pass.plan[full_];
  const Shape rows{full.shape[0]};
  pass.ops.run(pass.stream, Embedding{.y = full,
                                      .tokens = pass.batch.tokens.reshape(rows),
                                      .positions = pass.batch.positions.reshape(rows),
                                      .token_table = weights[tokens_],
                                      .position_table = adds_positions ? weights[positions_] : Tensor{},
                                      .first_row = first_row(pass)});
  if (!alone) pass.tensor_axis.reduce_scatter(pass.stream, y, full);
}

void EmbeddingLayer::backward(const Pass& pass, const Weights& gradients, const Tensor& d) const {
  const bool alone = pass.tensor_axis.size() == 1;
  const Tensor full = alone ? d : pass.plan[full_];
  if (!alone) pass.tensor_axis.all_gather(pass.stream, full, d);
  const bool adds_positions = learned_positions() && pass.tensor_axis.rank() == 0;  // enter the sum once
  const Shape rows{full.shape[0]};
  pass.ops.run(pass.stream, EmbeddingBackward{.d_token_table = gradients[tokens_],
                                              .d_position_table = adds_positions ? gradients[positions_] : Tensor{},
                                              .dy = full,
                                              .tokens = pass.batch.tokens.reshape(rows),
                                              .positions = pass.batch.positions.reshape(rows),
                                              .first_row = first_row(pass)});
}

}  // namespace trireme
