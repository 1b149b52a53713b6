// SPDX-License-Identifier: Apache-2.0
#include "launch/packing.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

#include "core/base/error.h"

namespace trireme {

std::int64_t free_block(const std::vector<bool>& busy, std::int64_t ranks) {
  const auto all = static_cast<std::int64_t>(busy.size());
  for (std::int64_t first = 0; first + ranks <= all; first += ranks) {
    const auto begin = busy.begin() + first;
    if (std::none_of(begin, begin + ranks, [](bool taken) { return taken; })) return first;
  }
  return -1;
}

Packing pack(std::span<const Packet> packets, std::int64_t ranks) {
  Packing packing;
  std::vector<bool> busy(static_cast<std::size_t>(ranks), false);
  std::vector<bool> started(packets.size(), false);
  using End = std::pair<double, std::size_t>;  // when, and which placement
  std::priority_queue<End, std::vector<End>, std::greater<>> running;
  double now = 0;
  double used = 0;
  for (std::size_t left = packets.size(); left > 0;) {
    auto too_wide = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const Packet& packet = packets[i];
      check(packet.ranks >= 1 && packet.ranks <= ranks, "packet {} of {} ranks for {}", i, packet.ranks, ranks);
      if (started[i] || packet.ranks >= too_wide) continue;
      const auto first = free_block(busy, packet.ranks);
      if (first < 0) {
        too_wide = packet.ranks;
        continue;
      }
      std::fill_n(busy.begin() + first, packet.ranks, true);
      started[i] = true;
      --left;
      used += packet.seconds * static_cast<double>(packet.ranks);
      running.emplace(now + packet.seconds, packing.placements.size());
      packing.placements.push_back({i, first, now, now + packet.seconds});
      packing.seconds = std::max(packing.seconds, now + packet.seconds);
    }
    if (left == 0) break;
    now = running.top().first;
    while (!running.empty() && running.top().first <= now) {
      const Placement& ended = packing.placements[running.top().second];
      std::fill_n(busy.begin() + ended.first_rank, packets[ended.packet].ranks, false);
      running.pop();
    }
  }
  if (packing.seconds > 0) packing.utilisation = used / (packing.seconds * static_cast<double>(ranks));
  return packing;
}

}  // namespace trireme
