// SPDX-License-Identifier: Apache-2.0
// The fastest ways to run a training configuration on so many ranks: meshes, sharding, micro-batches, recomputation.
#pragma once

#include <cstdint>
#include <vector>

#include "launch/dry_step.h"

namespace trireme {

/// One way that fits into memory.
struct MeshChoice {
  RunConfig config;  // with mesh, sharding, micro-batch and recomputation chosen
  PlannedMemory memory;
  PlannedStep step;
};

/// What a search looked at.
struct MeshSearch {
  std::vector<MeshChoice> best;  // fastest first
  std::int64_t considered = 0;   // combinations, without those larger than one that does not fit
  std::int64_t fitting = 0;      // of these
  std::size_t least_bytes = 0;   // of these, the least memory of a rank; for when none fits
};

/// Tries every mesh of `ranks` whose tensor axis stays within a node, every kind of sharding, micro-batches that are
/// powers of two, and both ways of recomputation; global batch and model are the configuration's, and so are the axes
/// of its mesh that are not 0. Of each mesh and sharding only the largest micro-batches that fit are timed. At most
/// `wanted` are returned.
MeshSearch search_meshes(const RunConfig& config, const Machine& machine, std::int64_t ranks, std::size_t wanted);

}  // namespace trireme
