// SPDX-License-Identifier: Apache-2.0
// The whole of launch/quickstart.sh, minutes long: the exam goes from chance to at least 60 %.
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

TEST(Quickstart, FromNothingToAPassedExam) {
  const TemporaryFolder made;
  const auto dir = made.path() + "/quickstart";
  const auto outcome =
      run({"bash", std::string(TRIREME_SOURCE_DIR) + "/launch/quickstart.sh", "--dir", dir, "--json"}, made.path());
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // The script itself demands exit code 75 of the interrupted run; here, that there was one and that it went on.
  EXPECT_TRUE(has(outcome.err, "stopped after step")) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "resumed after step")) << outcome.err;
  const auto json = only_json(outcome);
  ASSERT_FALSE(json.empty());
  for (const auto& key : {"exam_before", "exam_after", "loss_first", "loss_last", "documents", "tokens", "seconds"}) {
    ASSERT_TRUE(json.contains(key) && json.at(key).is_number()) << key;
  }
  // Answers of a model that knows nothing are guesses: five standard errors around chance.
  const auto exam = nlohmann::json::parse(read_text(dir + "/run/eval/mmlu_0shot_step0.json"));
  EXPECT_NEAR(json.at("exam_before").get<double>(), 25.0, 500 * exam.at("micro").at("stderr").get<double>());
  EXPECT_GE(json.at("exam_after").get<double>(), 60.0);
  EXPECT_LT(json.at("loss_last").get<double>(), json.at("loss_first").get<double>() / 2);
  EXPECT_GT(json.at("documents").get<double>(), 20000);
  EXPECT_TRUE(has(read_text(dir + "/run/loss.svg"), "<svg"));
}

}  // namespace
}  // namespace trireme::e2e
