// SPDX-License-Identifier: Apache-2.0
// Before the first step of a run: whether its checkpoints will have room, and whether all ranks see the same folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/group.h"

namespace trireme {

struct RootProbe {
  std::string root;                          // must exist on rank 0
  std::uint64_t checkpoint_bytes = 0;        // of one checkpoint, all ranks' files together
  std::chrono::milliseconds patience{5000};  // network file systems remember for a while that a file was not there
};

/// How many bytes must be free: 2.2 checkpoints, for one that is kept, one that is being written, and a tenth; where
/// one is kept already, 1.1.
std::uint64_t room_needed(std::uint64_t checkpoint_bytes, bool one_is_there);

/// All ranks: that there is room at the root, that rank 0 can create, sync, rename, read and remove a file in it, and
/// that every rank sees this file. Leaves nothing behind. Throws Error, the same on all ranks, that says what was
/// expected and found, where, and what to change.
void probe_root(const RootProbe& probe, Group& world);

}  // namespace trireme
