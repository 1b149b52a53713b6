// SPDX-License-Identifier: Apache-2.0
// The model: two loops over layers, forward and backward. Whether weights are replicated or sharded, kept or gathered
// just in time, is the parameter store's business; these loops say only when they are needed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model/architecture.h"
#include "core/model/batch_memory.h"
#include "core/model/embedding.h"
#include "core/model/head.h"
#include "core/model/layer.h"

namespace trireme {

/// A decoder-only transformer. Block 0 of the parameters is the embedding, 1..L are transformer blocks, L + 1 the head.
/// One object serves one plan: evaluation at another size has a model of its own, over the same parameter store.
class Model {
 public:
  /// `head_rows`: rows whose logits exist at a time. Throws Error(usage) for a shape that cannot be.
  explicit Model(const Architecture& a, std::int64_t head_rows = 512);

  /// Declares all parameters; once, before anything else.
  ParamTable params();
  /// Declares all memory. The plan's Saving decides what the model can do: backward() needs keep or recompute,
  /// score() needs none.
  void plan(Plan& plan, const PassShape& shape);
  /// After commit(), once: batch constants and the table of rotations. Returns when they are in place.
  void load_constants(Device& device, Stream& stream, const Plan& plan);
  /// The batch's memory, for upload() and as Pass::batch.
  const BatchMemory& batch() const { return batch_; }
  BatchMemory& batch() { return batch_; }

  /// The residual stream from the embedding to the last block, for the pass's batch.
  void forward(const Pass& pass, ParamStore& store);
  /// After forward(): adds the sum of losses to loss_sum [1] f32 and gradient_scale times its gradient to the store's
  /// gradients. `last`: of this step's micro-steps; every block's reduction starts as soon as its gradient is complete.
  void backward(const Pass& pass, ParamStore& store, const Tensor& loss_sum, float gradient_scale, bool last);

  /// After forward(): each target's loss, [N] f32.
  Tensor losses(const Pass& pass, ParamStore& store);
  /// After forward(), Saving::none: log-likelihood of each target [N] f32, and each row's best token [N] i32.
  struct Scores {
    Tensor log_prob, best;
  };
  Scores score(const Pass& pass, ParamStore& store);
  /// After forward(): out [n, V] f32 becomes the logits of rows [first_row, first_row + n).
  void logits(const Pass& pass, ParamStore& store, std::int64_t first_row, const Tensor& out);
  /// After forward(), once: moves the given rows of the batch [B * T], in ascending order, to the front, so that
  /// logits() counts in them: few rows far apart need one product.
  void gather(const Pass& pass, Device& device, std::span<const std::int64_t> rows);

 private:
  int head_block() const { return static_cast<int>(layers_.size()) + 1; }
  /// What block `i` leaves on the residual stream.
  Tensor residual(const Plan& plan, int i) const;
  Pass with_constants(const Pass& pass) const;
  template <class Use>
  void with_head(const Pass& pass, ParamStore& store, const Use& use);

  Architecture a_;
  EmbeddingLayer embedding_;
  std::vector<std::unique_ptr<Layer>> layers_;
  Head head_;
  BatchMemory batch_;
  std::vector<Slot> residual_;
  Slot d_residual_, losses_, log_prob_, best_, cos_sin_;
};

}  // namespace trireme
