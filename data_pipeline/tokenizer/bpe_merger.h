// SPDX-License-Identifier: Apache-2.0
// The merge loop of byte-pair encoding: lowest rank first, ties leftmost, exactly.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/merge_table.h"

namespace trireme {

/// What the merge loop reads and never writes.
struct BpeTables {
  /// Takes the merges and the tokens of single bytes, by byte value.
  BpeTables(MergeTable all, const std::array<std::uint32_t, 256>& bytes);

  MergeTable merges;
  std::array<std::uint32_t, 256> byte_ids;
  std::vector<Merge>
      byte_pairs;  ///< [65536] the merge of two bytes: half of all look-ups, in a table that stays cached
};

/// Merges one piece at a time and keeps the memory for it. Not for use by two threads at once.
class BpeMerger {
 public:
  /// `tables` must outlive this.
  explicit BpeMerger(const BpeTables& tables) : tables_(&tables) {}

  /// The tokens of a piece of 1 to 2^31 bytes, valid until the next call: O(n log n) in its length n.
  const std::vector<std::uint32_t>& merge(std::string_view piece);

 private:
  void merge_short(std::size_t size);
  void merge_long(std::size_t size);

  const BpeTables* tables_;
  std::vector<std::uint32_t> ids_;
  std::vector<Merge> pairs_;           // what ids_[i] and its right neighbour give
  std::vector<std::uint32_t> next_;    // merge_long: linked list of the live positions
  std::vector<std::uint32_t> before_;  // merge_long
  std::vector<std::uint64_t> heap_;    // merge_long: rank << 32 | position, smallest first; stale entries are skipped
};

}  // namespace trireme
