// SPDX-License-Identifier: Apache-2.0
#include "launch/sweep_plan.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "launch/study_design.h"
#include "launch/study_simulation.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStudy =
    "base:\n"
    "  model: {preset: tiny_llama, vocabulary: 2048}\n"
    "  train: {sequence: 128, global_batch: 8}\n"
    "models: [{layers: 2, width: 64}, {layers: 3, width: 96}, {layers: 4, width: 128}, {layers: 5, width: 160}]\n"
    "budgets: {flops: [2.0e+12, 4.0e+12]}\n";

Study load(const std::vector<std::string>& sets, const std::string& yaml = kStudy) {
  const auto path = fs::temp_directory_path() / "trireme_sweep_plan_test.yaml";
  std::ofstream(path) << yaml;
  Problems problems;
  auto study = load_study(path, sets, false, problems);
  problems.raise();
  return study;
}

std::string warnings(const std::vector<std::string>& sets) {
  std::string all;
  for (const auto& warning : design_warnings(load(sets))) all += warning + "\n";
  return all;
}

TEST(StudyDesign, AProfileWhoseMinimumIsOutsideItsSizesIsTold) {
  // The study's sizes by Chinchilla's count are 0.25, 0.58, 1.1 and 2.1 million; the closed forms of the published laws
  // give 0.93 and 0.45 million for 4e13 FLOPs, 1.28 and 0.64 for 8e13, 11.6 and 7.6 for 1e16.
  EXPECT_EQ(warnings({"budgets.flops=[4.0e+13, 8.0e+13]"}).find("bracketed"), std::string::npos);
  const auto above = warnings({"budgets.flops=[4.0e+13, 1.0e+16]"});
  EXPECT_NE(above.find("IsoFLOP profile of 1e+16: its minimum is not bracketed"), std::string::npos) << above;
  EXPECT_NE(above.find("above those of the study"), std::string::npos) << above;
  EXPECT_EQ(above.find("profile of 4e+13"), std::string::npos) << above;
  const auto below = warnings({"budgets.flops=[1.0e+10, 4.0e+13]"});
  EXPECT_NE(below.find("below those of the study"), std::string::npos) << below;
}

TEST(StudyDesign, TooFewPointsAreTold) {
  const auto text = warnings({"models=[{layers: 2}, {layers: 4}]"});
  EXPECT_NE(text.find("too few points: 4 losses to fit"), std::string::npos) << text;
  EXPECT_NE(text.find("too few points: 2 sizes"), std::string::npos) << text;
  EXPECT_NE(text.find("profile of 2e+12: 2 sizes"), std::string::npos) << text;
  EXPECT_NE(warnings({"budgets={tokens: [1.0e+6]}"}).find("too few points: 1 token counts"), std::string::npos);
  EXPECT_EQ(warnings({}).find("too few"), std::string::npos);
}

TEST(StudyDesign, ASchedulePastTheEndALongWarmUpAndASmallHeldOutRunAreTold) {
  const auto stretched = warnings({"rules.horizon=1.5"});
  EXPECT_NE(stretched.find("up to 1.50 times as long"), std::string::npos) << stretched;
  EXPECT_EQ(warnings({"rules.horizon=1.2"}).find("times as long"), std::string::npos);
  EXPECT_EQ(warnings({"rules.horizon=1.5", "base.optimizer.schedule.kind=constant"}).find("times as long"),
            std::string::npos);
  const auto slow = warnings({"rules.warmup={value: 3.0e+5, tokens_exponent: 1, tokens_at: 1.0e+6}"});
  EXPECT_NE(slow.find("the warm-up takes more than 25 %"), std::string::npos) << slow;
  const std::string same_size = "held_out={models: [{layers: 4, width: 128}], budgets: {flops: [1.0e+12]}}";
  EXPECT_NE(warnings({same_size}).find("no extrapolation"), std::string::npos);
  EXPECT_EQ(warnings({"held_out={models: [{layers: 4, width: 128}], budgets: {flops: [1.6e+13]}}"}).find("no extra"),
            std::string::npos);
}

