// SPDX-License-Identifier: Apache-2.0
// The laws of tables that were made up from a known one: what is fitted, what is predicted, and what counts as one run.
#include "launch/study_law.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/scaling/laws.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr ChinchillaLaw kLaw{.E = 1.5, .A = 400.0, .B = 900.0, .alpha = 0.4, .beta = 0.35};

/// A study's folder with the two tables of runs of five sizes and four budgets, `noise` off the law.
class MadeUp : public testing::Test {
 protected:
  MadeUp() {
    auto pattern = (fs::temp_directory_path() / "trireme-law-XXXXXX").string();
    study_.settings.folder = mkdtemp(pattern.data());
    study_.settings.fit.resamples = 400;
    study_.settings.base.data.validation = 0.01;
  }
  ~MadeUp() override { fs::remove_all(study_.settings.folder); }
  MadeUp(const MadeUp&) = delete;
  MadeUp& operator=(const MadeUp&) = delete;

  /// Each row of a trunk of its own, or all budgets of a size of one.
  void write(bool shared_trunks) {
    std::ofstream results(study_.settings.folder + "/results.csv");
    std::ofstream curves(study_.settings.folder + "/curves.csv");
    results << "run,status,held_out,params_total,tokens,flops_6nd,train_loss,validation_loss,trunk\n";
    curves << "run,trunk,status,held_out,params_total,tokens,flops_6nd,train_loss\n";
    const Random random(7, "made-up study");
    std::uint64_t number = 0;
    for (const double n : {1e6, 2e6, 4e6, 8e6, 1.6e7}) {
      // What a trunk does wrong is in all that leave it.
      const double of_trunk = random.normal(1000 + number);
      for (const double c : {1e15, 2e15, 4e15, 8e15}) {
        const double d = c / (6 * n);
        const double scatter = shared_trunks ? of_trunk : random.normal(number);
        const double loss = kLaw.loss(n, d) * std::exp(0.003 * scatter);
        const auto name = fmt::format("n{:g}-c{:g}", n, c);
        const auto trunk = shared_trunks ? fmt::format("n{:g}", n) : name;
        results << fmt::format("{},done,no,{},{},{},{},{},{}\n", name, n, d, c, loss + 0.1, loss, trunk);
        for (const double part : {0.25, 0.5, 1.0}) {
          curves << fmt::format("{},{},done,no,{},{},{},{}\n", name, trunk, n, part * d, part * c,
                                kLaw.loss(n, part * d) * std::exp(0.003 * scatter) + (1 - part) * 0.2);
        }
        ++number;
      }
    }
    const double n = 3e7, d = 1e10 / 6, loss = kLaw.loss(n, d);
    results << fmt::format("larger,done,yes,{},{},{},{},{},larger\n", n, d, 6 * n * d, loss, loss);
    results << fmt::format("worse,done,yes,{},{},{},{},{},worse\n", n, 2 * d, 12 * n * d, loss, 1.2 * loss);
    results << "bad,diverged,no,1e6,1e9,6e15,,,bad\n";
  }

  Study study_;
};

TEST_F(MadeUp, AllThreeApproachesAreFittedAndHeldOutRunsPredicted) {
  write(false);
  const auto law = fit_results(study_);
  EXPECT_EQ(law.fit.rows.points.size(), 20U) << "neither held-out nor diverged rows";
  EXPECT_TRUE(law.fit.envelope.fit) << law.fit.envelope.refused;
  EXPECT_TRUE(law.fit.isoflop.fit) << law.fit.isoflop.refused;
  ASSERT_EQ(law.held_out.size(), 2U);
  EXPECT_EQ(law.held_out[0].run, "larger");
  EXPECT_TRUE(law.held_out[0].within());
  EXPECT_NEAR(law.held_out[0].error(), 0, 0.02);
  EXPECT_FALSE(law.held_out[1].within()) << "20 % above the law";
  const auto text = to_text(law);
  EXPECT_NE(text.find("held out: larger"), std::string::npos) << text;
  EXPECT_NE(text.find("NOT within"), std::string::npos) << text;
  const auto json = to_json(law);
  EXPECT_EQ(json.at("held_out").at(0).at("within"), true);
  EXPECT_EQ(json.at("held_out").at(1).at("within"), false);
}

/// Five trunks with four budgets each are five witnesses.
TEST_F(MadeUp, BranchesOfOneTrunkAreDrawnTogether) {
  const auto witnesses = [](const std::vector<ScalingPoint>& points) {
    const auto numbers = run_numbers(points);
    return *std::ranges::max_element(numbers) + 1;
  };
  write(false);
  EXPECT_EQ(witnesses(fit_results(study_).fit.rows.points), 20U);
  write(true);
  const auto law = fit_results(study_);
  const auto& rows = law.fit.rows;
  EXPECT_EQ(witnesses(rows.points), 5U);
  EXPECT_EQ(witnesses(rows.curves), 5U);
  for (int number = 0; number < 20; ++number) {
    const auto draws = draw_rows({}, number, run_numbers(rows.points));
    for (std::size_t i = 0; i < draws.size(); ++i) EXPECT_EQ(draws[i], draws[i / 4 * 4]) << "rows of one size";
  }
  ASSERT_TRUE(law.fit.envelope.fit) << law.fit.envelope.refused;
  EXPECT_EQ(law.fit.envelope.fit->runs, 20U) << "each branch has a curve of its own";
}

TEST_F(MadeUp, TooFewRunsAreRefusedWithTheReason) {
  std::ofstream(study_.settings.folder + "/results.csv")
      << "run,status,held_out,params_total,tokens,flops_6nd,train_loss,validation_loss,trunk\n"
         "bad,diverged,no,1e6,1e9,6e15,,,bad\n";
  std::ofstream(study_.settings.folder + "/curves.csv") << "run,trunk,status,held_out,params_total,tokens,flops_6nd\n";
  try {
    fit_results(study_);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("no run of it is done"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace trireme
