// SPDX-License-Identifier: Apache-2.0
#include "launch/study.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "launch/study_names.h"
#include "launch/study_shapes.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBase =
    "base:\n"
    "  model: {preset: tiny_llama, vocabulary: 1000}\n"
    "  train: {sequence: 64, global_batch: 8}\n"
    "  optimizer: {schedule: {warmup_steps: 2}}\n";

struct Loaded {
  Study study;
  std::string problems;
};

Loaded load(const std::string& yaml, const std::vector<std::string>& sets = {}) {
  const auto path = fs::temp_directory_path() / "trireme_study_test.yaml";
  std::ofstream(path) << yaml;
  Problems problems;
  Loaded loaded{load_study(path, sets, false, problems), ""};
  try {
    problems.raise();
  } catch (const Error& e) {
    loaded.problems = e.what();
    const auto name = path.string();
    for (std::size_t at = 0; (at = loaded.problems.find(name, at)) != std::string::npos;) {
      loaded.problems.replace(at, name.size(), "x.yaml");
    }
  }
  return loaded;
}

const StudyRun& run_of(const Study& study, const std::string& budget, std::size_t shape) {
  const auto hit = std::find_if(study.runs.begin(), study.runs.end(),
                                [&](const StudyRun& r) { return r.budget == budget && r.shape == shape; });
  check(hit != study.runs.end(), "no run for {} of shape {}", budget, shape);
  return *hit;
}

TEST(Study, EveryShapeIsTrainedForEveryBudgetWithEverySeed) {
  const auto r = load(std::string(kBase) +
                      "models: [{layers: 2, width: 64}, {depths: [3, 4], aspect: 32, head_size: 32}]\n"
                      "budgets: {tokens: [1.0e+6], tokens_per_parameter: [20], flops: [6.0e+12]}\nseeds: [0, 7]\n");
  ASSERT_EQ(r.problems, "");
  ASSERT_EQ(r.study.runs.size(), 3U * 3U * 2U);
  std::set<std::string> names;
  std::set<std::string> hashes;
  std::set<std::string> folders;
  for (const StudyRun& run : r.study.runs) {
    names.insert(run.name);
    hashes.insert(run.hash);
    folders.insert(run.config.run.dir);
    EXPECT_EQ(run.hash, hash_of(run.config));
    EXPECT_EQ(run.tokens, static_cast<double>(run.config.train.steps * 8 * 64));
    EXPECT_EQ(run.parameters_total, static_cast<double>(parameter_count(run.config.model.architecture)));
    EXPECT_EQ(run.flops_6nd, 6.0 * run.parameters_total * run.tokens);
    EXPECT_TRUE(run.config.run.dir.starts_with("runs/study/runs/" + run.name)) << run.config.run.dir;
  }
  EXPECT_EQ(names.size(), 18U);
  EXPECT_EQ(hashes.size(), 18U);
  EXPECT_EQ(folders.size(), 18U);
  // Half an update is the most that rounding to whole updates costs.
  const StudyRun& iso = run_of(r.study, "flops 6e+12", 1);
  EXPECT_EQ(iso.budget_flops, 6e12);
  EXPECT_NEAR(iso.flops_6nd, 6e12, 0.5 * 8 * 64 * 6 * iso.parameters_total);
  EXPECT_EQ(iso.config.model.architecture.layers, 3);
  EXPECT_EQ(iso.config.model.architecture.width, 96);
  EXPECT_EQ(iso.config.model.architecture.heads, 3);
  EXPECT_EQ(iso.config.model.architecture.feed_forward, 256);
  EXPECT_NEAR(run_of(r.study, "tokens/parameter 20", 2).tokens,
              20 * run_of(r.study, "tokens/parameter 20", 2).parameters_total, 0.5 * 8 * 64);
  for (std::size_t i = 1; i < r.study.runs.size(); ++i) {
    EXPECT_GE(r.study.runs[i - 1].flops_appendix_f, r.study.runs[i].flops_appendix_f);
  }
}

