// SPDX-License-Identifier: Apache-2.0
// What passes through the groups in a training step is what the formula of docs/parallelism.md says: messages and bytes
// by axis and collective, on every rank. So are the bytes of the parameter store.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "parallel/observed_group.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/mesh_rig.h"
#include "tests/parity/traffic_formula.h"

namespace trireme {
namespace {

constexpr std::int64_t kSteps = 2;

/// Three heads over two ranks are padded; of one key and value head both have a copy.
Architecture architecture_for(Family family, std::int64_t layers, bool tied) {
  const bool gpt2 = family == Family::gpt2;
  return {.family = family,
          .vocabulary = 53,
          .context = 16,
          .layers = layers,
          .width = 20,
          .heads = gpt2 ? 3 : 4,
          .kv_heads = gpt2 ? 3 : 1,
          .head_size = 4,
          .feed_forward = 27,
          .tied = tied,
          .qkv_bias = gpt2 || tied};
}

MeshCase case_of(const Architecture& architecture, const MeshShape& mesh, Dtype precision, std::int64_t accumulation) {
  MeshCase c{.architecture = architecture, .mesh = mesh, .train = {}};
  c.train.steps = kSteps;
  c.train.sequence = 12;
  c.train.micro_batch = 2;
  c.train.global_batch = mesh.data() * c.train.micro_batch * accumulation;
  c.train.head_rows = 7;  // four chunks, the last one short
  c.train.precision = precision;
  c.inline_streams = true;  // calls are counted when they are made, whoever works them off
  return c;
}

/// Puts a counter in front of each of the groups.
void count(MeshGroups& mesh, StatusBoard& board) {
  for (auto* group : {&mesh.replica, &mesh.shard, &mesh.tensor, &mesh.data, &mesh.copies}) {
    *group = std::make_unique<ObservedGroup>(std::move(*group), board);
  }
}

constexpr CollectiveKind kOnTensors[] = {CollectiveKind::all_reduce, CollectiveKind::all_gather,
                                         CollectiveKind::reduce_scatter, CollectiveKind::broadcast};

/// Since the groups were made.
StepTraffic counted(const MeshGroups& mesh) {
  StepTraffic all;
  for (const auto* group : {&mesh.replica, &mesh.shard, &mesh.tensor, &mesh.data, &mesh.copies}) {
    const Traffic traffic = traffic_of(**group);
    for (const CollectiveKind kind : kOnTensors) {
      const Traffic::Count& count = traffic[kind];
      if (count.calls > 0) all[{std::string((*group)->name()), kind}] = {count.calls, count.payload_bytes};
    }
  }
  return all;
}

StepTraffic operator-(StepTraffic after, const StepTraffic& before) {
  for (const auto& [key, sent] : before) {
    after[key].messages -= sent.messages;
    after[key].bytes -= sent.bytes;
  }
  std::erase_if(after, [](const auto& one) { return one.second == Sent{}; });
  return after;
}

std::string lines(const StepTraffic& traffic) {
  std::string text;
  for (const auto& [key, sent] : traffic) {
    text += fmt::format("\n  {:<8} {:<15} {:>4} messages {:>8} bytes", key.first, name(key.second), sent.messages,
                        sent.bytes);
  }
  return text;
}

void expect_formula(const MeshCase& c) {
  const TrafficCase formula{c.architecture,         c.mesh, c.train, c.sharding.stage, c.sharding.reduce,
                            c.sharding.reduce_dtype};
  std::mutex mutex;
  run_thread_world(static_cast<int>(c.mesh.ranks()), [&](World& world) {
    StatusBoard board;
    auto batches = mesh_batches(c);
    MeshRank rank(world, c, batches, {.groups = [&](MeshGroups& mesh) { count(mesh, board); }, .store = {}});
    const StepTraffic expected = step_traffic(formula, rank.mesh.place);
    const auto memory = rank.store->memory();
    const std::map<std::string, std::size_t> bytes(memory.begin(), memory.end());
    {
      const std::lock_guard lock(mutex);
      EXPECT_EQ(bytes, store_bytes(formula)) << "rank " << world.rank();
    }
    for (std::int64_t step = 1; step <= kSteps; ++step) {
      const StepTraffic before = counted(rank.mesh);
      rank.trainer->step();
      const StepTraffic found = counted(rank.mesh) - before;
      const std::lock_guard lock(mutex);
      EXPECT_EQ(lines(found), lines(expected)) << "rank " << world.rank() << ", step " << step;
    }
    rank.trainer->flush();
  });
}

using Cell = std::tuple<Family, Dtype, std::int64_t, std::int64_t, std::int64_t>;
class StepTrafficOf : public testing::TestWithParam<Cell> {};
std::string name_of(const testing::TestParamInfo<Cell>& one) {
  const auto [family, precision, accumulation, tensor, replica] = one.param;
  return fmt::format("{}_{}_accumulation{}_tensor{}_replica{}", family == Family::gpt2 ? "gpt2" : "llama",
                     name(precision), accumulation, tensor, replica);
}
INSTANTIATE_TEST_SUITE_P(Table, StepTrafficOf,
                         testing::Combine(testing::Values(Family::gpt2, Family::llama),
                                          testing::Values(Dtype::f32, Dtype::bf16), testing::Values(1, 3),
                                          testing::Values(1, 2), testing::Values(1, 2)),
                         name_of);

TEST_P(StepTrafficOf, IsTheFormula) {
  const auto [family, precision, accumulation, tensor, replica] = GetParam();
  for (const Recompute recompute : {Recompute::none, Recompute::light, Recompute::full}) {
    // Tied as is usual for the family, and the other way round.
    const bool tied = (family == Family::gpt2) == (recompute == Recompute::none);
    MeshCase c = case_of(architecture_for(family, 4, tied), {replica, 2, tensor}, precision, accumulation);
    c.train.recompute = recompute;
    c.sharding.reduce_dtype = tied ? Dtype::f32 : precision;
    for (const ZeroStage stage : {ZeroStage::optimizer, ZeroStage::gradients, ZeroStage::parameters}) {
      for (const ReduceEvery reduce : {ReduceEvery::step, ReduceEvery::micro_step}) {
        c.sharding.stage = stage;
        c.sharding.reduce = reduce;
        SCOPED_TRACE(fmt::format("stage {}, reduced every {}, {}, {}", static_cast<int>(stage),
                                 reduce == ReduceEvery::step ? "step" : "micro-step",
                                 recompute == Recompute::none ? "kept" : "recomputed", tied ? "tied" : "untied"));
        expect_formula(c);
      }
    }
  }
}

// How many gathers a place that still holds its block saves depends on the number of blocks.
TEST(StepTrafficOfBlocks, CountsPlacesThatAreStillHeld) {
  for (std::int64_t layers = 1; layers <= 6; ++layers) {
    for (const bool tied : {true, false}) {
      SCOPED_TRACE(fmt::format("{} layers, {}", layers, tied ? "tied" : "untied"));
      expect_formula(case_of(architecture_for(Family::gpt2, layers, tied), {1, 2, 1}, Dtype::f32, 2));
    }
  }
}

// Pieces of three and four ranks cut the stretches that the tensor axis sums at other places.
TEST(StepTrafficOfMeshes, IsTheFormulaOnOtherShapes) {
  for (const MeshShape mesh : {MeshShape{1, 3, 2}, MeshShape{1, 4, 2}, MeshShape{1, 1, 4}, MeshShape{1, 2, 4},
                               MeshShape{4, 1, 1}, MeshShape{3, 1, 2}}) {
    for (const Family family : {Family::gpt2, Family::llama}) {
      SCOPED_TRACE(fmt::format("{} x {} x {}", mesh.replica, mesh.shard, mesh.tensor));
      Architecture a = architecture_for(family, 3, family == Family::gpt2);
      if (mesh.tensor == 4) a.heads = family == Family::gpt2 ? 5 : 8;
      a.kv_heads = family == Family::gpt2 ? a.heads : 2;  // of llama's two each is held by two of four ranks
      expect_formula(case_of(a, mesh, Dtype::bf16, 2));
    }
  }
}

}  // namespace
}  // namespace trireme
