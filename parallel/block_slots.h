// SPDX-License-Identifier: Apache-2.0
// Memory that blocks take in turns: which block has which place, and how large the places are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "parallel/flat_layout.h"

namespace trireme {

/// Inner blocks have two places in turn: one is worked on while the other is filled or emptied. The first block and the
/// last one share a third, or have one each where they are leased together (a tied head).
class BlockSlots {
 public:
  BlockSlots(const std::vector<BlockLayout>& layouts, bool ends_tied) : last_(layouts.size() - 1) {
    elements_.resize(ends_tied ? 4 : 3);
    ends_tied_ = ends_tied;
    for (std::size_t b = 0; b < layouts.size(); ++b) {
      auto& size = elements_[of(static_cast<int>(b))];
      size = std::max(size, layouts[b].elements);
    }
  }
  std::size_t count() const { return elements_.size(); }
  /// Of the largest block that takes the place.
  std::int64_t elements(std::size_t slot) const { return elements_[slot]; }
  std::size_t of(int block) const {
    const auto b = static_cast<std::size_t>(block);
    if (b == 0) return 2;
    if (b == last_) return ends_tied_ ? 3 : 2;
    return b % 2;
  }

 private:
  std::size_t last_;
  bool ends_tied_ = false;
  std::vector<std::int64_t> elements_;
};

}  // namespace trireme
