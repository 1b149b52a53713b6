// SPDX-License-Identifier: Apache-2.0
#include "core/model/embedding.h"

#include "core/model/initial_std.h"

namespace trireme {

void EmbeddingLayer::params(ParamTable& table) {
  const Init normal{.kind = Init::Kind::normal, .std = kInitialStd};
  tokens_ = table.add(block_, {.name = "embedding.tokens.weight",
                               .shape = {a_.vocabulary, a_.width},
                               .init = normal,
                               .decay = true,
                               .cut = {.dim = 0, .sections = {}}});
  if (!learned_positions()) return;
  positions_ = table.add(block_, {.name = "embedding.positions.weight",
                                  .shape = {a_.context, a_.width},
                                  .init = normal,
                                  .decay = true,
                                  .cut = {}});
}

std::int64_t EmbeddingLayer::first_row(const Pass& pass) const {
  return a_.vocabulary / pass.tensor_axis.size() * pass.tensor_axis.rank();
}

void EmbeddingLayer::forward(const Pass& pass, const Weights& weights, const Tensor& y) const {
  const bool adds_positions = learned_positions() && pass.tensor_axis.rank() == 0;  // enter the sum once
  const Shape rows{y.shape[0]};
  pass.ops.run(pass.stream, Embedding{.y = y,
                                      .tokens = pass.batch.tokens.reshape(rows),
                                      .positions = pass.batch.positions.reshape(rows),
                                      .token_table = weights[tokens_],
                                      .position_table = adds_positions ? weights[positions_] : Tensor{},
                                      .first_row = first_row(pass)});
  if (pass.tensor_axis.size() > 1) pass.tensor_axis.all_reduce(pass.stream, y);
}

void EmbeddingLayer::backward(const Pass& pass, const Weights& gradients, const Tensor& d) const {
  const Shape rows{d.shape[0]};
  pass.ops.run(pass.stream,
               EmbeddingBackward{.d_token_table = gradients[tokens_],
                                 .d_position_table = learned_positions() ? gradients[positions_] : Tensor{},
                                 .dy = d,
                                 .tokens = pass.batch.tokens.reshape(rows),
                                 .positions = pass.batch.positions.reshape(rows),
                                 .first_row = first_row(pass)});
}

}  // namespace trireme
