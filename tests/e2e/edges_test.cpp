// SPDX-License-Identifier: Apache-2.0
// Settings at the edge of what makes sense, and runs that go wrong on every rank at once.
#include <gtest/gtest.h>

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
  const auto outcome =
      ranks(3, train_command("diverged", {"--set", "optimizer.lr=1e30", "--set", "checkpoint.every=1"}));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(count(outcome.err, "the run has diverged"), 1U) << outcome.err;
  // The step that spoilt the parameters could not know it; the one that found out saves nothing.
  EXPECT_FALSE(std::filesystem::exists(checkpoint_of(path("diverged"), 3)));
}

}  // namespace
}  // namespace trireme::e2e
