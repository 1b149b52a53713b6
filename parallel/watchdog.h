// SPDX-License-Identifier: Apache-2.0
// A thread on each rank that tells the others what its process is doing, and ends the job when it hangs.
#pragma once

#include <memory>

#include "core/base/status_board.h"

namespace trireme {

class World;

/// Alive from its making to its end, which are both for all ranks together; while an exception is in flight the end is
/// this rank's own.
class Watchdog {
 public:
  virtual ~Watchdog() = default;
};

/// Watches the collectives noted on `board`. When the rule of judge() (parallel/verdict.h) finds a hang, the lowest
/// rank that answers prints the verdict on stderr, and the job ends on all ranks with exit code 1: by MPI_Abort, and
/// where that does not get through, each process by itself a few seconds later. `seconds` 0, a world of one rank or
/// of threads: no watchdog, null. The watchdog of a part of the world knows of its ranks alone, and names them by their
/// numbers in the whole.
std::unique_ptr<Watchdog> make_watchdog(World& world, StatusBoard& board, double seconds);

}  // namespace trireme
