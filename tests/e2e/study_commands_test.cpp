// SPDX-License-Identifier: Apache-2.0
// `trireme fit` and `trireme sweep --coord-check` from outside: what they print and write, exit codes, bad input; and a
// study that no memory holds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/scaling/csv.h"
#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

/// A folder to work in.
class StudyCommands : public testing::Test {
 protected:
  std::string path(const std::string& inside) const { return made_.path() + "/" + inside; }
  Outcome alone(const Words& arguments) const { return run(trireme(arguments), made_.path()); }
  Outcome ranks(int n, const Words& arguments) const { return run(trireme(n, arguments), made_.path()); }

  /// 20 runs that lie on L = 1.5 + 400/N^0.4 + 900/D^0.35, five sizes at four budgets.
  void write_law(const std::string& file, const std::string& more = "") const {
    std::string text = "params_total,tokens,loss,status\n";
    for (const double n : {1e6, 2e6, 4e6, 8e6, 1.6e7}) {
      for (const double c : {1e15, 2e15, 4e15, 8e15}) {
        const double d = c / (6 * n);
        text += fmt::format("{},{},{},done\n", n, d, 1.5 + 400 / std::pow(n, 0.4) + 900 / std::pow(d, 0.35));
      }
    }
    write_text(path(file), text + more);
  }

  TemporaryFolder made_;
};

TEST_F(StudyCommands, FitPrintsTheLawAndPredictsAndDraws) {
  write_law("runs.csv");
  const Words words{"fit",  "runs.csv",  "--resamples", "200",   "--predict",
                    "1e16", "--predict", "1e7,1e9",     "--out", "laws"};
  const auto text = alone(words);
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"approach 1: not fitted", "approach 2: parabolas", "approach 3: L = E + A/N^alpha"}) {
    EXPECT_TRUE(has(text.out, part)) << part << " in:\n" << text.out;
  }
  EXPECT_TRUE(has(read_text(path("laws/report.html")), "A budget of <b>1e16</b> FLOPs"));
  for (const char* name : {"residuals", "optimum"}) {
    EXPECT_TRUE(has(read_text(path(fmt::format("laws/pictures/{}.svg", name))), "<svg")) << name;
    EXPECT_FALSE(parse_table(read_text(path(fmt::format("laws/pictures/{}.csv", name))), name).rows.empty()) << name;
  }
  auto with_json = words;
  with_json.emplace_back("--json");
  const auto json = only_json(alone(with_json)).dump();
  EXPECT_TRUE(has(json, "\"alpha\"")) << json;
  // Without noise the law comes back: four digits of the exponents.
  const auto number = [&](const std::string& name) {
    return nlohmann::json::parse(json).at("approach_3").at(name).at("value").get<double>();
  };
  EXPECT_NEAR(number("alpha"), 0.4, 1e-4);
  EXPECT_NEAR(number("beta"), 0.35, 1e-4);
}

