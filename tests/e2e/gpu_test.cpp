// SPDX-License-Identifier: Apache-2.0
// The binary on several GPUs from outside: a stopped run goes on bit for bit, a lost rank is named, and ranks without
// a GPU of their own are refused or told.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "kernels/kernels.h"
#include "tests/e2e/tiny_world.h"
#include "tests/kernels/test_device.h"

namespace trireme::e2e {
namespace {

constexpr int kRanks = 2;
constexpr double kSeconds = 5;       // of the watchdog
constexpr double kStartAndEnd = 20;  // what mpirun and the others' ends may add

class Gpu : public TinyWorld {
 protected:
  void SetUp() override {
    if (!tests_on_cuda()) GTEST_SKIP() << "for GPUs: TRIREME_TEST_DEVICE=cuda";
  }

  static Words command(const std::string& dir, const Words& more = {}) {
    auto words = TinyWorld::train_command(dir, {"--set", "device=cuda"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// `stage`: of shards, which are gathered after every update or block by block; 0: replicas.
  static Outcome run_and_signal(const std::string& dir, int rank, int signal, int stage) {
    Words more{"--set", "train.steps=100000",
               "--set", "checkpoint.every=0",
               "--set", fmt::format("watchdog.seconds={}", kSeconds)};
    if (stage > 0) more.insert(more.end(), {"--set", "mesh.shard=2", "--set", fmt::format("sharding.zero={}", stage)});
    Process job(trireme(kRanks, command(dir, more)), folder());
    const auto metrics = path(dir) + "/metrics.jsonl";
    EXPECT_TRUE(job.wait_until([&] { return count(read_text(metrics), "\"loss\"") >= 40; })) << job.errors_so_far();
    const pid_t id = rank_of(job, rank);
    EXPECT_GT(id, 0);
    if (id > 0) kill(id, signal);
    const auto start = std::chrono::steady_clock::now();
    auto outcome = job.wait();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(seconds, kSeconds + kStartAndEnd) << outcome.err;
    return outcome;
  }
};

TEST_F(Gpu, StoppedRunsGoOnBitForBit) {
  for (const Words& mesh : {Words{"--set", "mesh.shard=2"}, Words{"--set", "mesh.tensor=2"},
                            Words{"--set", "precision=bf16", "--set", "mesh.shard=2"}}) {
    const auto name = fmt::format("{}{}", mesh[1].substr(5, 4), mesh.size());
    const auto whole = "whole_" + name;
    const auto parts = "parts_" + name;
    const auto outcome = ranks(kRanks, command(whole, mesh));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(has(outcome.err, " GiB, at ")) << "the table of ranks names each GPU: " << outcome.err;
    auto stop = command(parts, mesh);
    stop.insert(stop.end(), {"--stop-at", "7"});
    const auto stopped = ranks(kRanks, stop);
    EXPECT_EQ(stopped.code, 75) << stopped.err;
    const auto resumed = ranks(kRanks, command(parts, mesh));
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(lines_without_times(path(whole)), lines_without_times(path(parts)));
    EXPECT_EQ(digests_of(path(whole), 20), digests_of(path(parts), 20));
  }
}

TEST_F(Gpu, AStoppedRankIsNamed) {
  for (const int stage : {0, 1, 3}) {
    const auto outcome = run_and_signal(fmt::format("stopped_{}", stage), 1, SIGSTOP, stage);
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_EQ(count(outcome.err, "watchdog: rank 1 on "), 1U) << outcome.err;
    EXPECT_EQ(count(outcome.err, "\n  rank 0 on "), 1U) << outcome.err;
  }
}

TEST_F(Gpu, AKilledRankEndsTheJob) {
  for (const int stage : {0, 1, 3}) {
    const auto outcome = run_and_signal(fmt::format("killed_{}", stage), 1, SIGKILL, stage);
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.code, 75);
    EXPECT_TRUE(has(outcome.err, "rank 1 ")) << outcome.err;
  }
}

TEST_F(Gpu, RanksWithoutAGpuOfTheirOwn) {
  const int gpus = cuda_device_count();
  const Words batch{"--set", fmt::format("train.global_batch={}", gpus + 1),
                    "--set", "train.micro_batch=1",
                    "--set", "train.steps=5"};
  const auto refused = ranks(gpus + 1, command("refused", batch));
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_TRUE(has(refused.err, fmt::format("{} ranks on ", gpus + 1))) << refused.err;
  EXPECT_TRUE(has(refused.err, fmt::format(" see {} GPU", gpus))) << refused.err;
  auto words = command("told", batch);
  words.insert(words.end(), {"--set", "device=auto"});
  const auto told = ranks(gpus + 1, words);
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_EQ(count(told.err, "trireme: all ranks run on the CPU, for "), 1U) << told.err;
}

}  // namespace
}  // namespace trireme::e2e
