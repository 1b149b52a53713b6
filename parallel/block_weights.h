// SPDX-License-Identifier: Apache-2.0
// Where weights are in the compute dtype: whole on every rank at all times, or gathered block by block when needed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/group.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "parallel/flat_layout.h"

namespace trireme {

/// What the parts of a parameter store have in common.
struct StoreParts {
  const std::vector<BlockLayout>& layouts;
  bool ends_tied = false;
  Device& device;
  const Ops& ops;
  Dtype compute = Dtype::f32;
  Group* shard = nullptr;  // none: one rank

  int shard_rank() const { return shard == nullptr ? 0 : shard->rank(); }
  int shard_ranks() const { return shard == nullptr ? 1 : shard->size(); }
  std::int64_t piece(int block) const { return layouts[static_cast<std::size_t>(block)].elements / shard_ranks(); }
  /// Of all blocks: whole, or this rank's pieces.
  std::int64_t whole_elements() const;
  std::int64_t piece_elements() const { return whole_elements() / shard_ranks(); }
};

/// Elements [begin, begin + shape) of a buffer.
Tensor part_of(const Buffer& buffer, Dtype dtype, std::int64_t begin, const Shape& shape);
/// The block's parameters in `flat`, which holds the whole block.
std::vector<Tensor> views_of(const BlockLayout& layout, const Tensor& flat);

class BlockWeights {
 public:
  virtual ~BlockWeights() = default;
  /// This rank's piece of the block's masters [piece] f32, and of its copies [piece] bf16 (empty in fp32).
  virtual Tensor master(int block) = 0;
  virtual Tensor copy(int block) = 0;

  // As in ParamStore.
  virtual void prefetch(int block) = 0;
  virtual Weights acquire(Stream& compute, int block) = 0;
  virtual void release(Stream& compute, int block) = 0;
  /// Masters and copies have changed, in the order of `compute`.
  virtual void publish(Stream& compute) = 0;
  /// Returns when nothing that was published is still on its way: masters and copies may be written from outside.
  virtual void settle() = 0;

  /// Bytes of copies of the parameters in the compute dtype beyond the masters, and of places to gather them in.
  virtual std::size_t copy_bytes() const = 0;
  virtual std::size_t buffer_bytes() const = 0;
};

/// Whole on every rank; after an update each rank's piece is gathered, block by block, while the next step begins.
std::unique_ptr<BlockWeights> make_resident_weights(const StoreParts& parts);
/// A piece on every rank; a block is gathered when it is wanted and lives until its place is taken.
std::unique_ptr<BlockWeights> make_gathered_weights(const StoreParts& parts);

}  // namespace trireme
