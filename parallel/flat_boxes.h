// SPDX-License-Identifier: Apache-2.0
// A range of a tensor's elements, counted row by row, as boxes: what a checkpoint can name.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/tensor.h"

namespace trireme {

struct FlatBox {
  std::array<std::int64_t, Shape::kMaxRank> origin{};
  Shape extent;
  std::int64_t begin = 0;  // its first element in the flat order; it is contiguous from there
};

/// The fewest boxes that cover elements [begin, end) of a tensor once, in order: one of a vector, at most three of a
/// matrix (the end of a row, whole rows, the beginning of a row).
std::vector<FlatBox> flat_boxes(const Shape& shape, std::int64_t begin, std::int64_t end);

}  // namespace trireme
