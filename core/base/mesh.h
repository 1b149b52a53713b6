// SPDX-License-Identifier: Apache-2.0
// The mesh of ranks: replica x shard x tensor, tensor innermost so that it stays within a node.
#pragma once

#include <cstdint>

namespace trireme {

/// Sizes of the axes; their product is the number of ranks.
struct MeshShape {
  std::int64_t replica = 1;
  std::int64_t shard = 1;
  std::int64_t tensor = 1;

  std::int64_t ranks() const { return replica * shard * tensor; }
  /// Ranks that read different samples.
  std::int64_t data() const { return replica * shard; }
};

/// Where one rank stands on each axis.
struct MeshPlace {
  std::int64_t replica = 0;
  std::int64_t shard = 0;
  std::int64_t tensor = 0;

  /// Index among the ranks that read different samples.
  std::int64_t data(const MeshShape& mesh) const { return replica * mesh.shard + shard; }
};

/// What a sharded parameter store shards (Rajbhandari et al. 2020): 1 masters and moments; 2 gradients as well; 3
/// parameters as well.
enum class ZeroStage { optimizer = 1, gradients = 2, parameters = 3 };

/// When gradients are summed over the shard axis: once per step, which keeps whole gradients on every rank, or in every
/// micro-step, which keeps a part.
enum class ReduceEvery { step, micro_step };

/// rank = (replica * mesh.shard + shard) * mesh.tensor + tensor.
inline MeshPlace place_of(const MeshShape& mesh, std::int64_t rank) {
  return {rank / (mesh.shard * mesh.tensor), rank / mesh.tensor % mesh.shard, rank % mesh.tensor};
}

}  // namespace trireme
