// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "launch/run.h"

namespace trireme {
namespace {

TEST(RankThreads, BoundRanksUseTheCoresThatTheyHaveForThemselves) {
  const std::vector<RankHome> homes = {
      {0, "a", 0, "0-7"}, {0, "a", 1, "8-15"}, {1, "b", 0, "0-7"}, {1, "b", 1, "8-15"}};
  for (int rank = 0; rank < 4; ++rank) EXPECT_EQ(rank_threads(homes, rank, 8), 8);
}

TEST(RankThreads, RanksThatAreNotBoundShareTheNode) {
  const std::vector<RankHome> homes = {
      {0, "a", 0, "0-15"}, {0, "a", 1, "0-15"}, {0, "a", 2, "0-15"}, {1, "b", 0, "0-15"}};
  EXPECT_EQ(rank_threads(homes, 0, 16), 5);
  EXPECT_EQ(rank_threads(homes, 3, 16), 16);
}

TEST(RankThreads, MoreRanksThanCoresHaveOneThreadEach) {
  const std::vector<RankHome> homes(4, {0, "a", 0, "0"});
  EXPECT_EQ(rank_threads(homes, 1, 1), 1);
}

}  // namespace
}  // namespace trireme
