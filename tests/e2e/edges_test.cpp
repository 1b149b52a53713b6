// SPDX-License-Identifier: Apache-2.0
// Settings at the edge of what makes sense, and runs that go wrong on every rank at once.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

using Edges = TinyWorld;

TEST_F(Edges, AValidationLargerThanWhatIsHeldOutCountsEachSampleOnce) {
  const auto outcome = ranks(2, train_command("validated", {"--set", "eval.samples=1000000"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto metrics = read_text(path("validated/metrics.jsonl"));
  EXPECT_TRUE(has(metrics, "\"validation_loss\""));
  EXPECT_FALSE(has(metrics, "\"samples\":1000000")) << metrics;
}

TEST_F(Edges, NothingHeldOutIsNoValidation) {
  auto words = train_command("unvalidated", {"--set", "data.validation=0"});
  words.emplace_back("--json");
  const auto outcome = ranks(3, words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(only_json(outcome).at("validation_loss").is_null());
}

TEST_F(Edges, AFinishedRunWithoutItsMetricsHasNoLossToTell) {
  ASSERT_EQ(alone(train_command("forgotten")).code, 0);
  std::filesystem::remove(path("forgotten/metrics.jsonl"));
  auto words = train_command("forgotten");
  words.emplace_back("--json");
  const auto outcome = alone(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(only_json(outcome).at("loss_last").is_null());
}

TEST_F(Edges, ARunThatDivergesEndsOnceAndLeavesNoCheckpoint) {
  const auto outcome = ranks(3, train_command("diverged", {"--set", "optimizer.lr=1e30", "--set", "checkpoint.every=1",
                                                           "--set", "train.skip.budget=0"}));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(count(outcome.err, "the run has diverged"), 1U) << outcome.err;
  // The step that spoilt the parameters could not know it; the one that found out saves nothing.
  EXPECT_FALSE(std::filesystem::exists(checkpoint_of(path("diverged"), 3)));
}

TEST_F(Edges, ARunThatCannotFitIsRefusedBeforeItTakesMemory) {
  for (const int n : {1, 2}) {
    const auto outcome = ranks(
        n, {"train", std::string(TRIREME_SOURCE_DIR) + "/configs/train/tiny_gpt2.yaml", "--set", "data.shards=[shards]",
            "--set", "model.preset=gpt3_175b", "--set", "device=cpu", "--set", "run.dir=giant"});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(count(outcome.err, "a rank of this run takes "), 1U) << outcome.err;
    for (const char* part :
         {"are free in the host's memory", "nothing was started", "a rank takes at least", "recompute=full"}) {
      EXPECT_TRUE(has(outcome.err, part)) << part << " in " << outcome.err;
    }
    // The command that is proposed is that of this run; on one rank there is no other mesh.
    EXPECT_EQ(count(outcome.err,
                    "--set 'data.shards=[shards]' --set model.preset=gpt3_175b --set device=cpu --set "
                    "run.dir=giant --world 2 --gpu cpu --search` tries other meshes"),
              n == 1 ? 0U : 1U)
        << outcome.err;
    EXPECT_EQ(count(outcome.err, "trireme plan"), n == 1 ? 0U : 1U) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(path("giant")));
  }
}

TEST_F(Edges, ASecondJobOnARunFolderIsRefusedAndTheFirstGoesOn) {
  const auto words = train_command("shared", {"--set", "train.steps=100000", "--set", "checkpoint.every=100000"});
  Process first(trireme(2, words), folder());
  ASSERT_TRUE(first.wait_until([&] { return count(read_text(path("shared/metrics.jsonl")), "\n") >= 3; }));
  const auto second = ranks(2, words);
  EXPECT_EQ(second.code, 1) << second.err;
  EXPECT_EQ(count(second.err, "shared is being written by another job (process "), 1U) << second.err;
  EXPECT_TRUE(has(second.err, " on host ") && has(second.err, ", since 20")) << second.err;
  first.signal(SIGUSR1);
  EXPECT_EQ(first.wait().code, 75);
  std::int64_t step = 0;
  for (const auto& line : steps_of(path("shared"))) EXPECT_EQ(line.step, ++step) << "a line of another job";
  EXPECT_TRUE(std::filesystem::exists(checkpoint_of(path("shared"), step)));
  EXPECT_FALSE(std::filesystem::exists(path("shared/.lock")));
}

}  // namespace
}  // namespace trireme::e2e
