// SPDX-License-Identifier: Apache-2.0
// Where gradients are, f32: whole on every rank through a step, or whole only while a block is worked on.
#pragma once

#include <memory>

#include "parallel/block_weights.h"

namespace trireme {

/// The rest of a reduction, after the shard axis: what every rank of the other axes adds.
struct ReductionAxes {
  Group* replica = nullptr;
  Group* tensor = nullptr;
  Group* copies = nullptr;
};

class BlockGradients {
 public:
  virtual ~BlockGradients() = default;
  /// This rank's piece of the block's sums [piece], after finish().
  virtual Tensor piece(int block) = 0;

  // As in ParamStore.
  virtual void begin_step(Stream& compute) = 0;
  virtual Weights gradients(Stream& compute, int block) = 0;
  virtual void reduce(Stream& compute, int block, bool last) = 0;
  virtual void finish(Stream& compute) = 0;

  /// Bytes of what lives through a step, and of places that blocks take in turns.
  virtual std::size_t bytes() const = 0;
  virtual std::size_t buffer_bytes() const = 0;
};

/// Whole on every rank; reduced in the last micro-step alone.
std::unique_ptr<BlockGradients> make_whole_gradients(const StoreParts& parts, const ReductionAxes& axes,
                                                     Dtype reduce_dtype);
/// A piece on every rank; reduced over the shard axis in every micro-step and added up there.
std::unique_ptr<BlockGradients> make_leased_gradients(const StoreParts& parts, const ReductionAxes& axes,
                                                      Dtype reduce_dtype);

}  // namespace trireme
