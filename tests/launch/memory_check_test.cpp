// SPDX-License-Identifier: Apache-2.0
// What would fit instead of a run that does not: by the plan of each proposal, and no proposal too many.
#include "launch/memory_check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "launch/run_config.h"

namespace trireme {
namespace {

constexpr auto kCuda = DeviceKind::cuda;

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
  return planned_bytes(config_with(choice.settings, ranks), kCuda);
}

bool has(const MemoryAdvice& advice, const std::string& setting) {
  return std::any_of(advice.fitting.begin(), advice.fitting.end(), [&](const MemoryChoice& c) {
    return std::find(c.settings.begin(), c.settings.end(), setting) != c.settings.end();
  });
}

TEST(MemoryAdvice, NamesTheSingleChangesThatDo) {
  const auto config = config_with({}, 4);
  const auto needed = planned_bytes(config, kCuda);
  const auto advice = memory_advice(config, kCuda, needed - 1);
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

TEST(MemoryAdvice, JoinsChangesOnlyWhereOneIsNotEnough) {
  const auto config = config_with({}, 4);
  const auto full = memory_advice(config, kCuda, 0);
  EXPECT_TRUE(full.fitting.empty());
  EXPECT_EQ(full.least.settings.back(), "train.micro_batch=1");
  EXPECT_EQ(bytes_with(full.least, 4), full.least.bytes);
  // Exactly what all of them together come to: nothing less does.
  const auto tight = memory_advice(config, kCuda, full.least.bytes);
  ASSERT_EQ(tight.fitting.size(), 1U);
  EXPECT_EQ(tight.fitting.front().settings, full.least.settings);
}

TEST(MemoryAdvice, ProposesNothingThatTheRunIsAlready) {
  const auto config = config_with({"recompute=full", "train.micro_batch=1"}, 1);
  const auto advice = memory_advice(config, kCuda, 0);
  EXPECT_TRUE(advice.fitting.empty() && advice.least.settings.empty());
  EXPECT_EQ(advice.least.bytes, planned_bytes(config, kCuda));
}

TEST(PlannedBytes, OnACpuCountTheHostsCopiesToo) {
  const auto config = config_with({}, 1);
  EXPECT_GT(planned_bytes(config, DeviceKind::cpu), planned_bytes(config, kCuda));
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
