// SPDX-License-Identifier: Apache-2.0
// The table's important meshes over MPI processes: each as one rank, and bit for bit as the same mesh of threads. With
// TRIREME_TEST_DEVICE=cuda on a GPU for each rank: each as one rank on one GPU, and nothing that only moves memory or
// time changes a bit.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

#include "core/io/atomic_file.h"
#include "core/train/checkpoint.h"
#include "core/train/init.h"
#include "tests/kernels/test_device.h"
#include "tests/parallel/mpi_main.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/mesh_cases.h"
#include "tests/parity/mesh_rig.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// Products over parts of other shapes may be summed in another order, so that only runs of one mesh are compared: all
/// ranks call.
void expect_nothing_else_counts(World& world, const MeshCase& c, const MeshResult& found) {
  expect_same_bits(train_in_world(world, c), found, "again");
  for (const Recompute recompute : {Recompute::light, Recompute::full}) {
    MeshCase again = c;
    again.train.recompute = recompute;
    expect_same_bits(train_in_world(world, again), found, "recompute");
  }
  if (c.mesh.shard == 1) return;
  MeshCase copies = c;
  copies.nccl.gather = GatherRoad::copy;
  expect_same_bits(train_in_world(world, copies), found, "gathered by copies");
  for (const ReduceEvery reduce : {ReduceEvery::micro_step, ReduceEvery::step}) {
    MeshCase whole = c;
    whole.sharding = {.stage = ZeroStage::parameters, .reduce = reduce};
    const auto full = train_in_world(world, whole);
    whole.sharding.stage = ZeroStage::gradients;
    expect_same_bits(train_in_world(world, whole), full, "stage 2");
    if (reduce == ReduceEvery::micro_step) continue;
    whole.sharding.stage = ZeroStage::optimizer;
    expect_same_bits(train_in_world(world, whole), full, "stage 1");
  }
}

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
      if (tests_on_cuda()) expect_nothing_else_counts(world, c, found);
      gather_over(world, found);
      if (world.rank() == 0) {
        MeshCase one = c;
        one.mesh = {};
        one.train.micro_batch = one.train.global_batch;
        const MeshResult alone = train_on_mesh(one);
        one.train.steps = 0;
        expect_near(found, alone, c);
        expect_near_states(found, alone, train_on_mesh(one).parameters, c);
        if (!tests_on_cuda()) expect_same_bits(found, train_on_mesh(c), "threads");
      }
      world.group().barrier();
    }
  }
}

/// The digests of all tensors of a checkpoint.
nlohmann::json digests(const std::string& root) {
  const auto text = read_file(fs::path(root) / "step-00000003" / "MANIFEST.json", std::uint64_t{1} << 24U);
  const auto manifest = nlohmann::json::parse(text);
  nlohmann::json found = nlohmann::json::object();
  for (const auto& tensor : manifest.at("manifest").at("tensors")) {
    found[tensor.at("name").get<std::string>()] = tensor.at("digests");
  }
  return found;
}

/// Reads the checkpoint in `from`, if any, and writes what it then holds to `to`.
void pass_on(World& world, const MeshCase& c, const std::string& from, const std::string& to) {
  auto batches = mesh_batches(c);
  MeshRank rank(world, c, batches);
  CheckpointParts parts{.table = rank.table,
                        .store = *rank.store,
                        .device = *rank.device,
                        .stream = *rank.stream,
                        .world = world.group()};
  TrainState state{.step = 3};
  if (from.empty()) {
    static_cast<void>(rank.run(3));
    state = rank.trainer->state();
  } else {
    const auto read = Checkpoints({.root = from}, parts).load({});
    ASSERT_TRUE(read);
    state = *read;
  }
  const auto saved = Checkpoints({.root = to}, parts).save(state);
  ASSERT_TRUE(saved.saved) << saved.message;
}

// Trained on the CPU, read on the GPUs, and from there on the CPU again.
TEST(MpiMesh, CheckpointsGoFromDeviceToDevice) {
  World& world = test_world();
  std::string root;
  if (world.rank() == 0) {
    std::string pattern = (fs::temp_directory_path() / "trireme-mesh-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) root = pattern;
  }
  world.group().host_broadcast(root, 0);
  ASSERT_FALSE(root.empty());
  MeshCase here = case_of({.mesh = {1, world.size(), 1}, .family = Family::llama, .precision = Dtype::bf16});
  MeshCase cpu = here;
  cpu.on_cpu = true;
  pass_on(world, cpu, "", root + "/a");
  pass_on(world, here, root + "/a", root + "/b");
  pass_on(world, cpu, root + "/b", root + "/c");
  const auto first = digests(root + "/a");
  EXPECT_GT(first.size(), 10U);
  EXPECT_EQ(digests(root + "/b"), first);
  EXPECT_EQ(digests(root + "/c"), first);
  world.group().barrier();
  std::error_code ignored;
  if (world.rank() == 0) fs::remove_all(root, ignored);
}

}  // namespace
}  // namespace trireme
