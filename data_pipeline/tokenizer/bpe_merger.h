// SPDX-License-Identifier: Apache-2.0
// The merge loop of byte-pair encoding: lowest rank first, ties leftmost, exactly.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/merge_table.h"

namespace trireme {

/// Merges one piece at a time and keeps the memory for it. Not for use by two threads at once.
class BpeMerger {
 public:
  /// `byte_ids` [256] are the tokens of single bytes. Both must outlive this.
  BpeMerger(const MergeTable& merges, const std::uint32_t* byte_ids) : merges_(&merges), byte_ids_(byte_ids) {}

  /// The tokens of a piece of 1 to 2^31 bytes, valid until the next call: O(n log n) in its length n.
  const std::vector<std::uint32_t>& merge(std::string_view piece);

 private:
  void merge_short(std::size_t size);
  void merge_long(std::size_t size);

  const MergeTable* merges_;
  const std::uint32_t* byte_ids_;
  std::vector<std::uint32_t> ids_;
  std::vector<Merge> pairs_;           // what ids_[i] and its right neighbour give
  std::vector<std::uint32_t> next_;    // merge_long: linked list of the live positions
  std::vector<std::uint32_t> before_;  // merge_long
  std::vector<std::uint64_t> heap_;    // merge_long: rank << 32 | position, smallest first; stale entries are skipped
};

}  // namespace trireme
