// SPDX-License-Identifier: Apache-2.0
#include "parallel/shared_ranges.h"

#include <fmt/format.h>

namespace trireme {
std::string first_problem(std::span<const std::string> told) {
  for (std::size_t r = 0; r < told.size(); ++r) {
    if (!told[r].empty()) return fmt::format("rank {} of the group {}", r, told[r]);
  }
  return "";
}

std::size_t SharedRanges::add(const void* begin, std::size_t bytes) {
  ranges_[static_cast<const std::byte*>(begin)] = {.bytes = bytes, .number = added_};
  return added_++;
}

void SharedRanges::remove(std::size_t number) {
  std::erase_if(ranges_, [number](const auto& range) { return range.second.number == number; });
}

std::optional<SharedRanges::Place> SharedRanges::find(const void* data, std::size_t bytes) const {
  const auto* begin = static_cast<const std::byte*>(data);
  const auto after = ranges_.upper_bound(begin);
  if (after == ranges_.begin()) return std::nullopt;
  const auto& [start, range] = *std::prev(after);
  const auto offset = static_cast<std::size_t>(begin - start);
  if (offset > range.bytes || bytes > range.bytes - offset) return std::nullopt;
  return Place{.number = range.number, .offset = offset};
}

}  // namespace trireme
