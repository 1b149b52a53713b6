// SPDX-License-Identifier: Apache-2.0
#include "core/base/status_board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace trireme {
namespace {

Collective call(std::uint64_t number) {
  return {.group = short_name("a group of a very long name"), .number = number, .bytes = number * 3};
}

TEST(StatusBoard, ShowsWhatRunsAndWhatEndedLast) {
  StatusBoard board;
  EXPECT_TRUE(board.snapshot().running.empty());
  EXPECT_FALSE(board.snapshot().any_ended);
  board.begin(call(1));
  board.begin(call(2));
  board.end(call(1));
  const auto seen = board.snapshot();
  ASSERT_EQ(seen.running.size(), 1U);
  EXPECT_EQ(seen.running[0].collective.number, 2U);
  EXPECT_STREQ(seen.running[0].collective.group.data(), "a group of a ve");
  EXPECT_EQ(seen.last_ended.number, 1U);
}

TEST(StatusBoard, GivesEachOccasionItsOwnNumber) {
  StatusBoard board;
  board.begin(call(1));
  const auto first = board.snapshot().running.at(0).id;
  board.end(call(1));
  board.begin(call(1));
  EXPECT_NE(board.snapshot().running.at(0).id, first);
}

TEST(StatusBoard, OutlastsMoreCallsThanItCanShow) {
  StatusBoard board;
  for (std::uint64_t i = 1; i <= 100; ++i) board.begin(call(i));
  EXPECT_EQ(board.snapshot().running.size(), 32U);
  for (std::uint64_t i = 1; i <= 100; ++i) board.end(call(i));
  EXPECT_TRUE(board.snapshot().running.empty());
}

TEST(StatusBoard, TellsThePhaseOfTheDeviceWhileTraining) {
  StatusBoard board;
  board.enter(Phase::training);
  board.device_enters(Phase::reduce);
  EXPECT_EQ(board.snapshot().phase, Phase::reduce);
  const auto before = board.snapshot();
  {
    const PhaseScope scope(board, Phase::data);
    EXPECT_EQ(board.snapshot().phase, Phase::data);
    EXPECT_TRUE(board.snapshot().in_data);
  }
  EXPECT_EQ(board.snapshot().phase, Phase::reduce);
  EXPECT_GT(board.snapshot().host_changes, before.host_changes);
  const auto host = board.snapshot().host_changes;
  board.device_enters(Phase::optimizer);
  EXPECT_EQ(board.snapshot().host_changes, host);
}

TEST(StatusBoard, IsNeverReadHalfWritten) {
  StatusBoard board;
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (std::uint64_t t = 0; t < 2; ++t) {
    writers.emplace_back([&, t] {
      for (std::uint64_t i = 1; !stop; ++i) {
        board.begin(call(2 * i + t));
        board.end(call(2 * i + t));
      }
    });
  }
  for (int i = 0; i < 20000; ++i) {
    const auto seen = board.snapshot();
    for (const auto& running : seen.running) EXPECT_EQ(running.collective.bytes, 3 * running.collective.number);
    if (seen.any_ended) {
      EXPECT_EQ(seen.last_ended.bytes, 3 * seen.last_ended.number);
    }
  }
  stop = true;
  for (auto& writer : writers) writer.join();
}

}  // namespace
}  // namespace trireme
