// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include "core/base/error.h"
#include "parallel/parallel.h"
#include "tests/parallel/group_oracle.h"
#include "tests/parallel/part_oracle.h"
#include "tests/parallel/queue_stream.h"

namespace trireme {
namespace {

using Expectation = void (*)(Group&);
constexpr Expectation kAll[] = {expect_reductions, expect_gathers,     expect_broadcasts, expect_host_calls,
                                expect_tickets,    expect_two_streams, expect_refusals};

TEST(SelfGroup, IsAGroupOfOne) {
  const auto group = make_self_group("tensor");
  EXPECT_EQ(group->name(), "tensor");
  EXPECT_EQ(group->size(), 1);
  EXPECT_EQ(group->rank(), 0);
  for (const Expectation expectation : kAll) expectation(*group);
}

class ThreadGroups : public testing::TestWithParam<int> {};

TEST_P(ThreadGroups, AreGroups) {
  std::atomic<int> ranks{0};
  run_thread_ranks(GetParam(), [&](Group& group) {
    EXPECT_EQ(group.size(), GetParam());
    ranks += 1 << group.rank();
    for (const Expectation expectation : kAll) expectation(group);
  });
  EXPECT_EQ(ranks, (1 << GetParam()) - 1);
}

TEST_P(ThreadGroups, AreWorldsWithPartsAndADesk) {
  run_thread_world(GetParam(), [](World& world) {
    expect_parts(world);
    expect_part_refusals(world);
    expect_desk(world);
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, ThreadGroups, testing::Values(1, 2, 3, 4));

/// What run_thread_ranks throws when rank 1 throws "boom" and the others do `rest`.
std::string message_of(int ranks, const std::function<void(Group&)>& rest) {
  try {
    run_thread_ranks(ranks, [&](Group& group) {
      if (group.rank() == 1) throw std::runtime_error("boom");
      rest(group);
    });
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

TEST(ThreadGroupErrors, OfOneRankEndAllRanksAndAreTheOnesReported) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(message_of(3, [](Group& group) { group.barrier(); }), "boom");
  EXPECT_EQ(message_of(4,
                       [](Group& group) {
                         QueueStream stream;
                         float x = 1.0F;
                         group.all_reduce(stream, {&x, Dtype::f32, {1}});
                         stream.synchronize();
                       }),
            "boom");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30)) << "waited for the timeout";
}

TEST(ThreadGroupErrors, DifferentCallsAreNamed) {
  try {
    run_thread_ranks(2, [](Group& group) {
      if (group.rank() == 0) {
        group.barrier();
      } else {
        group.host_gather("x");
      }
    });
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("barrier"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("host_gather"), std::string::npos) << e.what();
  }
}

TEST(ThreadGroupErrors, UnsupportedDtypesAreRefused) {
  EXPECT_THROW(run_thread_ranks(2,
                                [](Group& group) {
                                  QueueStream stream;
                                  std::uint16_t x = 1;
                                  group.all_reduce(stream, {&x, Dtype::u16, {1}});
                                  stream.synchronize();
                                }),
               Error);
}

}  // namespace
}  // namespace trireme
