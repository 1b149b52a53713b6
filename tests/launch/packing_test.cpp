// SPDX-License-Identifier: Apache-2.0
#include "launch/packing.h"

#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trireme {
namespace {

TEST(Packing, StartsTheFirstThatFitsWheneverRanksAreFree) {
  // Four ranks: 0 takes two of them, 1 all four must wait, 2 and 3 run beside 0.
  const std::vector<Packet> packets = {{2, 10}, {4, 5}, {1, 4}, {1, 7}};
  const auto p = pack(packets, 4);
  ASSERT_EQ(p.placements.size(), 4U);
  EXPECT_EQ(p.placements[0].packet, 0U);
  EXPECT_EQ(p.placements[0].first_rank, 0);
  EXPECT_EQ(p.placements[1].packet, 2U);
  EXPECT_EQ(p.placements[1].first_rank, 2);
  EXPECT_EQ(p.placements[2].packet, 3U);
  EXPECT_EQ(p.placements[2].first_rank, 3);
  EXPECT_EQ(p.placements[3].packet, 1U);
  EXPECT_EQ(p.placements[3].begin, 10);
  EXPECT_EQ(p.seconds, 15);
  EXPECT_DOUBLE_EQ(p.utilisation, (20.0 + 20 + 4 + 7) / 60);
}

TEST(Packing, BlocksBeginAtMultiplesOfTheirSize) {
  EXPECT_EQ(free_block({true, false, false, false}, 2), 2);
  EXPECT_EQ(free_block({false, false, true, false}, 2), 0);
  EXPECT_EQ(free_block({true, false, false, true}, 2), -1);
  EXPECT_EQ(free_block({false, false, false}, 2), 0);
  EXPECT_EQ(free_block({false}, 2), -1);
}

TEST(Packing, NoRankDoesTwoThingsAndListSchedulingsBoundHolds) {
  const Random random(1, "packing");
  for (std::uint64_t table = 0; table < 50; ++table) {
    std::vector<Packet> packets;
    double work = 0;
    double longest = 0;
    for (std::uint64_t i = 0; i < 40; ++i) {
      const auto bits = static_cast<std::int64_t>(random.uniform(table * 100 + i) * 4);
      const double seconds = 1 + 20 * random.uniform(table * 100 + 50 + i);
      packets.push_back({std::int64_t{1} << bits, seconds});
      work += seconds * static_cast<double>(packets.back().ranks);
      longest = std::max(longest, seconds);
    }
    const auto p = pack(packets, 8);
    ASSERT_EQ(p.placements.size(), packets.size());
    for (std::size_t i = 0; i < p.placements.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        const auto& a = p.placements[i];
        const auto& b = p.placements[k];
        const bool apart = a.first_rank + packets[a.packet].ranks <= b.first_rank ||
                           b.first_rank + packets[b.packet].ranks <= a.first_rank || a.begin >= b.end ||
                           b.begin >= a.end;
        EXPECT_TRUE(apart) << i << " and " << k;
      }
    }
    EXPECT_GE(p.seconds, std::max(work / 8, longest));
    EXPECT_NEAR(p.utilisation * p.seconds * 8, work, 1e-9 * work);
  }
}

TEST(Packing, RefusesWhatIsWiderThanTheAllocation) {
  const std::vector<Packet> packets = {{4, 1}};
  EXPECT_THROW(pack(packets, 2), Error);
  EXPECT_EQ(pack({}, 2).utilisation, 0);
}

}  // namespace
}  // namespace trireme
