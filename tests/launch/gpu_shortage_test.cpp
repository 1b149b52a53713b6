// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "launch/run.h"

namespace trireme {
namespace {

const std::vector<RankHome> kHomes = {{0, "a", 0, "0-7"}, {0, "a", 1, "0-7"}, {2, "b", 0, "0-7"}, {2, "b", 1, "0-7"}};

TEST(GpuShortage, IsNoneWhereEachRankHasItsOwn) {
  EXPECT_EQ(shortage_of_gpus(kHomes, {"0000:1b:00.0", "0000:3c:00.0", "0000:1b:00.0", "0000:3c:00.0"}), "")
      << "the same address on another node is another GPU";
}

TEST(GpuShortage, NamesARankWithout) {
  EXPECT_EQ(shortage_of_gpus(kHomes, {"0000:1b:00.0", "0000:3c:00.0", "0000:1b:00.0", ""}),
            "rank 3 on b sees no GPU that this binary can use");
  EXPECT_EQ(shortage_of_gpus(kHomes, {"", "", "", ""}), "rank 0 on a sees no GPU that this binary can use");
}

TEST(GpuShortage, CountsRanksAndGpusOfTheNode) {
  EXPECT_EQ(shortage_of_gpus(kHomes, {"0000:1b:00.0", "0000:3c:00.0", "0000:1b:00.0", "0000:1b:00.0"}),
            "2 ranks on b see 1 GPU: ranks 2 and 3 would share the one at 0000:1b:00.0");
}

}  // namespace
}  // namespace trireme
