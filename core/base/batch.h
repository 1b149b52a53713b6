// SPDX-License-Identifier: Apache-2.0
// What a training step reads: samples by their global index. Kinds of source: loader, synthetic, exam.
#pragma once

#include <cstdint>

#include "core/base/tensor.h"

namespace trireme {

/// Rows of tokens in pinned host memory, owned by the source. All [B, T] i32.
struct Batch {
  Tensor tokens;
  Tensor targets;         // the next token; -1 where there is nothing to predict
  Tensor positions;       // within the row, or within the document under a document mask
  Tensor document_start;  // index in the row of the first token of each token's document; empty: no document mask
  std::int64_t target_count = 0;  // targets that are not -1
  std::uint64_t token_hash = 0;   // wrapping sum over rows of hash(sample index, tokens): independent of the split
};

/// A pure function from sample index to sample, with read-ahead.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// Samples [first, first + count) of the global order. Valid until the next call. Throws Error naming the shard when
  /// one cannot be read.
  virtual const Batch& read(std::int64_t first, std::int64_t count) = 0;
  /// A hint: what read() will be asked for next; the source reads it ahead.
  virtual void prefetch(std::int64_t first, std::int64_t count) = 0;
  /// Samples in one pass over the data; the order goes on beyond it with another permutation.
  virtual std::int64_t samples_per_epoch() const = 0;
};

}  // namespace trireme
