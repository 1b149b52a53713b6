// SPDX-License-Identifier: Apache-2.0
#include "launch/run_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/train/loss_picture.h"
#include "core/train/metrics.h"
#include "launch/study_curves.h"

namespace trireme {
namespace {

TEST(SmoothedLoss, IsHalfAGaussianThatEndsAtTheLastStep) {
  EXPECT_TRUE(std::isnan(smoothed_loss(std::vector<double>{})));
  EXPECT_DOUBLE_EQ(smoothed_loss(std::vector{5.0}), 5.0);
  // Width 3: weights exp(-1/18), exp(-4/18), ... of the steps before the last.
  const double one = std::exp(-1.0 / 18);
  const double two = std::exp(-4.0 / 18);
  EXPECT_NEAR(smoothed_loss(std::vector{1.0, 2.0, 3.0}), (1.0 * two + 2.0 * one + 3.0) / (two + one + 1.0), 1e-15);
  EXPECT_NEAR(smoothed_loss(std::vector<double>{1.0, NAN, 3.0}), (1.0 * two + 3.0) / (two + 1.0), 1e-15);
  // Of a long run a hundredth: what lies three hundredths back does not count.
  std::vector<double> losses(1000, 4.0);
  std::fill(losses.begin(), losses.end() - 31, 100.0);
  EXPECT_DOUBLE_EQ(smoothed_loss(losses), 4.0);
  losses[1000 - 31] = 100.0;
  EXPECT_GT(smoothed_loss(losses), 4.0);
}

TEST(SmoothedLoss, IsWiderWhereThatIsAskedFor) {
  std::vector<double> losses(100, 4.0);
  losses[100 - 31] = 100.0;  // three widths of ten back
  EXPECT_DOUBLE_EQ(smoothed_loss(losses), 4.0);
  EXPECT_GT(smoothed_loss(losses, 10), 4.0);
}

TEST(CurveSteps, AreEvenInTheLogarithmAndEndWithTheRun) {
  EXPECT_TRUE(curve_steps(0).empty());
  EXPECT_EQ(curve_steps(1), std::vector<std::int64_t>{1});
  for (const std::int64_t steps : {5, 100, 5000}) {
    const auto all = curve_steps(steps);
    EXPECT_EQ(all.back(), steps);
    EXPECT_EQ(all.front(), std::max<std::int64_t>(1, steps / 50));
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_GT(all[i], all[i - 1]);
  }
  EXPECT_EQ(curve_steps(5000).size(), static_cast<std::size_t>(kCurvePoints));
}

TEST(RunMetrics, TellOfSetsAndExams) {
  auto pattern = (std::filesystem::temp_directory_path() / "trireme-metrics-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const auto path = (folder / "metrics.jsonl").string();
  {
    MetricsLog log(path, 0);
    StepMetrics step;
    step.step = 1;
    step.loss = 3.0;
    log.write(step);
    log.write_validation(1, 2.5, 16, {{"wiki", 2.0}, {"crawl", 3.0}});
    log.write_exam(1, {"mmlu", 5, 40, 0.375, 1.25});
  }
  const auto metrics = read_metrics(path);
  EXPECT_EQ(metrics.steps, 1);
  EXPECT_EQ(metrics.losses, std::vector{3.0});
  EXPECT_EQ(metrics.validation_loss, 2.5);
  EXPECT_EQ(metrics.validation_sets, (std::map<std::string, double>{{"crawl", 3.0}, {"wiki", 2.0}}));
  ASSERT_TRUE(metrics.exam);
  EXPECT_EQ(metrics.exam->questions, 40);
  EXPECT_EQ(metrics.exam->shots, 5);
  EXPECT_EQ(metrics.exam->accuracy, 0.375);
  EXPECT_EQ(metrics.exam->task_loss, 1.25);
  EXPECT_EQ(read_loss_curve(path).training.size(), 1U);
  std::filesystem::remove_all(folder);
}

TEST(RunMetrics, OfNoFileAreNone) {
  const auto none = read_metrics("/nowhere/metrics.jsonl");
  EXPECT_EQ(none.steps, 0);
  EXPECT_TRUE(none.losses.empty());
  EXPECT_TRUE(std::isnan(none.validation_loss));
}

}  // namespace
}  // namespace trireme
