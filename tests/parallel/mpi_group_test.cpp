// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "tests/parallel/group_oracle.h"
#include "tests/parallel/mpi_main.h"
#include "tests/parallel/part_oracle.h"

namespace trireme {
namespace {

TEST(MpiGroup, Reduces) { expect_reductions(test_world().group()); }
TEST(MpiGroup, Gathers) { expect_gathers(test_world().group()); }
TEST(MpiGroup, Broadcasts) { expect_broadcasts(test_world().group()); }
TEST(MpiGroup, TakesHostCalls) { expect_host_calls(test_world().group()); }
TEST(MpiGroup, HandsOutTickets) { expect_tickets(test_world().group()); }
TEST(MpiGroup, WorksFromTwoStreams) { expect_two_streams(test_world().group()); }
TEST(MpiGroup, RefusesWrongSizes) { expect_refusals(test_world().group()); }

TEST(MpiWorld, KnowsItsPlace) {
  World& world = test_world();
  EXPECT_EQ(world.rank(), world.group().rank());
  EXPECT_EQ(world.size(), world.group().size());
  EXPECT_EQ(world.local_size(), world.size()) << "the tests run on one host";
  EXPECT_EQ(world.local_rank(), world.rank());
  EXPECT_FALSE(world.host().empty());
  EXPECT_THROW(World::connect(nullptr, nullptr), Error);
}

/// The axes of every mesh of this size, against the ranks listed by nested loops.
TEST(MpiWorld, SplitsIntoTheAxesOfTheMesh) {
  World& world = test_world();
  const auto device = make_cpu_device({});
  for (std::int64_t replica = 1; replica <= world.size(); ++replica) {
    for (std::int64_t shard = 1; replica * shard <= world.size(); ++shard) {
      if (world.size() % (replica * shard) != 0) continue;
      const MeshShape mesh{replica, shard, world.size() / (replica * shard)};
      std::int64_t rank = 0;
      std::int64_t my[3] = {};
      std::int64_t sums[3] = {};  // of the ranks along each axis through this one
      for (int pass = 0; pass < 2; ++pass) {
        rank = 0;
        for (std::int64_t r = 0; r < mesh.replica; ++r) {
          for (std::int64_t s = 0; s < mesh.shard; ++s) {
            for (std::int64_t t = 0; t < mesh.tensor; ++t, ++rank) {
              if (pass == 0 && rank == world.rank()) my[0] = r, my[1] = s, my[2] = t;
              if (pass == 1 && s == my[1] && t == my[2]) sums[0] += rank;
              if (pass == 1 && r == my[0] && t == my[2]) sums[1] += rank;
              if (pass == 1 && r == my[0] && s == my[1]) sums[2] += rank;
            }
          }
        }
      }
      const auto groups = connect_mesh(world, mesh, 1, *device);
      Group* axes[] = {groups.replica.get(), groups.shard.get(), groups.tensor.get()};
      const std::int64_t sizes[] = {mesh.replica, mesh.shard, mesh.tensor};
      for (int axis = 0; axis < 3; ++axis) {
        EXPECT_EQ(axes[axis]->size(), sizes[axis]);
        EXPECT_EQ(axes[axis]->rank(), my[axis]);
        std::vector<std::int64_t> sum = {world.rank()};
        axes[axis]->host_reduce(sum, Reduction::sum);
        EXPECT_EQ(sum[0], sums[axis]) << axes[axis]->name();
      }
    }
  }
}

TEST(MpiWorld, GivesPartsOfItself) { expect_parts(test_world()); }
TEST(MpiWorld, RefusesPartsThatCannotBe) { expect_part_refusals(test_world()); }
TEST(MpiWorld, HasADesk) { expect_desk(test_world()); }

TEST(MpiWorld, RefusesAMeshOfAnotherSize) {
  const auto device = make_cpu_device({});
  World& world = test_world();
  EXPECT_THROW(connect_mesh(world, {.replica = world.size() + 1}, 1, *device), Error);
  EXPECT_THROW(connect_mesh(world, {.replica = -1, .shard = -1, .tensor = world.size()}, 1, *device), Error);
}

}  // namespace
}  // namespace trireme
