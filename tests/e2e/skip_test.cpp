// SPDX-License-Identifier: Apache-2.0
// Updates that are not made: the same ones on any number of ranks and after a resume, within a budget, without a trace
// in the parameters.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

using Skips = TinyWorld;

/// The first update, finite as it is, makes parameters of this size: the losses after it are no numbers.
const Words kDiverging{"--set", "optimizer.lr=1e30", "--set", "checkpoint.every=1"};

/// Of a line of a step: what all ranks agree on, or what does not depend on the order of sums.
struct Told {
  std::int64_t step = 0, skips = 0, tokens = 0;
  double lr = 0;
  std::string token_hash;
  bool finite = false;
  bool operator==(const Told&) const = default;
};
std::vector<Told> told_of(const std::string& run) {
  std::vector<Told> all;
  std::istringstream lines(read_text(run + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (!json.contains("loss")) continue;
    all.push_back({json.at("step"), json.value("skipped", 0), json.at("tokens"), json.at("lr"), json.at("token_hash"),
                   json.at("loss").is_number()});
  }
  return all;
}
std::vector<std::int64_t> skipped_steps(const std::string& run) {
  std::vector<std::int64_t> steps;
  for (const Told& t : told_of(run)) {
    if (t.skips > 0) steps.push_back(t.step);
  }
  return steps;
}

TEST_F(Skips, ANanIsSkippedUntilTheBudgetIsSpentAlikeOnAnyRanks) {
  for (const int n : {1, 2, 4}) {
    const auto dir = "nan" + std::to_string(n);
    auto words = train_command(dir, kDiverging);
    words.insert(words.end(), {"--set", "train.skip.budget=3"});
    const auto outcome = ranks(n, words);
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_EQ(count(outcome.err, "this update is SKIPPED on all ranks"), 3U) << outcome.err;
    EXPECT_EQ(count(outcome.err, "the run has diverged"), 1U) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "step 5 has loss nan")) << outcome.err;
    // Only what was made before the trouble is kept.
    EXPECT_TRUE(std::filesystem::exists(checkpoint_of(path(dir), 1)));
    EXPECT_TRUE(has(outcome.err, "step 2: no checkpoint yet, as this step was skipped")) << outcome.err;
    for (const int step : {2, 3, 4, 5}) EXPECT_FALSE(std::filesystem::exists(checkpoint_of(path(dir), step)));
    const auto told = told_of(path(dir));
    ASSERT_EQ(told.size(), 5U);
    EXPECT_TRUE(told[0].finite && told[0].skips == 0);
    for (std::size_t i = 1; i < 5; ++i) {
      EXPECT_FALSE(told[i].finite);
      EXPECT_EQ(told[i].skips, static_cast<std::int64_t>(i));
    }
    EXPECT_EQ(told, told_of(path("nan1"))) << n;
  }
}

TEST_F(Skips, ASkippedUpdateLeavesNoTraceAndItsCountOutlivesAResume) {
  for (const int n : {1, 4}) {
    const auto dir = "left" + std::to_string(n);
    auto words = train_command(dir, kDiverging);
    words.insert(words.end(), {"--set", "mesh.shard=" + std::to_string(n)});
    auto stopped = words;
    stopped.insert(stopped.end(), {"--stop-at", "4"});
    ASSERT_EQ(ranks(n, stopped).code, 75);
    EXPECT_EQ(digests_of(path(dir), 1), digests_of(path(dir), 4)) << n;
    words.insert(words.end(), {"--set", "train.skip.budget=4"});
    const auto outcome = ranks(n, words);  // a budget may change
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "4 of the 4 that train.skip.budget allows")) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "this is skipped update 5 of the run, and train.skip.budget allows 4")) << outcome.err;
    EXPECT_EQ(skipped_steps(path(dir)), (std::vector<std::int64_t>{2, 3, 4, 5, 6})) << n;
  }
}

// Every gradient norm above the mean of the two before it counts as a spike here, so that a sound run has some.
TEST_F(Skips, SpikesAreTheSameOnesOnAnyRanksAndAfterAResume) {
  const Words jumpy{"--set", "train.skip.window=2", "--set", "train.skip.norm_factor=1.02"};
  for (const int n : {1, 2, 4}) {
    const auto dir = "spikes" + std::to_string(n);
    const auto outcome = ranks(n, train_command(dir, jumpy));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(skipped_steps(path(dir)), skipped_steps(path("spikes1"))) << n;
  }
  const auto some = skipped_steps(path("spikes1"));
  EXPECT_TRUE(!some.empty() && some.size() < 18) << some.size();

  // A checkpoint that falls due on one of them is made at the next step that is none.
  const auto is_skipped = [&](std::int64_t step) { return std::find(some.begin(), some.end(), step) != some.end(); };
  const auto due = *std::find_if(some.begin(), some.end(), [&](std::int64_t step) { return !is_skipped(step + 1); });
  auto saved = train_command("owed", jumpy);
  saved.insert(saved.end(), {"--set", "checkpoint.every=" + std::to_string(due), "--stop-at", std::to_string(due + 2)});
  const auto outcome = ranks(2, saved);
  ASSERT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_EQ(count(outcome.err, fmt::format("step {}: no checkpoint yet, as this step was skipped", due)), 1U)
      << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(checkpoint_of(path("owed"), due)));
  EXPECT_TRUE(std::filesystem::exists(checkpoint_of(path("owed"), due + 1))) << outcome.err;

  auto words = train_command("parts", jumpy);
  auto stopped = words;
  stopped.insert(stopped.end(), {"--stop-at", std::to_string(some.front() + 1)});
  ASSERT_EQ(ranks(2, stopped).code, 75);
  ASSERT_EQ(ranks(2, words).code, 0);
  EXPECT_EQ(lines_without_times(path("parts")), lines_without_times(path("spikes2")));
}

}  // namespace
}  // namespace trireme::e2e
