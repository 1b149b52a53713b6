// SPDX-License-Identifier: Apache-2.0
// How much passes through a group: what formulas about communication are held against.
#pragma once

#include <array>
#include <cstdint>

#include "core/base/group.h"
#include "core/base/status_board.h"

namespace trireme {

/// What this rank's calls of one group came to since it was made. A group of one rank counts calls and payload, and
/// moves nothing.
struct Traffic {
  struct Count {
    std::int64_t calls = 0;
    /// The whole tensor as the collective's meaning has it, counted once a call on each rank: t of all_reduce and
    /// broadcast, `out` of all_gather (all parts), `in` of reduce_scatter (all parts). Host calls: the values reduced,
    /// the bytes broadcast, all ranks' bytes gathered.
    std::int64_t payload_bytes = 0;
    /// What this rank would send on an ideal ring of n ranks, rounded down: 2 (n - 1) / n of the payload for
    /// all_reduce, (n - 1) / n for all_gather, reduce_scatter and broadcast (there the mean over ranks). Host calls: 0.
    std::int64_t ring_bytes = 0;

    Count& operator+=(const Count& other) {
      calls += other.calls;
      payload_bytes += other.payload_bytes;
      ring_bytes += other.ring_bytes;
      return *this;
    }
  };
  std::array<Count, kCollectiveKinds> kinds{};

  const Count& operator[](CollectiveKind kind) const { return kinds[static_cast<std::size_t>(kind)]; }
  /// Of the collectives on tensors together.
  Count tensors() const {
    Count sum;
    for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::all_gather, CollectiveKind::reduce_scatter,
                            CollectiveKind::broadcast}) {
      sum += (*this)[kind];
    }
    return sum;
  }
};

/// What has passed through a group; zeros when it is not an observed one. Groups of a World are.
Traffic traffic_of(const Group& group);

}  // namespace trireme
