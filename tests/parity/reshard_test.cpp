// SPDX-License-Identifier: Apache-2.0
// Every ordered pair of meshes: what one saved, the other loads to the last bit, and goes on with.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "core/train/checkpoint.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/parity/bounds.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/mesh_rig.h"

namespace trireme {
namespace {

using trireme::testing::TemporaryDirectory;

const bool kInMemory = std::filesystem::is_directory("/dev/shm") && ::setenv("TMPDIR", "/dev/shm", 0) == 0;

/// Masters and both moments of every parameter, whole.
using Everything = std::map<std::string, std::vector<float>>;

/// Calls f(place in the whole tensor, value) for every element of the slice's array.
template <class F>
void each(const NamedSlice& slice, const Tensor& array, const F& f) {
  const bool matrix = slice.extent.rank() == 2;
  const std::int64_t columns = matrix ? slice.extent[1] : slice.extent[0];
  const std::int64_t width = matrix ? slice.global[1] : 0;
  for (std::int64_t i = 0; i < slice.extent.elements(); ++i) {
    const std::int64_t row = matrix ? slice.origin[0] + i / columns : 0;
    const std::int64_t column = slice.origin[matrix ? 1 : 0] + i % columns;
    f(static_cast<std::size_t>(row * width + column), array.as<float>()[i]);
  }
}

template <class F>
void each_array(ParamStore& store, SliceKind kind, const F& f) {
  for (const NamedSlice& slice : store.slices(kind)) {
    f(slice, "master " + slice.name, slice.master);
    f(slice, "first " + slice.name, slice.first);
    f(slice, "second " + slice.name, slice.second);
  }
}

struct Options {
  std::int64_t sequence = 12;
  std::int64_t global_batch = 24;
  std::int64_t steps = 2;  // before the save
  Family family = Family::gpt2;
  bool inline_streams = true;
};

/// 53 tokens, a feed-forward width of 26: nothing divides. GPT-2 with nine heads, tied; Llama with eight heads on two
/// key and value heads, which four ranks of the tensor axis hold in copies.
MeshCase case_of(const MeshShape& mesh, const Options& options, std::int64_t number) {
  MeshCase c{.architecture = {.family = Family::gpt2,
                              .vocabulary = 53,
                              .context = 16,
                              .layers = 2,
                              .width = 20,
                              .heads = 9,
                              .kv_heads = 9,
                              .head_size = 4,
                              .feed_forward = 26},
             .mesh = mesh,
             .train = {},
             .sharding = {.stage = static_cast<ZeroStage>(1 + number % 3)},
             .inline_streams = options.inline_streams};
  if (options.family == Family::llama) {
    c.architecture.family = Family::llama;
    c.architecture.heads = 8;
    c.architecture.kv_heads = 2;
    c.architecture.tied = false;
    c.architecture.qkv_bias = true;
  }
  c.train.steps = options.steps + 1;
  c.train.sequence = options.sequence;
  c.train.global_batch = options.global_batch;
  // The largest up to 42 that shares the samples and the rows out.
  const std::int64_t share = options.global_batch / mesh.data();
  for (std::int64_t micro = 1; micro <= 42; ++micro) {
    if (share % micro == 0 && micro * options.sequence % mesh.tensor == 0) c.train.micro_batch = micro;
  }
  c.train.seed = 7;
  return c;
}

double bound_of(const MeshCase& c) {
  const double path = path_length(c.architecture);
  const double tensor =
      c.mesh.tensor > 1 ? (path + 5.0 * static_cast<double>(c.architecture.layers) + 3.0) / path : 1.0;
  return tensor * relative_bound(c.architecture, Dtype::f32, c.train.global_batch * c.train.sequence, 2) *
         static_cast<double>(c.train.steps);
}

/// Trains and saves under `root`; what was saved.
Everything save_from(const MeshCase& c, const std::string& root, std::int64_t steps) {
  Everything saved;
  std::mutex mutex;
  run_thread_world(static_cast<int>(c.mesh.ranks()), [&](World& world) {
    auto batches = mesh_batches(c);
    MeshRank rank(world, c, batches);
    rank.run(steps);
    Checkpoints checkpoints({.root = root}, {rank.table, *rank.store, *rank.device, *rank.stream, world.group()});
    const SaveResult result = checkpoints.save(rank.trainer->state());
    if (!result.saved) throw std::runtime_error(result.message);
    const std::lock_guard lock(mutex);
    each_array(*rank.store, SliceKind::owned,
               [&](const NamedSlice& slice, const std::string& name, const Tensor& array) {
                 auto& whole = saved[name];
                 whole.resize(static_cast<std::size_t>(slice.global.elements()), std::nanf(""));
                 each(slice, array, [&](std::size_t place, float value) { whole[place] = value; });
               });
  });
  return saved;
}

struct Saved {
  MeshCase c;
  std::string root;
  Everything arrays;
};

/// On this mesh, loads each of them, holds every element against what was saved, and makes the next step.
void load_on(const MeshCase& c, const std::vector<Saved>& all, const StepMetrics& next) {
  run_thread_world(static_cast<int>(c.mesh.ranks()), [&](World& world) {
    auto batches = mesh_batches(c);
    MeshRank rank(world, c, batches);
    for (const Saved& from : all) {
      const auto pair = fmt::format("{}*{}*{} to {}*{}*{}", from.c.mesh.replica, from.c.mesh.shard, from.c.mesh.tensor,
                                    c.mesh.replica, c.mesh.shard, c.mesh.tensor);
      Checkpoints checkpoints({.root = from.root},
                              {rank.table, *rank.store, *rank.device, *rank.stream, world.group()});
      const auto state = checkpoints.load(ResumePolicy{.kind = ResumePolicy::Kind::strict});
      ASSERT_TRUE(state) << pair;
      std::int64_t wrong = 0;
      each_array(*rank.store, SliceKind::held,
                 [&](const NamedSlice& slice, const std::string& name, const Tensor& array) {
                   const auto& whole = from.arrays.at(name);
                   each(slice, array, [&](std::size_t place, float value) {
                     wrong += std::memcmp(&value, &whole[place], sizeof value) != 0 ? 1 : 0;
                   });
                 });
      EXPECT_EQ(wrong, 0) << pair;
      rank.trainer->resume(*state);
      const auto metrics = rank.run(1);
      ASSERT_EQ(metrics.size(), 1U);
      EXPECT_EQ(metrics[0].step, next.step);
      EXPECT_EQ(metrics[0].tokens, next.tokens);
      EXPECT_EQ(metrics[0].token_hash, next.token_hash) << pair;
      EXPECT_NEAR(metrics[0].loss, next.loss, (bound_of(c) + bound_of(from.c)) * next.loss) << pair;
    }
  });
}

/// All pairs of the meshes whose numbers of ranks are given.
void check_pairs(const std::vector<std::int64_t>& worlds, const Options& options) {
  const TemporaryDirectory folder;
  std::vector<Saved> all;
  for (const std::int64_t ranks : worlds) {
    for (std::int64_t tensor = 1; tensor <= ranks; ++tensor) {
      for (std::int64_t shard = 1; shard * tensor <= ranks; ++shard) {
        if (ranks % (shard * tensor) != 0) continue;
        const auto number = static_cast<std::int64_t>(all.size());
        const MeshCase c = case_of({ranks / (shard * tensor), shard, tensor}, options, number);
        const auto root = (std::filesystem::path(folder.path()) / std::to_string(number)).string();
        all.push_back({c, root, save_from(c, root, options.steps)});
      }
    }
  }
  const StepMetrics next = train_on_mesh(case_of({}, options, 0)).metrics.back();
  for (const Saved& to : all) load_on(to.c, all, next);
}

TEST(Reshard, EveryPairOfMeshesOfUpToFourRanksAndSix) { check_pairs({1, 2, 3, 4, 6}, {}); }

/// On streams that are queues: nothing of one checkpoint is still on its way when the next one is loaded.
TEST(Reshard, CopiedHeadsOnQueues) {
  check_pairs({1, 2, 4}, {.steps = 1, .family = Family::llama, .inline_streams = false});
}

/// 840 samples, as 5, 7 and 8 ranks have to share them out.
TEST(ReshardLong, EveryPairOfMeshesOfUpToEightRanks) {
  check_pairs({1, 2, 3, 4, 5, 6, 7, 8}, {.sequence = 8, .global_batch = 840, .steps = 1});
}

}  // namespace
}  // namespace trireme
