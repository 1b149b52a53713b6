// SPDX-License-Identifier: Apache-2.0
// A rank of a training job that is stopped, or killed: the job ends by itself within the set time, says whose fault it
// was, and the same command goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

constexpr int kRanks = 3;
constexpr double kSeconds = 5;  // of the watchdog

class Hang : public TinyWorld {
 protected:
  static Words command(const std::string& dir) {
    const Words more{"--set", "train.steps=400",   "--set", "checkpoint.every=30",
                     "--set", "checkpoint.keep=2", "--set", "eval.every=0",
                     "--set", "eval.samples=4",    "--set", fmt::format("watchdog.seconds={}", kSeconds)};
    return trireme(kRanks, TinyWorld::train_command(dir, more));
  }

  /// Sends the signal to one rank in the middle of training, and returns how the job then ended.
  static Outcome run_and_signal(const std::string& dir, const std::string& path, int rank, int signal, double limit) {
    Process job(command(dir), path);
    const auto metrics = path + "/" + dir + "/metrics.jsonl";
    EXPECT_TRUE(job.wait_until([&] { return count(read_text(metrics), "\"loss\"") >= 40; })) << job.errors_so_far();
    const pid_t id = rank_of(job, rank);
    EXPECT_GT(id, 0);
    if (id > 0) kill(id, signal);
    const auto start = std::chrono::steady_clock::now();
    auto outcome = job.wait();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(seconds, limit) << outcome.err;
    return outcome;
  }

  static void expect_resumed(const std::string& dir, const std::string& path) {
    const auto resumed = run(command(dir), path);
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_TRUE(has(resumed.err, "resumed after step ")) << resumed.err;
    EXPECT_EQ(count(read_text(path + "/" + dir + "/metrics.jsonl"), "\"loss\""), 400U);
  }
};

TEST_F(Hang, AStoppedRankIsNamed) {
  for (const int rank : {2, 0}) {
    const auto dir = fmt::format("stopped{}", rank);
    const auto outcome = run_and_signal(dir, folder(), rank, SIGSTOP, kSeconds + 20);
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_EQ(count(outcome.err, "watchdog: "), 1U) << outcome.err;
    EXPECT_EQ(count(outcome.err, fmt::format("watchdog: rank {} on ", rank)), 1U) << outcome.err;
    EXPECT_EQ(count(outcome.err, " group\n"), 1U) << outcome.err;
    for (int r = 0; r < kRanks; ++r) {
      EXPECT_EQ(count(outcome.err, fmt::format("\n  rank {} on ", r)), 1U) << outcome.err;
    }
    expect_resumed(dir, folder());
  }
}

TEST_F(Hang, AKilledRankEndsTheJob) {
  const auto outcome = run_and_signal("killed", folder(), 1, SIGKILL, 20);
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.code, 75);
  EXPECT_TRUE(has(outcome.err, "rank 1 ")) << outcome.err;
  expect_resumed("killed", folder());
}

}  // namespace
}  // namespace trireme::e2e
