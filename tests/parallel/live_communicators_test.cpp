// SPDX-License-Identifier: Apache-2.0
#include "parallel/live_communicators.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace trireme {
namespace {

TEST(LiveCommunicators, TellTheFirstErrorOfThoseThatLive) {
  LiveCommunicators all;
  EXPECT_EQ(all.first_error(), "");
  std::string trouble;
  const auto good = all.add({.error = [] { return ""; }, .abort = [] {}});
  const auto bad = all.add({.error = [&] { return trouble; }, .abort = [] {}});
  EXPECT_NE(good, bad);
  EXPECT_EQ(all.first_error(), "");
  trouble = "a link is gone";
  EXPECT_EQ(all.first_error(), "a link is gone");
  EXPECT_TRUE(all.remove(bad));
  EXPECT_FALSE(all.remove(bad));
  EXPECT_EQ(all.first_error(), "");
}

TEST(LiveCommunicators, TellHowFarTheyAre) {
  LiveCommunicators all;
  all.add({.error = [] { return ""; }, .abort = [] {}});
  LiveCommunicators::Moment moment{.begun = 3, .ended = 2, .running = Collective{.number = 3}, .last = {}};
  const auto device = all.add({.error = [] { return ""; }, .abort = [] {}, .moment = [&] { return moment; }});
  auto moments = all.moments();
  ASSERT_EQ(moments.size(), 1U) << "one has none";
  EXPECT_EQ(moments.at(device).begun, 3U);
  EXPECT_EQ(moments.at(device).running->number, 3U);
  moment.ended = 3;
  EXPECT_EQ(all.moments().at(device).ended, 3U);
  EXPECT_TRUE(all.remove(device));
  EXPECT_TRUE(all.moments().empty());
}

TEST(LiveCommunicators, AreAbortedOnce) {
  LiveCommunicators all;
  std::atomic<int> aborted{0};
  const auto count = [&aborted] { ++aborted; };
  const auto removed = all.add({.error = [] { return ""; }, .abort = count});
  const auto first = all.add({.error = [] { return "gone"; }, .abort = count});
  all.add({.error = [] { return ""; }, .abort = count});
  EXPECT_TRUE(all.remove(removed));
  all.abort_all();
  EXPECT_EQ(aborted, 2);
  EXPECT_EQ(all.first_error(), "");
  EXPECT_FALSE(all.remove(first)) << "whoever made it must know that it is gone";
  all.abort_all();
  EXPECT_EQ(aborted, 2);
}

TEST(LiveCommunicators, AnAbortThatHangsIsLeftBehind) {
  LiveCommunicators all;
  const auto done = std::make_shared<std::atomic<bool>>(false);
  all.add({.error = [] { return ""; },
           .abort =
               [done] {
                 while (!*done) std::this_thread::sleep_for(std::chrono::milliseconds(5));
               }});
  const auto start = std::chrono::steady_clock::now();
  all.abort_all();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  *done = true;
}

}  // namespace
}  // namespace trireme