TEST_F(StudyCommands, FitTakesTheTrainingCurvesOfAnotherTable) {
  write_law("runs.csv");
  std::string curves = "run,params_total,tokens,loss\n";
  for (const double n : {1e6, 2e6, 4e6, 8e6, 1.6e7}) {
    for (double d = 1e8; d < 3e9; d *= 1.5) {
      curves += fmt::format("n{},{},{},{}\n", n, n, d, 1.5 + 400 / std::pow(n, 0.4) + 900 / std::pow(d, 0.35));
    }
  }
  write_text(path("curves.csv"), curves);
  const auto outcome = alone({"fit", "runs.csv", "--resamples", "100", "--curves", "curves.csv"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(has(outcome.out, "approach 1: envelope of 5 training curves")) << outcome.out;
}

TEST_F(StudyCommands, FitRefusesWhatDeterminesNoLaw) {
  const auto refused = [&](const Words& words, int code, const std::string& why) {
    const auto outcome = alone(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(has(outcome.err, why)) << why << " in:\n" << outcome.err;
  };
  write_law("runs.csv", "1e6,1e9,not-a-number,failed\n");
  refused({"fit", "nowhere.csv"}, 2, "nowhere.csv");
  refused({"fit"}, 2, "TABLE");
  refused({"fit", "runs.csv"}, 1, "runs.csv:22");
  refused({"fit", "runs.csv", "--only", "status"}, 2, "COLUMN=VALUE");
  refused({"fit", "runs.csv", "--only", "status=done", "--predict", "much"}, 2, "--predict much");
  refused({"fit", "runs.csv", "--only", "status=done", "--loss-column", "los"}, 2, "did you mean 'loss'?");
  refused({"fit", "runs.csv", "--only", "status=lost"}, 2, "no rows");
  write_text(path("two.csv"), "params_total,tokens,loss\n1e6,1e8,3\n2e6,1e8,2.9\n");
  refused({"fit", "two.csv"}, 2, "at least 6 runs");
  EXPECT_EQ(alone({"fit", "runs.csv", "--only", "status=done", "--resamples", "100"}).code, 0);
}

const std::string kWidths =
    "folder: check\n"
    "base:\n"
    "  model: {preset: tiny_gpt2, vocabulary: 64, parametrization: mup, base_width: 16}\n"
    "  train: {sequence: 16, global_batch: 2, micro_batch: 2}\n"
    "  optimizer: {lr: 0.01}\n"
    "  cpu: {threads: 1}\n"
    "models:\n"
    "  - {layers: 2, width: 16, head_size: 8}\n"
    "  - {layers: 2, width: 32, head_size: 8}\n"
    "  - {layers: 2, width: 64, head_size: 8}\n"
    "budgets: {tokens: [10000]}\n";

TEST_F(StudyCommands, CoordCheckWritesTheSameOnAnyNumberOfRanks) {
  write_text(path("study.yaml"), kWidths);
  const auto outcome = alone({"sweep", "study.yaml", "--coord-check"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(has(outcome.out, "mup: what 4 updates move grows as width^")) << outcome.out;
  EXPECT_TRUE(has(outcome.out, "standard: what 4 updates move grows as width^")) << outcome.out;
  const auto numbers = read_text(path("check/coord_check.csv"));
  EXPECT_EQ(parse_table(numbers, "coord_check.csv").rows.size(), 2U * 3U * 4U) << numbers;
  EXPECT_TRUE(has(read_text(path("check/coord_check_block.svg")), "<svg"));
  EXPECT_TRUE(has(read_text(path("check/coord_check_logits.svg")), "<svg"));
  const auto json = only_json(ranks(2, {"sweep", "study.yaml", "--coord-check", "--json"}));
  EXPECT_TRUE(json.at("exponents").contains("mup")) << json;
  EXPECT_EQ(read_text(path("check/coord_check.csv")), numbers);
  EXPECT_FALSE(fs::exists(path("check/results.csv"))) << "no run is made";
}

TEST_F(StudyCommands, CoordCheckRefusesWhatHasNoWidths) {
  EXPECT_EQ(alone({"sweep", "nowhere.yaml", "--coord-check"}).code, 2);
  write_text(path("one.yaml"),
             kWidths.substr(0, kWidths.find("  - {layers: 2, width: 32")) + "budgets: {tokens: [10000]}\n");
  const auto outcome = alone({"sweep", "one.yaml", "--coord-check"});
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "width")) << outcome.err;
  EXPECT_FALSE(fs::exists(path("check")));
}

TEST_F(StudyCommands, AllRunsThatNoMemoryHoldsAreToldBeforeAnyStarts) {
  auto study = kWidths;
  study +=
      "held_out:\n  models: [{layers: 2, width: 131072, heads: 1024}, {layers: 2, width: 262144, heads: 1024}]\n"
      "  budgets: {tokens: [20000]}\n";
  write_text(path("study.yaml"), study);
  const auto outcome =
      alone({"sweep", "study.yaml", "--set", "base.data.shards=[shards]", "--set", "base.model.vocabulary=64"});
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "2 problems")) << outcome.err;
  EXPECT_EQ(count(outcome.err, "a rank of "), 2U) << outcome.err;
  EXPECT_FALSE(fs::exists(path("check/runs"))) << "nothing is started";
}

}  // namespace
}  // namespace trireme::e2e
