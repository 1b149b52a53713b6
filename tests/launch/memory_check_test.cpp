// SPDX-License-Identifier: Apache-2.0
// What would fit instead of a run that does not: by the plan of each proposal, and no proposal too many.
#include "launch/memory_check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "launch/dry_step.h"
#include "launch/run_config.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

constexpr auto kCuda = DeviceKind::cuda;
constexpr auto kCpu = DeviceKind::cpu;

/// A model whose parameters, and whose activations, weigh; with further settings, on `ranks` ranks.
RunConfig config_with(std::vector<std::string> more, std::int64_t ranks) {
  std::vector<std::string> sets = {"data.shards=[none]",
                                   "model.preset=mini_llama",
                                   "model.vocabulary=4000",
                                   "train.sequence=256",
                                   "train.global_batch=64",
                                   "train.micro_batch=16",
                                   "mesh.replica=" + std::to_string(ranks)};
  sets.insert(sets.end(), more.begin(), more.end());
  Problems problems;
  auto loaded = load_run_config("", sets, problems);
  validate(loaded, ranks, problems);
  problems.raise();
  return loaded.config;
}

/// The run with the settings of a choice: what somebody who follows the advice gets.
std::int64_t bytes_with(const MemoryChoice& choice, std::int64_t ranks) {
  return planned_bytes(config_with(choice.settings, ranks), kCpu);
}

bool has(const MemoryAdvice& advice, const std::string& setting) {
  return std::any_of(advice.fitting.begin(), advice.fitting.end(), [&](const MemoryChoice& c) {
    return std::find(c.settings.begin(), c.settings.end(), setting) != c.settings.end();
  });
}

TEST(MemoryAdvice, NamesTheSingleChangesThatDo) {
  const auto config = config_with({}, 4);
  const auto needed = planned_bytes(config, kCpu);
  const auto advice = memory_advice(config, kCpu, needed - 1);
  ASSERT_FALSE(advice.fitting.empty());
  for (const auto& choice : advice.fitting) {
    EXPECT_LT(choice.bytes, needed);
    EXPECT_EQ(bytes_with(choice, 4), choice.bytes) << choice.settings.front();
  }
  EXPECT_TRUE(has(advice, "recompute=light"));
  EXPECT_TRUE(has(advice, "recompute=full"));
  EXPECT_TRUE(has(advice, "train.micro_batch=8"));  // the largest that divides 16 samples of a rank
  EXPECT_TRUE(has(advice, "mesh.shard=4"));
  EXPECT_EQ(advice.fitting.size(), 4U);
}

TEST(MemoryAdvice, OnGpusShardsOnlyWhatWeighsMoreThanItsCommunicators) {
  const auto config = config_with({}, 4);
  const auto advice = memory_advice(config, kCuda, planned_bytes(config, kCuda) - 1);
  EXPECT_TRUE(has(advice, "recompute=full"));
  EXPECT_FALSE(has(advice, "mesh.shard=4"));
}

TEST(MemoryAdvice, JoinsChangesOnlyWhereOneIsNotEnough) {
  const auto config = config_with({}, 4);
  const auto full = memory_advice(config, kCpu, 0);
  EXPECT_TRUE(full.fitting.empty());
  EXPECT_EQ(full.least.settings.back(), "train.micro_batch=1");
  EXPECT_EQ(bytes_with(full.least, 4), full.least.bytes);
  // Exactly what all of them together come to: nothing less does.
  const auto tight = memory_advice(config, kCpu, full.least.bytes);
  ASSERT_EQ(tight.fitting.size(), 1U);
  EXPECT_EQ(tight.fitting.front().settings, full.least.settings);
}

TEST(MemoryAdvice, ProposesNothingThatTheRunIsAlready) {
  const auto config = config_with({"recompute=full", "train.micro_batch=1"}, 1);
  const auto advice = memory_advice(config, kCpu, 0);
  EXPECT_TRUE(advice.fitting.empty() && advice.least.settings.empty());
  EXPECT_EQ(advice.least.bytes, planned_bytes(config, kCpu));
}

