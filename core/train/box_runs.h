// SPDX-License-Identifier: Apache-2.0
// Boxes of a tensor and what two of them share: how a checkpoint written on one mesh is read on another.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/tensor.h"

namespace trireme {

/// A box within a tensor of the same rank; its elements lie row by row in memory of their own.
struct Box {
  std::array<std::int64_t, Shape::kMaxRank> origin{};
  Shape extent;
};

/// `count` elements that follow one another in both boxes: from element `from` of one, element `to` of the other.
struct BoxRun {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t count = 0;
};

/// The elements that both boxes hold, as few runs as there are, in order. With the whole tensor as `to`, `to` of a run
/// is the element's index in the tensor.
std::vector<BoxRun> runs_between(const Box& from, const Box& to);
/// Whether they have an element in common.
bool overlap(const Box& a, const Box& b);

}  // namespace trireme
