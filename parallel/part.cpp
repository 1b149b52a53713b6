// SPDX-License-Identifier: Apache-2.0
#include "parallel/part.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "core/base/error.h"

namespace trireme {

void check_part(std::span<const int> ranks, int rank, int size) {
  const bool ascending = std::ranges::adjacent_find(ranks, std::greater_equal<>()) == ranks.end();
  const bool inside = !ranks.empty() && ranks.front() >= 0 && ranks.back() < size;
  check(ascending && inside && std::ranges::find(ranks, rank) != ranks.end(),
        "rank {} asks for a part of ranks {}; expected ranks of 0 to {} in ascending order, itself among them", rank,
        fmt::join(ranks, ", "), size - 1);
}

}  // namespace trireme
