// SPDX-License-Identifier: Apache-2.0
// The first room: token ids (and learned positions) to the residual stream.
#pragma once

#include "core/model/architecture.h"
#include "core/model/layer.h"

namespace trireme {

class EmbeddingLayer {
 public:
  EmbeddingLayer(const Architecture& a, int block) : a_(a), block_(block) {}

  void params(ParamTable& table);
  void plan(Plan& plan, const PassShape& shape);
  /// y [N / tensor, D] from the pass's tokens and positions.
  void forward(const Pass& pass, const Weights& weights, const Tensor& y) const;
  /// Adds the tables' gradients, given d [N / tensor, D].
  void backward(const Pass& pass, const Weights& gradients, const Tensor& d) const;
  /// The token table [V, D], which a tied head multiplies with.
  ParamId tokens() const { return tokens_; }

 private:
  bool learned_positions() const { return a_.family == Family::gpt2; }
  /// The first token of this rank's part of the table.
  std::int64_t first_row(const Pass& pass) const;

  Architecture a_;
  int block_;
  ParamId tokens_, positions_;
  Slot full_;  // scratch [N, D]: this rank's part of every row
};

}  // namespace trireme
