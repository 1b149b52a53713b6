// SPDX-License-Identifier: Apache-2.0
// The plan beside the card: runs that were measured on H200 (docs/performance.md), within 2 % of memory and 15 % of
// time, and one of them worked out by hand.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "launch/dry_step.h"

namespace trireme {
namespace {

constexpr double kMib = 1 << 20;

struct Row {
  const char* preset;
  std::int64_t micro_batch, sequence, vocabulary, micro_steps;
  MeshShape mesh;
  ZeroStage stage;
  Recompute recompute;
  std::int64_t channels;
  std::optional<double> held_mib;  // on each GPU
  double milliseconds;
};

RunConfig config_of(const Row& run) {
  const std::vector<std::string> sets = {
      fmt::format("model.preset={}", run.preset),
      fmt::format("model.vocabulary={}", run.vocabulary),
      "data.shards=[none]",
      "precision=bf16",
      fmt::format("train.micro_batch={}", run.micro_batch),
      fmt::format("train.sequence={}", run.sequence),
      fmt::format("train.global_batch={}", run.micro_batch * run.micro_steps * run.mesh.data()),
      fmt::format("mesh.replica={}", run.mesh.replica),
      fmt::format("mesh.shard={}", run.mesh.shard),
      fmt::format("mesh.tensor={}", run.mesh.tensor),
      fmt::format("nccl.channels={}", run.channels)};
  Problems problems;
  auto loaded = load_run_config("", sets, problems);
  loaded.config.sharding.stage = run.stage;
  loaded.config.train.recompute = run.recompute;
  validate(loaded, run.mesh.ranks(), problems);
  problems.raise();
  return loaded.config;
}

constexpr ZeroStage kAny = ZeroStage::parameters;  // of no axis
constexpr ZeroStage kFirst = ZeroStage::optimizer;
constexpr auto kKeep = Recompute::none;
constexpr auto kLight = Recompute::light;
constexpr auto kFull = Recompute::full;

// `trireme bench step --precision bf16 --device cuda --products heuristic`, 2026-11-22.
const std::vector<Row>& measured() {
  static const std::vector<Row> runs = {
      {"gpt2_124m", 64, 1024, 50304, 1, {}, kAny, kKeep, 0, 23778.8, 108.3},
      {"gpt2_124m", 64, 1024, 50304, 8, {}, kAny, kKeep, 0, {}, 893.7},
      {"gpt2_1558m", 16, 1024, 50304, 1, {}, kAny, kKeep, 0, 67514.8, 318.8},
      {"gpt2_1558m", 16, 1024, 50304, 8, {}, kAny, kKeep, 0, 67514.8, 2363.8},
      {"gpt2_1558m", 32, 1024, 50304, 1, {}, kAny, kFull, 0, 36284.8, 766.8},
      {"llama32_1b", 8, 4096, 128256, 1, {}, kAny, kKeep, 0, 62626.8, 486.6},
      {"llama32_1b", 4, 8192, 128256, 1, {}, kAny, kKeep, 0, {}, 548.8},
      {"llama32_1b", 8, 8192, 128256, 1, {}, kAny, kLight, 0, 77976.8, 1097.7},
      {"llama32_1b", 1, 32768, 128256, 1, {}, kAny, kKeep, 0, {}, 968.7},
      {"llama32_1b", 1, 131072, 128256, 1, {}, kAny, kFull, 0, 48712.8, 13202.0},
      {"qwen25_1.5b", 32, 1024, 151936, 1, {}, kAny, kKeep, 0, 94786.8, 537.2},
      {"qwen25_1.5b", 8, 4096, 151936, 1, {}, kAny, kKeep, 0, {}, 599.8},
      {"qwen25_1.5b", 2, 16384, 151936, 1, {}, kAny, kFull, 0, 34986.8, 984.1},
      {"gpt2_1558m", 16, 1024, 50304, 1, {.replica = 2}, kAny, kKeep, 0, {}, 331.3},
      {"gpt2_1558m", 16, 1024, 50304, 1, {.replica = 2}, kAny, kKeep, 8, 68125, 335.3},
      {"gpt2_1558m", 16, 1024, 50304, 1, {.shard = 2}, kFirst, kKeep, 0, 60515, 350.3},
      {"gpt2_1558m", 16, 1024, 50304, 1, {.shard = 2}, kFirst, kKeep, 8, 59507, 354.0},
      {"gpt2_1558m", 16, 1024, 50304, 4, {.shard = 2}, kFirst, kKeep, 0, {}, 1305.8},
      {"gpt2_1558m", 16, 1024, 50304, 1, {.shard = 2}, kAny, kKeep, 0, {}, 353.9},
      {"llama31_8b", 2, 4096, 128256, 1, {.shard = 2}, kAny, kKeep, 0, {}, 749.6},
      {"llama31_8b", 2, 4096, 128256, 1, {.tensor = 2}, kAny, kKeep, 0, {}, 443.5},
  };
  return runs;
}

TEST(ThePlan, IsWhatWasMeasured) {
  for (const Row& run : measured()) {
    const RunConfig config = config_of(run);
    DryRun plan(config, find_machine("h200", 1));
    const double milliseconds = plan.step().seconds * 1e3;
    const double mib = static_cast<double>(plan.memory().all()) / kMib;
    SCOPED_TRACE(fmt::format("{} {} x {} x {} on {}x{}x{}", run.preset, run.micro_batch, run.sequence, run.micro_steps,
                             run.mesh.replica, run.mesh.shard, run.mesh.tensor));
    EXPECT_NEAR(milliseconds, run.milliseconds, 0.15 * run.milliseconds);
    if (run.held_mib) {
      EXPECT_NEAR(mib, *run.held_mib, 0.02 * *run.held_mib);
    }
  }
}

// GPT-2 1558M: 48 blocks of width 1600 with 25 heads of 64, 16 x 1024 tokens, by the constants' own meaning.
TEST(ThePlan, OfGpt2Of1558MillionIsTheArithmeticByHand) {
  const Row& run = measured()[2];
  DryRun plan(config_of(run), find_machine("h200", 1));
  const PlannedStep step = plan.step();
  const auto seconds = [&](const char* operation) { return step.counts.operations.at(operation).seconds; };
  const double peak = 989.4e12;
  const double launch = 5e-6;
  const double rows = 16 * 1024;
  // Four matrices of 12 D^2 in all, three products of each; the head's 50304 D in two chunks.
  const double products = 3 * 2 * rows * (48 * 12.0 * 1600 * 1600 + 50304.0 * 1600) / (0.72 * peak);
  const double launches = 3 * launch * (48 * 4 + 2);
  EXPECT_NEAR(seconds("linear") + seconds("linear_backward_input") + seconds("linear_backward_weight"),
              products + launches, 1e-3 * products);
  // Half of 1024^2 pairs of 16 * 25 heads, 4 * 64 FLOPs forward and 10 * 64 backward.
  const double pairs = 48 * 16 * 25 * 1024.0 * 1024 / 2;
  const double forward = pairs * 4 * 64 / (0.98 * peak * 1024 / (1024 + 600) * 64 / (64 + 75));
  EXPECT_NEAR(seconds("attention"), forward + 48 * launch, 1e-6 * forward);
  const double backward = pairs * 10 * 64 / (0.725 * peak * 1024 / (1024 + 1000) * 64 / (64 + 55));
  EXPECT_NEAR(seconds("attention_backward"), backward + 48 * launch, 1e-6 * backward);
  // Master and moments read and written, the gradient read, the copy written: 30 bytes a parameter at 0.86 of 4.8 TB/s.
  const double parameters = 48 * (12.0 * 1600 * 1600 + 13 * 1600) + (50304.0 + 1024 + 2) * 1600;
  const double update = 30 * parameters / (0.86 * 4.8e12);
  EXPECT_NEAR(seconds("adamw"), update + 2 * (48 + 2) * launch, 0.02 * update);
  // And in memory: masters, moments, gradients and copies of 18 bytes a parameter; the scores' gradients of a layer.
  const PlannedMemory memory = plan.memory();
  EXPECT_EQ(memory.scratch, 256 + 16ULL * 25 * 1024 * (4 + 2 * 1024));
  double held = 0.0;
  for (const auto& [purpose, bytes] : memory.purposes) {
    if (!purpose.starts_with("activations") && purpose != "scratch of operations") held += static_cast<double>(bytes);
  }
  EXPECT_NEAR(held, 18 * parameters, 1e-4 * held);
}

}  // namespace
}  // namespace trireme
