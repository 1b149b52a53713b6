// SPDX-License-Identifier: Apache-2.0
// Whether a run's ranks have the memory that it will take, asked before they take any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/device.h"
#include "launch/run_config.h"
#include "parallel/parallel.h"

namespace trireme {

/// A way to run the same steps in other memory.
struct MemoryChoice {
  std::vector<std::string> settings;  // "train.micro_batch=2"
  std::int64_t bytes = 0;             // of one rank
};

struct MemoryAdvice {
  std::vector<MemoryChoice> fitting;  // those of the fewest changes
  MemoryChoice least;                 // of all that were looked at
};

/// How the run was asked for: what `trireme plan` is to be given to look at the same.
struct RunRequest {
  std::string config;  // the file
  std::vector<std::string> sets;
};

/// What the rank that has least has left for what is planned, for all must do with that.
struct FreeMemory {
  std::int64_t bytes = 0;    // of one rank: its device's, or on a CPU its share of its host's
  std::int64_t sharing = 1;  // ranks that may use one another's share: those of a host, on a GPU 1
  std::string where;         // for people, behind "are free"
};
/// All ranks call, and are told the same.
FreeMemory free_memory(World& world, const Device& device);

/// What one rank of the run takes, counted as `trireme plan` counts it: its device's memory and, where that is the
/// host's, what it holds there for copies.
std::int64_t planned_bytes(const RunConfig& config, DeviceKind kind);
/// What fits into so many bytes of a rank on the same ranks: the run with smaller micro-batches, recomputation, or full
/// sharding over all data ranks, and with any of them together.
MemoryAdvice memory_advice(const RunConfig& config, DeviceKind kind, std::int64_t available);

/// Holds what each rank will take against what its device has left, which on a CPU its node's ranks share, and of which
/// on a GPU libraries need a part. All ranks call; where one has too little, throws Error(usage) on all, told by rank 0
/// whose device it is and what would fit.
void check_memory(World& world, const RunConfig& config, const Device& device, const RunRequest& request);

}  // namespace trireme
