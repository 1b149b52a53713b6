// SPDX-License-Identifier: Apache-2.0
#include "launch/run_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

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

TEST(RunMetrics, OfNoFileAreNone) {
  const auto none = read_metrics("/nowhere/metrics.jsonl");
  EXPECT_EQ(none.steps, 0);
  EXPECT_TRUE(none.losses.empty());
  EXPECT_TRUE(std::isnan(none.validation_loss));
}

}  // namespace
}  // namespace trireme