TEST(Study, RulesFollowParametersAndTokens) {
  const auto r =
      load(std::string(kBase) +
           "parameters: non_embedding\nmodels: [{layers: 2}, {layers: 4}]\nbudgets: {tokens: [1.0e+6, 2.0e+6]}\n"
           "rules:\n"
           "  lr: {value: 0.003, parameters_exponent: -0.5, parameters_at: 1.0e+5, tokens_exponent: 0.25, "
           "tokens_at: 1.0e+6}\n"
           "  batch: {value: 1024, parameters_exponent: 1, parameters_at: 2.0e+5}\n"
           "  batch_multiple: 4\n"
           "  warmup: {value: 8192}\n"
           "  horizon: 1.5\n");
  ASSERT_EQ(r.problems, "");
  ASSERT_EQ(r.study.runs.size(), 4U);
  for (const StudyRun& run : r.study.runs) {
    const double n = run.parameters_non_embedding;
    const double d = run.budget == "tokens 1e+06" ? 1e6 : 2e6;
    EXPECT_DOUBLE_EQ(run.config.optimizer.lr, 0.003 * std::pow(n / 1e5, -0.5) * std::pow(d / 1e6, 0.25));
    const auto batch = run.config.train.global_batch;
    EXPECT_EQ(batch % 4, 0);
    EXPECT_NEAR(static_cast<double>(batch), 1024 * (n / 2e5) / 64, 2.0);  // half a multiple of 4
    EXPECT_EQ(run.config.optimizer.schedule.warmup_steps, std::llround(8192.0 / static_cast<double>(batch * 64)));
    EXPECT_EQ(run.config.optimizer.schedule.horizon, std::llround(1.5 * static_cast<double>(run.config.train.steps)));
    EXPECT_EQ(run.flops_6nd, 6.0 * n * run.tokens);
  }
}

TEST(Study, BudgetsBranchOffTheLongestRunWhereTheirDecayBegins) {
  const std::string study =
      std::string(kBase) + "models: [{layers: 2}]\nbudgets: {tokens: [1.024e+6, 5.12e+5, 2.048e+6], branch: true}\n";
  const auto r = load(study, {"base.optimizer.schedule.kind=wsd", "base.optimizer.schedule.decay_fraction=0.25"});
  ASSERT_EQ(r.problems, "");
  ASSERT_EQ(r.study.runs.size(), 1U);
  const StudyRun& trunk = r.study.runs[0];
  EXPECT_EQ(trunk.config.train.steps, 4000);
  ASSERT_EQ(trunk.branches.size(), 2U);
  EXPECT_EQ(trunk.branches[0].config.train.steps, 1000);
  EXPECT_EQ(trunk.branches[0].from_step, 750);
  EXPECT_EQ(trunk.branches[1].from_step, 1500);
  EXPECT_EQ(trunk.branches[1].hash, hash_of(trunk.branches[1].config));
  // Up to there both have the same learning rate, and not beyond.
  for (const StudyBranch& branch : trunk.branches) {
    const auto& own = branch.config;
    const auto& whole = trunk.config;
    for (std::int64_t step = 0; step < branch.from_step; ++step) {
      EXPECT_EQ(schedule_factor(own.optimizer.schedule, step, own.train.steps),
                schedule_factor(whole.optimizer.schedule, step, whole.train.steps));
    }
    EXPECT_LT(schedule_factor(own.optimizer.schedule, branch.from_step + 1, own.train.steps),
              schedule_factor(whole.optimizer.schedule, branch.from_step + 1, whole.train.steps));
  }
  // A branch is the same run as one that is made from its beginning.
  const auto alone = load(study, {"base.optimizer.schedule.kind=wsd", "base.optimizer.schedule.decay_fraction=0.25",
                                  "budgets.branch=false"});
  ASSERT_EQ(alone.study.runs.size(), 3U);
  EXPECT_EQ(alone.study.runs[2].hash, trunk.branches[0].hash);
  EXPECT_NE(load(study).problems.find("only under base.optimizer.schedule.kind wsd"), std::string::npos);
  EXPECT_NE(load(study, {"rules.lr.tokens_exponent=0.1"}).problems.find("would tell them apart"), std::string::npos);
}

