// SPDX-License-Identifier: Apache-2.0
// The table's important meshes over MPI processes: each as one rank, and bit for bit as the same mesh of threads.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/parallel/mpi_main.h"
#include "tests/parity/mesh_cases.h"
#include "tests/parity/mesh_rig.h"

namespace trireme {
namespace {

TEST(MpiMesh, TrainsAsOneRankAndAsThreads) {
  World& world = test_world();
  const std::int64_t ranks = world.size();
  std::int64_t number = 0;
  for (std::int64_t tensor = 1; tensor <= ranks; ++tensor) {
    for (std::int64_t shard = 1; shard * tensor <= ranks; ++shard) {
      if (ranks % (shard * tensor) != 0) continue;
      const MeshShape mesh{ranks / (shard * tensor), shard, tensor};
      SCOPED_TRACE(fmt::format("replica {} shard {} tensor {}", mesh.replica, shard, tensor));
      MeshCase c = case_of({.mesh = mesh,
                            .family = number % 2 == 0 ? Family::llama : Family::gpt2,
                            .precision = number % 3 == 0 ? Dtype::bf16 : Dtype::f32,
                            .accumulation = number % 2 == 0 ? 3 : 1});
      c.sharding.stage = static_cast<ZeroStage>(1 + number++ % 3);
      MeshResult found = train_in_world(world, c);
      gather_over(world, found);
      if (world.rank() == 0) {
        MeshCase one = c;
        one.mesh = {};
        one.train.micro_batch = one.train.global_batch;
        const MeshResult alone = train_on_mesh(one);
        one.train.steps = 0;
        expect_near(found, alone, c);
        expect_near_states(found, alone, train_on_mesh(one).parameters, c);
        expect_same_bits(found, train_on_mesh(c), "threads");
      }
      world.group().barrier();
    }
  }
}

}  // namespace
}  // namespace trireme
