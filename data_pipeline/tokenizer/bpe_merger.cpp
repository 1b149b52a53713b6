// SPDX-License-Identifier: Apache-2.0
// Short pieces by scanning an array for the lowest rank, long ones with a heap over a linked list.
#include "data_pipeline/tokenizer/bpe_merger.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace trireme {
namespace {

// Scanning costs n^2 / 2 cheap steps, the heap n log n dear ones; they cross somewhere near here.
constexpr std::size_t kLongestScanned = 96;

}  // namespace

BpeTables::BpeTables(MergeTable all, const std::array<std::uint32_t, 256>& bytes)
    : merges(std::move(all)), byte_ids(bytes), byte_pairs(65536) {
  for (std::size_t pair = 0; pair < byte_pairs.size(); ++pair) {
    byte_pairs[pair] = merges.find(byte_ids[pair >> 8], byte_ids[pair & 0xFFU]);
  }
}

const std::vector<std::uint32_t>& BpeMerger::merge(std::string_view piece) {
  const std::size_t size = piece.size();
  ids_.resize(size);
  pairs_.resize(size);
  const auto* bytes = reinterpret_cast<const unsigned char*>(piece.data());
  for (std::size_t i = 0; i < size; ++i) ids_[i] = tables_->byte_ids[bytes[i]];
  for (std::size_t i = 0; i + 1 < size; ++i) {
    pairs_[i] = tables_->byte_pairs[static_cast<std::size_t>(bytes[i]) << 8 | bytes[i + 1]];
  }
  pairs_[size - 1] = {kNoMerge, 0};
  if (size <= kLongestScanned) {
    merge_short(size);
  } else {
    merge_long(size);
  }
  return ids_;
}

void BpeMerger::merge_short(std::size_t size) {
  while (size > 1) {
    std::size_t best = 0;
    std::uint32_t rank = pairs_[0].rank;
    for (std::size_t i = 1; i + 1 < size; ++i) {
      if (pairs_[i].rank < rank) {
        rank = pairs_[i].rank;
        best = i;
      }
    }
    if (rank == kNoMerge) break;
    ids_[best] = pairs_[best].id;
    std::copy(ids_.begin() + static_cast<std::ptrdiff_t>(best) + 2, ids_.begin() + static_cast<std::ptrdiff_t>(size),
              ids_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(pairs_.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              pairs_.begin() + static_cast<std::ptrdiff_t>(size),
              pairs_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    --size;
    pairs_[best] = best + 1 < size ? tables_->merges.find(ids_[best], ids_[best + 1]) : Merge{kNoMerge, 0};
    if (best > 0) pairs_[best - 1] = tables_->merges.find(ids_[best - 1], ids_[best]);
  }
  ids_.resize(size);
}

void BpeMerger::merge_long(std::size_t size) {
  next_.resize(size);
  before_.resize(size);
  heap_.clear();
  const auto entry = [&](std::size_t i) { return static_cast<std::uint64_t>(pairs_[i].rank) << 32 | i; };
  for (std::size_t i = 0; i < size; ++i) {
    next_[i] = static_cast<std::uint32_t>(i + 1);
    before_[i] = static_cast<std::uint32_t>(i) - 1;
    if (pairs_[i].rank != kNoMerge) heap_.push_back(entry(i));
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  const auto renew = [&](std::size_t i) {
    pairs_[i] = next_[i] < size ? tables_->merges.find(ids_[i], ids_[next_[i]]) : Merge{kNoMerge, 0};
    if (pairs_[i].rank == kNoMerge) return;
    heap_.push_back(entry(i));
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  };
  while (!heap_.empty()) {
    const std::uint64_t top = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
    const auto i = static_cast<std::uint32_t>(top);
    if (pairs_[i].rank != top >> 32) continue;
    const std::uint32_t eaten = next_[i];
    ids_[i] = pairs_[i].id;
    next_[i] = next_[eaten];
    if (next_[i] < size) before_[next_[i]] = i;
    pairs_[eaten] = {kNoMerge, 0};
    renew(i);
    if (i > 0) renew(before_[i]);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size; i = next_[i]) ids_[kept++] = ids_[i];
  ids_.resize(kept);
}

}  // namespace trireme