TEST(Study, TheGridVariesAnyOtherSetting) {
  const auto r = load(std::string(kBase) +
                      "models: [{layers: 2}]\nbudgets: {tokens: [1.0e+6]}\n"
                      "grid: [{set: optimizer.beta2, to: [0.9, 0.99]}, {set: model.tied, to: [true, false]}]\n");
  ASSERT_EQ(r.problems, "");
  ASSERT_EQ(r.study.runs.size(), 4U);
  std::set<std::pair<double, bool>> seen;
  for (const StudyRun& run : r.study.runs) {
    seen.insert({run.config.optimizer.beta2, run.config.model.architecture.tied});
    EXPECT_NE(run.name.find("-beta2=0.9"), std::string::npos) << run.name;
  }
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_NE(
      load(std::string(kBase) + "models: [{}]\nbudgets: {tokens: [1.0e+6]}\ngrid: [{set: train.steps, to: [3]}]\n")
          .problems.find("train.steps is set by budgets already"),
      std::string::npos);
}

TEST(Study, TheSameRunIsMadeOnceAndBudgetsOutsideTheRatiosNot) {
  const auto r = load(std::string(kBase) +
                      "models: [{layers: 2}]\n"
                      "budgets: {tokens: [1.0e+6, 1000001, 2.0e+9], most_tokens_per_parameter: 100}\n");
  ASSERT_EQ(r.problems, "");
  EXPECT_EQ(r.study.runs.size(), 1U);
  ASSERT_EQ(r.study.notes.size(), 2U);
  EXPECT_NE(r.study.notes[0].find("left out"), std::string::npos);
  EXPECT_NE(r.study.notes[1].find("the same run as"), std::string::npos);
}

TEST(Study, AFamilyIsLabelledByShapeAndCountedAsItIs) {
  const auto r = load(
      "base: {model: {preset: gpt2_124m, vocabulary: 32000}, train: {sequence: 1024}}\n"
      "models: [{table: chinchilla_a9, sizes: [44, 3530]}]\nbudgets: {tokens_per_parameter: [20]}\n");
  ASSERT_EQ(r.problems, "");
  ASSERT_EQ(r.study.runs.size(), 2U);
  const StudyRun& small = r.study.runs[1];
  EXPECT_EQ(shape_name(small.config.model.architecture), "8x512");
  // 8 layers of 12 D^2, 32,000 and 1,024 rows of D, norms and biases: not the printed 44M.
  EXPECT_EQ(small.parameters_total, 8 * (12.0 * 512 * 512 + 13 * 512) + (32000 + 1024) * 512.0 + 2 * 512);
  EXPECT_NEAR(small.parameters_chinchilla, 44e6, 0.44e6);
  EXPECT_EQ(shape_name(r.study.runs[0].config.model.architecture), "36x2688 (22 heads of 128)");
}

TEST(Study, AllThatCannotBeIsSaidAtOnceWithItsPlace) {
  EXPECT_EQ(load("base:\n  train: {sequence: many}\nmodels: []\nbudgets:\n  flops: [-1]\nseeds: [0.5]\nretires: 2\n")
                .problems,
            "5 problems in the configuration:\n"
            "  x.yaml:2: base.train.sequence is many; expected a whole number, without quotes, underscores or leading "
            "zeros\n"
            "  x.yaml:5: budgets.flops = -1 is out of bounds; expected above 0\n"
            "  x.yaml:7: unknown setting 'retires'; did you mean 'retries'?\n"
            "  x.yaml:3: models is empty; expected presets, shapes, rows of a table or depths\n"
            "  x.yaml:6: seeds has 0.5; expected whole numbers up to 2^53");
  EXPECT_EQ(
      load(std::string(kBase) + "models:\n  - {width: 100, head_size: 32}\nbudgets: {tokens: [1.0e+6]}\n").problems,
      "x.yaml:6: width = 100 is not a whole number of heads: 3 of size 32; choose heads or head_size so that "
      "they divide it, or give both");
  // What is wrong with a run is said of the first one.
  EXPECT_EQ(load(std::string(kBase) + "models: [{layers: 2}]\nbudgets: {tokens: [100]}\n").problems,
            "x.yaml:4: optimizer.schedule.warmup_steps = 2 is more than train.steps = 1");
  EXPECT_NE(load("models: [{preset: tiny_lama}]\nbudgets: {tokens: [1.0e+6]}\n").problems.find("'tiny_llama'"),
            std::string::npos);
}