TEST(StudyDesign, RepeatedDataIsTold) {
  auto study = load({});
  for (StudyRun& run : study.runs) run.unique_tokens = 1e6;
  const auto all = design_warnings(study);
  const auto most = std::max_element(study.runs.begin(), study.runs.end(),
                                     [](const auto& a, const auto& b) { return a.tokens < b.tokens; });
  ASSERT_GT(most->tokens, 2e6);
  const auto told = [&](const std::string& text) {
    return std::any_of(all.begin(), all.end(), [&](const auto& w) { return w.find(text) != std::string::npos; });
  };
  EXPECT_FALSE(told("repeated"));
  for (StudyRun& run : study.runs) run.unique_tokens = most->tokens / 5;
  const auto more = design_warnings(study);
  EXPECT_NE(std::find_if(more.begin(), more.end(),
                         [](const auto& w) { return w.find("repeated up to 5.0 times") != std::string::npos; }),
            more.end());
}

TEST(StudyDesign, TheExpectedIntervalIsNarrowerForMoreBudgetsAndLessNoise) {
  const auto narrow = design_points(load({}));
  const auto wide = design_points(load({"budgets.flops=[2.0e+12, 2.0e+13, 2.0e+14, 2.0e+15]"}));
  const auto few = expected_interval(narrow, 0.005, 0.95);
  const auto more = expected_interval(wide, 0.005, 0.95);
  const auto quiet = expected_interval(wide, 0.0005, 0.95);
  ASSERT_TRUE(few && more && quiet);
  EXPECT_GT(few->width, 2 * more->width);
  EXPECT_GT(more->width, 2 * quiet->width);
  EXPECT_NEAR(few->truth, 0.4566, 1e-3);  // beta / (alpha + beta) of the paper's source
  EXPECT_NE(interval_warning(load({})).find("interval of the exponent a"), std::string::npos);
  // Two sizes determine no law: other warnings say so.
  EXPECT_EQ(interval_warning(load({"models=[{layers: 2}, {layers: 4}]"})), "");
}

TEST(SweepPlan, TellsEveryRunAndThePackingAddsUp) {
  Problems problems;
  auto study = load({"base.optimizer.schedule.kind=wsd", "budgets={tokens: [2.0e+6, 4.0e+6], branch: true}"});
  const auto machine = find_machine("h200", 1);
  size_runs(study, machine, 2, problems);
  problems.raise();
  const auto plan = plan_study(std::move(study), machine, 2);
  ASSERT_EQ(plan.study.runs.size(), 4U);
  const auto json = to_json(plan);
  double work = 0;
  double last = 0;
  for (const auto& run : json["runs"]) {
    double own = run["seconds"];
    ASSERT_EQ(run["branches"].size(), 1U);
    // The branch makes the last fifth of its own steps: all others are the trunk's.
    const double steps = run["branches"][0]["steps"];
    EXPECT_EQ(run["branches"][0]["from_step"], std::floor(0.8 * steps));
    EXPECT_NEAR(run["branches"][0]["seconds"], own * (steps - std::floor(0.8 * steps)) / run["steps"].get<double>(),
                1e-9 * own);
    own += run["branches"][0]["seconds"].get<double>();
    EXPECT_NEAR(run["ends"].get<double>() - run["begins"].get<double>(), own, 1e-9 * own);
    work += own;
    last = std::max(last, run["ends"].get<double>());
    EXPECT_GT(run["rank_bytes"], 0);
  }
  EXPECT_NEAR(json["rank_hours"], work / 3600, 1e-9 * work);
  EXPECT_EQ(json["seconds"], last);
  EXPECT_NEAR(json["utilisation"], work / (2 * last), 1e-9);
  const auto text = to_text(plan);
  for (const StudyRun& run : plan.study.runs) EXPECT_NE(text.find(run.name), std::string::npos) << text;
  EXPECT_NE(text.find("4 runs, 8 losses, on 2 x h200"), std::string::npos) << text;
}

TEST(SweepPlan, EveryStudyOfConfigsIsValid) {
  for (const auto& entry : fs::directory_iterator(configs_folder() + "/sweeps")) {
    Problems problems;
    const std::vector<std::string> sets = {"base.model.vocabulary=2048", "base.data.shards=[x]"};
    auto study = load_study(entry.path(), sets, false, problems);
    EXPECT_NO_THROW(problems.raise()) << entry.path();
    std::size_t points = 0;
    for (const StudyRun& run : study.runs) points += run.held_out ? 0U : 1 + run.branches.size();
    EXPECT_GE(points, 12U) << entry.path();
  }
}

}  // namespace
}  // namespace trireme
