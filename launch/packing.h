// SPDX-License-Identifier: Apache-2.0
// Where and when the runs of a study would run in one allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace trireme {

/// What has to run: so many ranks for so many seconds.
struct Packet {
  std::int64_t ranks = 1;
  double seconds = 0;
};

struct Placement {
  std::size_t packet = 0;
  std::int64_t first_rank = 0;
  double begin = 0, end = 0;  // seconds
};

struct Packing {
  std::vector<Placement> placements;  // in the order in which they begin
  double seconds = 0;                 // until the last one ends
  double utilisation = 0;             // of all ranks until then
};

/// The first rank of a block of `ranks` neighbours that are all free, at a multiple of their number so that blocks do
/// not fragment and stay within nodes; -1 when there is none.
std::int64_t free_block(const std::vector<bool>& busy, std::int64_t ranks);

/// List scheduling: whenever ranks are free, the first of the packets in their order that fits them starts. No packet
/// may be wider than `ranks`.
Packing pack(std::span<const Packet> packets, std::int64_t ranks);

}  // namespace trireme
