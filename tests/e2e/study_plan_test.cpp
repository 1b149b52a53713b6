// SPDX-License-Identifier: Apache-2.0
// `trireme sweep --plan` from outside: the quickstart's study is told with its data's vocabulary and measured times,
// and nothing is written; a study that cannot be is refused with all its mistakes.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

using StudyPlan = TinyWorld;

TEST_F(StudyPlan, TheQuickstartsStudyIsToldAndNothingIsWritten) {
  const std::string study = std::string(TRIREME_SOURCE_DIR) + "/configs/sweeps/quickstart.yaml";
  const Words words = {"sweep",
                       study,
                       "--plan",
                       "--gpu",
                       "cpu",
                       "--world",
                       "2",
                       "--set",
                       "base.data.shards=[shards]",
                       "--set",
                       "base.data.validation=0.1",
                       "--set",
                       "base.model.vocabulary=2048"};
  auto with_json = words;
  with_json.emplace_back("--json");
  const auto plan = only_json(alone(with_json));
  ASSERT_EQ(plan["runs"].size(), 17U);
  std::size_t held_out = 0;
  for (const auto& run : plan["runs"]) {
    EXPECT_GT(run["seconds"].get<double>(), 0.0);
    EXPECT_EQ(run["ranks"], 1);
    held_out += run["held_out"].get<bool>() ? 1U : 0U;
  }
  EXPECT_EQ(held_out, 1U);
  EXPECT_GT(plan["utilisation"].get<double>(), 0.5);
  // A world of a few hundred documents is passed over again and again: that is told.
  EXPECT_TRUE(has(plan["warnings"].dump(), "the data is repeated")) << plan["warnings"];
  // One of two published laws has the best size of the smallest budget just below the smallest model.
  EXPECT_EQ(count(plan["warnings"].dump(), "bracketed"), 1U) << plan["warnings"];
  EXPECT_TRUE(has(plan["warnings"].dump(), "IsoFLOP profile of 1.5e+12: its minimum is not bracketed"));
  EXPECT_TRUE(has(plan["notes"].dump(), "were measured on this host")) << plan["notes"];
  const auto text = alone(words);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(has(text.out, "quickstart: 17 runs, 17 losses, on 2 x cpu")) << text.out;
  EXPECT_TRUE(has(text.out, "held out")) << text.out;
  EXPECT_FALSE(std::filesystem::exists(path("runs")));
}

TEST_F(StudyPlan, AllMistakesOfAStudyAtOnce) {
  write_text(path("study.yaml"),
             "base: {train: {stepz: 3}}\n"
             "models:\n"
             "  - {preset: tiny_llama}\n"
             "budget: {tokens: [1.0e+6]}\n"
             "seeds: [0.5]\n");
  const auto outcome = alone({"sweep", "study.yaml", "--plan"});
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const char* part :
       {"did you mean 'base.train.steps'?", "did you mean 'budgets'?", "study.yaml:5: seeds has 0.5"}) {
    EXPECT_EQ(count(outcome.err, part), 1U) << part << " in:\n" << outcome.err;
  }
  EXPECT_EQ(alone({"sweep", "no-such.yaml", "--plan"}).code, 2);
  EXPECT_EQ(alone({"sweep", "study.yaml", "--plan", "--gpu", "tpu", "--set", "budget=0"}).code, 2);
}

TEST_F(StudyPlan, DescribeNamesEverySetting) {
  const auto outcome = alone({"sweep", "--describe"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"tokens_per_parameter:", "parameters_exponent:", "branch:", "beta2:", "predict:"}) {
    EXPECT_TRUE(has(outcome.out, part)) << part << " in:\n" << outcome.out;
  }
}

}  // namespace
}  // namespace trireme::e2e