TEST(PlannedBytes, OnACpuCountTheHostsCopiesToo) {
  const auto config = config_with({"train.head_rows=256"}, 1);
  const PlannedMemory memory = DryRun(config, find_machine("h100", 1)).memory();
  EXPECT_GT(memory.pinned, 0U);
  EXPECT_GT(memory.scratch, 0U);
  EXPECT_EQ(planned_bytes(config, DeviceKind::cpu),
            static_cast<std::int64_t>(memory.device - memory.scratch + memory.pinned));
  EXPECT_EQ(planned_bytes(config, kCuda), static_cast<std::int64_t>(memory.device + memory.libraries));
  // Left to the device, fewer rows of logits exist at a time.
  EXPECT_EQ(planned_bytes(config_with({}, 1), DeviceKind::cpu),
            planned_bytes(config_with({"train.head_rows=512"}, 1), DeviceKind::cpu));
}

TEST(CheckMemory, NamesThePoorestRankAndItsBytes) {
  const auto config = config_with({}, 4);
  const auto request = RunRequest{"a run.yaml", {"data.weights=[1, 2]", "train.seed=1"}};
  const auto outcome = [&](const std::vector<std::int64_t>& free) {
    testing::internal::CaptureStderr();
    std::atomic<int> refused = 0;
    run_thread_world(4, [&](World& world) {
      auto machine = find_machine("h100", 1);
      machine.memory_bytes = machine.reserved_bytes + free[static_cast<std::size_t>(world.rank())];
      const auto device = make_dry_device(machine);
      try {
        check_memory(world, config, *device, request);
      } catch (const Error& e) {
        refused += e.code() == ExitCode::usage ? 1 : 0;
      }
    });
    return std::pair(refused.load(), testing::internal::GetCapturedStderr());
  };
  const auto needed = planned_bytes(config, DeviceKind::dry);
  EXPECT_EQ(outcome({needed, needed, needed, needed}), std::pair(0, std::string()));
  const std::int64_t least = needed * 3 / 4;
  const auto [refused, said] = outcome({needed, needed - 1, least, needed});
  EXPECT_EQ(refused, 4);
  const auto poorest = fmt::format("{:.4g} GiB are free", static_cast<double>(least) / 0x1p30);
  EXPECT_NE(said.find(poorest), std::string::npos) << said;
  EXPECT_NE(said.find(" of rank 2 on "), std::string::npos) << said;
  EXPECT_NE(said.find("`trireme plan 'a run.yaml' --set 'data.weights=[1, 2]' --set train.seed=1 --world 4 --gpu h100 "
                      "--search` tries other meshes"),
            std::string::npos)
      << said;
}

TEST(CheckMemory, WhatItProposesIsNotAtTheBrim) {
  const auto config = config_with({}, 1);
  const auto smaller = memory_advice(config, kCuda, planned_bytes(config, kCuda) - 1).fitting.front();
  const auto proposes = [&](std::int64_t free) {
    testing::internal::CaptureStderr();
    run_thread_world(1, [&](World& world) {
      auto machine = find_machine("h100", 1);
      machine.memory_bytes = machine.reserved_bytes + free;
      const auto device = make_dry_device(machine);
      EXPECT_THROW(check_memory(world, config, *device, {"x.yaml", {}}), Error);
    });
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("trireme plan"), std::string::npos) << "there is no other mesh of one rank: " << said;
    return said.find("--set " + smaller.settings.front() + ":") != std::string::npos;
  };
  EXPECT_FALSE(proposes(smaller.bytes));
  EXPECT_TRUE(proposes(smaller.bytes + smaller.bytes / 19 + 1));
}

TEST(AvailableBytes, OfADryDeviceAreWhatItsMachineHasLeft) {
  const auto machine = find_machine("h100", 1);
  const auto device = make_dry_device(machine);
  EXPECT_EQ(available_bytes(*device), machine.memory_bytes - machine.reserved_bytes);
  const auto held = device->allocate(1000);
  EXPECT_EQ(available_bytes(*device), machine.memory_bytes - machine.reserved_bytes - 1000);
}

}  // namespace
}  // namespace trireme
