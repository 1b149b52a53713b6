// SPDX-License-Identifier: Apache-2.0
#include "launch/time_limit.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace trireme {
namespace {

std::string in_seconds(std::int64_t seconds) { return std::to_string(std::time(nullptr) + seconds); }

TEST(TimeLimit, IsNoneUnlessGiven) {
  EXPECT_FALSE(TimeLimit(0, nullptr).near(1e6));
  for (const char* nonsense : {"", "soon", "-5", "12x", "99999999999999999999", "9000000000000000000"}) {
    EXPECT_FALSE(TimeLimit(0, nonsense).near(1e6)) << nonsense;
  }
  EXPECT_FALSE(TimeLimit(1e300, nullptr).near(1e6));
}

TEST(TimeLimit, OfTheUserLeavesTimeForTwoCheckpoints) {
  const TimeLimit limit(1000, nullptr);
  EXPECT_FALSE(limit.near(0));
  EXPECT_FALSE(limit.near(450));
  EXPECT_TRUE(limit.near(550));
  EXPECT_TRUE(TimeLimit(1e-9, nullptr).near(0));
}

TEST(TimeLimit, OfTheJobLeavesAMinuteMore) {
  EXPECT_FALSE(TimeLimit(0, in_seconds(1000).c_str()).near(400));
  EXPECT_TRUE(TimeLimit(0, in_seconds(1000).c_str()).near(480));
  EXPECT_TRUE(TimeLimit(0, in_seconds(50).c_str()).near(0));
  EXPECT_TRUE(TimeLimit(0, in_seconds(-50).c_str()).near(0));
  EXPECT_FALSE(TimeLimit(0, in_seconds(100).c_str()).near(0));
}

}  // namespace
}  // namespace trireme
