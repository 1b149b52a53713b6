// SPDX-License-Identifier: Apache-2.0
// When ranks are told to hang, and whose fault it is: the rule, without processes.
#include "parallel/verdict.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

constexpr double kSeconds = 10;

Collective reduce_812() {
  return {.group = short_name("replica"), .size = 2, .number = 812, .bytes = 64, .kind = CollectiveKind::all_reduce};
}

RankView waiting(double seconds) {
  return {.host = "node1",
          .line = {.beat = 9,
                   .step = 7,
                   .still = seconds,
                   .host_still = seconds,
                   .waits = seconds,
                   .collective = reduce_812(),
                   .phase = Phase::reduce}};
}

RankView busy(double still, Phase phase = Phase::evaluation) {
  auto collective = reduce_812();
  collective.number = 811;
  return {
      .host = "node2",
      .line = {.beat = 9, .step = 7, .still = still, .host_still = still, .collective = collective, .phase = phase}};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Verdict, NoneWhileNobodyHasWaitedTooLong) {
  const std::vector<RankView> ranks{waiting(9.9), busy(1000)};
  EXPECT_FALSE(judge(ranks, 0, kSeconds));
  auto gone = busy(0);
  gone.silent = 1000;
  const std::vector<RankView> others{busy(1), gone};
  EXPECT_FALSE(judge(others, 0, kSeconds)) << "nobody needs it yet";
}

TEST(Verdict, NoneWhileTheOneThatIsWaitedForShowsProgress) {
  const std::vector<RankView> ranks{waiting(1000), busy(9.9), waiting(1000)};
  EXPECT_FALSE(judge(ranks, 0, kSeconds));
}

TEST(Verdict, NamesTheSilent) {
  auto gone = busy(0);
  gone.silent = 12;
  const std::vector<RankView> ranks{waiting(11), waiting(3), gone};
  const auto verdict = judge(ranks, 1, kSeconds);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->culprits, std::vector{2});
  EXPECT_EQ(verdict->speaker, 0);
  EXPECT_TRUE(has(verdict->text,
                  "rank 2 on node2 has not answered for 12 s (stopped, dead or cut off); the others wait in all_reduce "
                  "#812 of the replica group\n"))
      << verdict->text;
  EXPECT_TRUE(has(verdict->text,
                  "\n  rank 1 on node1: step 7, reduce, in all_reduce #812 of the replica group (2 "
                  "ranks from rank 0), 64 bytes, for 3.0 s\n"))
      << verdict->text;
  EXPECT_TRUE(has(verdict->text, "\n  rank 2 on node2: step 7, evaluation, last all_reduce #811 ")) << verdict->text;
  EXPECT_TRUE(has(verdict->text, "; silent for 12.0 s")) << verdict->text;
}

TEST(Verdict, LetsTheLowestRankThatAnswersSpeak) {
  auto gone = busy(0);
  gone.silent = 12;
  const std::vector<RankView> ranks{gone, gone, waiting(11), waiting(11)};
  const auto verdict = judge(ranks, 3, kSeconds);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->speaker, 2);
  EXPECT_TRUE(has(verdict->text, "ranks 0, 1 on node2 have not answered")) << verdict->text;
}

TEST(Verdict, NamesTheStuck) {
  const std::vector<RankView> ranks{busy(11, Phase::checkpoint), waiting(11)};
  const auto verdict = judge(ranks, 1, kSeconds);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->culprits, std::vector{0});
  EXPECT_TRUE(has(verdict->text, "rank 0 on node2 has been in checkpoint for 11 s without progress; rank 1 waits in"))
      << verdict->text;
}

TEST(Verdict, BlamesTheDataEvenWhereAStreamOfThatRankWaits) {
  auto stuck = waiting(11);
  stuck.line.in_data = true;
  stuck.line.phase = Phase::data;
  const std::vector<RankView> ranks{waiting(11), stuck};
  const auto verdict = judge(ranks, 0, kSeconds);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->culprits, std::vector{1});
  EXPECT_TRUE(has(verdict->text, "rank 1 on node1 has been in data for 11 s")) << verdict->text;
}

TEST(Verdict, ShowsWhereAllWait) {
  auto elsewhere = waiting(20);
  elsewhere.line.collective.kind = CollectiveKind::all_gather;
  elsewhere.line.collective.group = short_name("shard");
  const std::vector<RankView> ranks{waiting(11), elsewhere};
  const auto verdict = judge(ranks, 0, kSeconds);
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->culprits.empty());
  EXPECT_TRUE(has(verdict->text,
                  "all ranks have waited for one another for 20 s, in all_reduce #812 of the replica group and "
                  "all_gather #812 of the shard group\n"))
      << verdict->text;
}

TEST(Verdict, CountsOneThatIsBackAsProgress) {
  const std::vector<RankView> ranks{waiting(11), waiting(2)};
  EXPECT_FALSE(judge(ranks, 0, kSeconds)) << "rank 1 was late, and has come";
}

}  // namespace
}  // namespace trireme
