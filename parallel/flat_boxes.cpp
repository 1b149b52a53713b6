// SPDX-License-Identifier: Apache-2.0
#include "parallel/flat_boxes.h"

#include <algorithm>
#include <cassert>
#include <span>

namespace trireme {
std::vector<FlatBox> flat_boxes(const Shape& shape, std::int64_t begin, std::int64_t end) {
  assert(shape.rank() >= 1 && begin >= 0 && end <= shape.elements());
  std::vector<FlatBox> boxes;
  while (begin < end) {
    // The largest box that starts at `begin`: whole rows of dim k, where everything inside dim k starts at 0.
    std::int64_t inner = 1;  // elements in one step of dim k
    int k = shape.rank() - 1;
    while (k > 0 && begin % (inner * shape[k]) == 0 && end - begin >= inner * shape[k]) inner *= shape[k--];
    FlatBox box;
    box.begin = begin;
    std::array<std::int64_t, Shape::kMaxRank> extent{};
    std::int64_t rest = begin;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      const auto at = static_cast<std::size_t>(i);
      box.origin[at] = rest % shape[i];
      rest /= shape[i];
      extent[at] = i > k ? shape[i] : 1;
    }
    const auto at = static_cast<std::size_t>(k);
    extent[at] = std::min(shape[k] - box.origin[at], (end - begin) / inner);
    box.extent = Shape(std::span(extent).first(static_cast<std::size_t>(shape.rank())));
    begin += box.extent.elements();
    boxes.push_back(box);
  }
  return boxes;
}

}  // namespace trireme
