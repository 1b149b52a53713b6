// SPDX-License-Identifier: Apache-2.0
#include "launch/run_queue.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trireme {
namespace {

using Ranks = std::vector<int>;

/// "run: ranks" of every start, in order.
std::vector<std::pair<std::size_t, Ranks>> started(RunQueue& queue) {
  std::vector<std::pair<std::size_t, Ranks>> all;
  for (const auto& start : queue.starts()) all.emplace_back(start.run, start.ranks);
  return all;
}

const std::vector<std::int64_t> kFour{0, 1, 2, 3};

RunQueue free_queue(std::vector<QueuedRun> runs, const std::vector<std::int64_t>& order = kFour) {
  RunQueue queue(std::move(runs), order);
  for (int r = 0; r < static_cast<int>(order.size()); ++r) queue.is_free(r);
  return queue;
}

TEST(RunQueue, StartsTheFirstThatFitsOnNeighbours) {
  auto queue = free_queue({{1}, {2}, {2}, {1}});
  using Starts = std::vector<std::pair<std::size_t, Ranks>>;
  EXPECT_EQ(started(queue), (Starts{{0, {0}}, {1, {2, 3}}, {3, {1}}})) << "run 2 waits for two neighbours";
  EXPECT_EQ(queue.running(), 3U);
  EXPECT_EQ(queue.waiting(), 1U);
  queue.ended(0);
  queue.is_free(0);
  EXPECT_TRUE(queue.starts().empty());
  queue.ended(3);
  queue.is_free(1);
  EXPECT_EQ(started(queue), (Starts{{2, {0, 1}}}));
}

TEST(RunQueue, GivesNothingToRanksThatHaveNotAsked) {
  RunQueue queue({{1}, {2}}, kFour);
  EXPECT_TRUE(queue.starts().empty());
  queue.is_free(3);
  EXPECT_EQ(queue.starts().at(0).ranks, Ranks{3});
}

TEST(RunQueue, CountsRanksNodeByNode) {
  // Ranks 0 and 2 share a node, 1 and 3 another one.
  auto queue = free_queue({{2}, {2}}, {0, 2, 1, 3});
  const auto starts = queue.starts();
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0].ranks, (Ranks{0, 2}));
  EXPECT_EQ(starts[1].ranks, (Ranks{1, 3}));
}

TEST(RunQueue, ABranchWaitsForItsTrunk) {
  auto queue = free_queue({{.ranks = 1}, {.ranks = 1, .after = 0}, {.ranks = 1}});
  EXPECT_EQ(queue.starts().size(), 2U);
  EXPECT_TRUE(queue.starts().empty());
  queue.ended(0);
  EXPECT_EQ(queue.starts().at(0).run, 1U);
}

TEST(RunQueue, WhatIsToBeTriedAgainWaitsAgain) {
  auto queue = free_queue({{4}, {1}});
  EXPECT_EQ(queue.starts().at(0).ranks, (Ranks{0, 1, 2, 3}));
  queue.again(0);
  EXPECT_EQ(queue.waiting(), 2U);
  for (int r = 0; r < 4; ++r) queue.is_free(r);
  EXPECT_EQ(queue.starts().at(0).run, 0U);
}

TEST(RunQueue, RefusesRunsThatAreWiderThanTheWorld) {
  EXPECT_THROW(RunQueue({{5}}, kFour), Error);
  EXPECT_THROW(RunQueue({{0}}, kFour), Error);
}

}  // namespace
}  // namespace trireme