TEST(Study, RunsAreSizedByMemoryOrTime) {
  const std::string study =
      "base: {model: {preset: llama32_1b}, train: {sequence: 2048, global_batch: 32}, precision: bf16}\n"
      "models: [{preset: llama32_1b}, {preset: llama31_8b}]\nbudgets: {tokens: [1.0e+9]}\n";
  const auto h100 = find_machine("h100", 1);
  auto by_memory = load(study, {"ranks.choice=memory"});
  ASSERT_EQ(by_memory.problems, "");
  Problems problems;
  size_runs(by_memory.study, h100, 8, problems);
  ASSERT_TRUE(problems.empty());
  // 16 bytes a parameter (bf16 copy and gradients, fp32 masters and moments) at least: 8B fit on no one of 80 GB.
  const auto& small = by_memory.study.runs[1];
  const auto& large = by_memory.study.runs[0];
  EXPECT_EQ(small.ranks, 1);
  EXPECT_GT(large.ranks, 1);
  EXPECT_GE(static_cast<double>(large.ranks) * 80e9, 16 * 8.03e9);
  EXPECT_EQ(large.config.mesh.ranks(), large.ranks);
  EXPECT_GT(large.config.train.micro_batch, 0);
  EXPECT_GT(large.seconds, small.seconds);
  EXPECT_EQ(small.hash, hash_of(small.config));  // ranks are no part of what a run is
  auto by_time = load(study, {"ranks.choice=time", fmt::format("ranks.seconds={}", 0.6 * small.seconds)});
  size_runs(by_time.study, h100, 8, problems);
  ASSERT_TRUE(problems.empty());
  EXPECT_GT(by_time.study.runs[1].ranks, 1);
  EXPECT_EQ(by_time.study.runs[0].ranks, 8);
  auto fixed = load(study, {"ranks.each=16"});
  size_runs(fixed.study, h100, 8, problems);
  EXPECT_FALSE(problems.empty());
}

TEST(Study, TheBasesFileIsUnderItsOtherSettings) {
  const auto file = fs::temp_directory_path() / "trireme_study_test_base.yaml";
  std::ofstream(file) << "model: {preset: tiny_gpt2, vocabulary: 500}\ntrain: {sequence: 32, global_batch: 4}\n"
                         "optimizer: {beta2: 0.9}\n";
  const auto study =
      "base: {file: " + file.string() +
      ", train: {global_batch: 16}}\nmodels: [{width: 64, head_size: 16}]\nbudgets: {tokens: [1.0e+6]}\n";
  const auto r = load(study);
  ASSERT_EQ(r.problems, "");
  ASSERT_EQ(r.study.runs.size(), 1U);
  const RunConfig& config = r.study.runs[0].config;
  EXPECT_EQ(config.train.global_batch, 16);
  EXPECT_EQ(config.train.sequence, 32);
  EXPECT_EQ(config.optimizer.beta2, 0.9);
  EXPECT_EQ(config.model.architecture.vocabulary, 500);
  EXPECT_EQ(config.model.architecture.heads, 4);
  EXPECT_EQ(config.model.architecture.feed_forward, 256);
  std::ofstream(file) << "train:\n  stepz: 3\n";
  EXPECT_NE(load(study).problems.find(file.string() + ":2: unknown setting 'train.stepz'"), std::string::npos)
      << load(study).problems;
  EXPECT_NE(load("base: {file: no-such.yaml}\nmodels: [{}]\nbudgets: {tokens: [1]}\n").problems.find("no-such.yaml"),
            std::string::npos);
}

TEST(StudyNames, AreShortAndSafe) {
  EXPECT_EQ(short_number(865152), "865k");
  EXPECT_EQ(short_number(999600), "1M");
  EXPECT_EQ(short_number(1.234e6), "1.23M");
  EXPECT_EQ(short_number(20e6), "20M");
  EXPECT_EQ(short_number(7), "7");
  EXPECT_EQ(short_number(5e16), "50000T");
  EXPECT_EQ(file_name_part("shards=[a/b c]"), "shards=_a_b_c_");
}

}  // namespace
}  // namespace trireme
