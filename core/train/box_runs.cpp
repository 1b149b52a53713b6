// SPDX-License-Identifier: Apache-2.0
#include "core/train/box_runs.h"

#include <algorithm>
#include <cassert>

namespace trireme {
namespace {

using Coordinates = std::array<std::int64_t, Shape::kMaxRank>;

/// Index of the tensor's element `at` among the box's elements.
std::int64_t index_in(const Box& box, const Coordinates& at) {
  std::int64_t index = 0;
  for (int d = 0; d < box.extent.rank(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    index = index * box.extent[d] + at[i] - box.origin[i];
  }
  return index;
}

}  // namespace

bool overlap(const Box& a, const Box& b) {
  for (int d = 0; d < a.extent.rank(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (a.origin[i] + a.extent[d] <= b.origin[i] || b.origin[i] + b.extent[d] <= a.origin[i]) return false;
  }
  return true;
}

std::vector<BoxRun> runs_between(const Box& from, const Box& to) {
  assert(from.extent.rank() == to.extent.rank() && from.extent.rank() >= 1);
  const int rank = from.extent.rank();
  Coordinates low{};
  Coordinates high{};
  for (int d = 0; d < rank; ++d) {
    const auto i = static_cast<std::size_t>(d);
    low[i] = std::max(from.origin[i], to.origin[i]);
    high[i] = std::min(from.origin[i] + from.extent[d], to.origin[i] + to.extent[d]);
    if (low[i] >= high[i]) return {};
  }
  // A run goes through the dims from `inner` on: those after `inner` are whole in both boxes.
  int inner = rank - 1;
  std::int64_t count = high[static_cast<std::size_t>(inner)] - low[static_cast<std::size_t>(inner)];
  while (inner > 0) {
    const auto i = static_cast<std::size_t>(inner);
    if (high[i] - low[i] != from.extent[inner] || high[i] - low[i] != to.extent[inner]) break;
    --inner;
    count *= high[i - 1] - low[i - 1];
  }
  std::vector<BoxRun> runs;
  for (Coordinates at = low;;) {
    runs.push_back({index_in(from, at), index_in(to, at), count});
    int d = inner - 1;
    for (; d >= 0; --d) {  // the next row of the dims before `inner`
      const auto i = static_cast<std::size_t>(d);
      if (++at[i] < high[i]) break;
      at[i] = low[i];
    }
    if (d < 0) return runs;
  }
}

}  // namespace trireme
