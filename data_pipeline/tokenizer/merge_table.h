// SPDX-License-Identifier: Apache-2.0
// Which two adjacent tokens merge, into what, and how early: an open-addressing table that the merge loop reads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme {

/// What merging a pair gives; rank kNoMerge where the pair does not merge.
struct Merge {
  std::uint32_t rank;
  std::uint32_t id;
};
inline constexpr std::uint32_t kNoMerge = 0xFFFFFFFFU;

class MergeTable {
 public:
  /// Makes room for `count` pairs; call once, before insert().
  void reserve(std::size_t count) {
    const std::size_t slots = std::bit_ceil(2 * count + 16);
    entries_.assign(slots, Entry{kEmpty, {kNoMerge, 0}});
    shift_ = 64 - std::countr_zero(slots);
  }

  /// False if the pair is there already.
  bool insert(std::uint32_t left, std::uint32_t right, Merge merge) {
    Entry& entry = entries_[slot_of(key_of(left, right))];
    if (entry.key != kEmpty) return false;
    entry = {key_of(left, right), merge};
    ++size_;
    return true;
  }

  Merge find(std::uint32_t left, std::uint32_t right) const { return entries_[slot_of(key_of(left, right))].merge; }
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t key;
    Merge merge;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  static std::uint64_t key_of(std::uint32_t left, std::uint32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | right;
  }
  std::size_t slot_of(std::uint64_t key) const {
    const std::size_t mask = entries_.size() - 1;
    std::uint64_t mixed = (key ^ key >> 29) * 0x9E3779B97F4A7C15ULL;
    mixed = (mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93ULL;
    std::size_t slot = mixed >> shift_;
    while (entries_[slot].key != key && entries_[slot].key != kEmpty) slot = (slot + 1) & mask;
    return slot;
  }

  std::vector<Entry> entries_;
  int shift_ = 0;
  std::size_t size_ = 0;
};

}  // namespace trireme
