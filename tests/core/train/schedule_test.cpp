// SPDX-License-Identifier: Apache-2.0
// Schedules at the points where their formulas are known by heart.
#include "core/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trireme {
namespace {

TEST(Schedule, WarmupIsLinearAndMovesAtOnce) {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine, ScheduleKind::wsd}) {
    const ScheduleConfig config{.kind = kind, .warmup_steps = 4};
    EXPECT_DOUBLE_EQ(schedule_factor(config, 0, 100), 0.25);
    EXPECT_DOUBLE_EQ(schedule_factor(config, 3, 100), 1.0);
    EXPECT_DOUBLE_EQ(schedule_factor(config, 4, 100), 1.0);
  }
}

TEST(Schedule, EndsAtTheFinalRatioAndStaysThere) {
  for (const auto kind : {ScheduleKind::linear, ScheduleKind::cosine, ScheduleKind::wsd}) {
    const ScheduleConfig config{.kind = kind, .warmup_steps = 10, .final_ratio = 0.1};
    EXPECT_NEAR(schedule_factor(config, 100, 100), 0.1, 1e-15);
    EXPECT_NEAR(schedule_factor(config, 1000, 100), 0.1, 1e-15);
  }
  EXPECT_DOUBLE_EQ(schedule_factor({.kind = ScheduleKind::constant}, 1000, 100), 1.0);
}

TEST(Schedule, HalfWayDown) {
  const auto at = [](ScheduleConfig config, std::int64_t step) {
    config.final_ratio = 0.0;
    return schedule_factor(config, step, 120);
  };
  EXPECT_DOUBLE_EQ(at({.kind = ScheduleKind::linear, .warmup_steps = 20}, 70), 0.5);
  EXPECT_DOUBLE_EQ(at({.kind = ScheduleKind::cosine, .warmup_steps = 20}, 70), 0.5);
  EXPECT_DOUBLE_EQ(at({.kind = ScheduleKind::cosine, .warmup_steps = 20}, 45), 0.5 * (1.0 + std::sqrt(0.5)));
  // The last 30 of 120 steps decay; half way through them:
  EXPECT_DOUBLE_EQ(at({.kind = ScheduleKind::wsd, .decay_fraction = 0.25}, 89), 1.0);
  EXPECT_DOUBLE_EQ(at({.kind = ScheduleKind::wsd, .decay_fraction = 0.25}, 105), 1.0 - std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(at({.kind = ScheduleKind::wsd, .decay_fraction = 0.25, .decay_shape = DecayShape::linear}, 105),
                   0.5);
}

TEST(Schedule, HorizonReplacesTheNumberOfSteps) {
  const ScheduleConfig longer{.kind = ScheduleKind::linear, .final_ratio = 0.0, .horizon = 200};
  EXPECT_DOUBLE_EQ(schedule_factor(longer, 100, 100), 0.5);
}

}  // namespace
}  // namespace trireme
