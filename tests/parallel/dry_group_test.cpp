// SPDX-License-Identifier: Apache-2.0
#include "parallel/dry_group.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "parallel/observed_group.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

/// 1 GB/s, 1 us a message, 10 us a collective.
constexpr RingLink kLink{.bytes_per_second = 1e9, .message_seconds = 1e-6, .collective_seconds = 10e-6};

class DryGroupTest : public testing::Test {
 protected:
  Tensor tensor(std::int64_t elements) {
    static float nothing = 0.0F;
    return {&nothing, Dtype::f32, {elements}};
  }
  double now() const { return device->counts().streams.at(0).now_seconds; }

  std::unique_ptr<DryDevice> device = make_dry_device({.name = "test"});
  std::unique_ptr<Stream> stream = device->make_stream("s");
};

TEST_F(DryGroupTest, GathersAndScattersAsARing) {
  const auto group = make_dry_group("shard", 3, 8, kLink);
  EXPECT_EQ(group->rank(), 3);
  EXPECT_EQ(group->size(), 8);
  EXPECT_EQ(group->name(), "shard");
  // Seven messages of 40,000 bytes.
  group->all_gather(*stream, tensor(80000), tensor(10000));
  EXPECT_NEAR(now(), 10e-6 + 7e-6 + 280e-6, 1e-12);
  group->reduce_scatter(*stream, tensor(10000), tensor(80000));
  EXPECT_NEAR(now(), 2 * 297e-6, 1e-12);
  for (const auto kind : {CollectiveKind::all_gather, CollectiveKind::reduce_scatter}) {
    const ModelledTraffic& traffic = group->traffic().at(kind);
    EXPECT_EQ(traffic.calls, 1);
    EXPECT_EQ(traffic.payload_bytes, 320000);
    EXPECT_EQ(traffic.messages, 7);
    EXPECT_EQ(traffic.ring_bytes, 280000);
    EXPECT_NEAR(traffic.seconds, 297e-6, 1e-12);
  }
  group->clear_traffic();
  EXPECT_TRUE(group->traffic().empty());
}

TEST_F(DryGroupTest, LongCollectivesTakeTheTimeToFillTheLink) {
  RingLink link = kLink;
  link.fill_seconds = 100e-6;
  link.fill_bytes = 300000;
  // Of 100,000 bytes that are sent: a quarter of the time.
  make_dry_group("shard", 0, 2, link)->all_gather(*stream, tensor(50000), tensor(25000));
  EXPECT_NEAR(now(), 10e-6 + 1e-6 + 100e-6 + 25e-6, 1e-12);
}

TEST_F(DryGroupTest, HasACommunicatorForEachStream) {
  const auto group = make_dry_group("shard", 0, 2, kLink);
  EXPECT_EQ(group->communicators(), 0);
  const auto other = device->make_stream("other");
  for (int i = 0; i < 2; ++i) {
    group->all_gather(*stream, tensor(2), tensor(1));
    group->all_reduce(*other, tensor(2), Reduction::sum);
  }
  EXPECT_EQ(group->communicators(), 2);
  const auto alone = make_dry_group("shard", 0, 1, kLink);
  alone->all_reduce(*stream, tensor(2), Reduction::sum);
  EXPECT_EQ(alone->communicators(), 0);
}

TEST_F(DryGroupTest, ReducesAsARingOrATree) {
  const auto group = make_dry_group("replica", 0, 8, kLink);
  // 14 messages of 40,000 bytes; a tree's 640,000 bytes take longer.
  group->all_reduce(*stream, tensor(80000), Reduction::sum);
  EXPECT_NEAR(now(), 10e-6 + 14e-6 + 560e-6, 1e-12);
  EXPECT_EQ(group->traffic().at(CollectiveKind::all_reduce).messages, 14);
  EXPECT_EQ(group->traffic().at(CollectiveKind::all_reduce).ring_bytes, 560000);
  // One number over 16,384 ranks: 28 messages of a tree instead of 32,766.
  const double before = now();
  const auto many = make_dry_group("replica", 16383, 16384, kLink);
  many->all_reduce(*stream, tensor(1), Reduction::max);
  EXPECT_NEAR(now() - before, 10e-6 + 28e-6 + 8e-9, 1e-12);
}

TEST_F(DryGroupTest, BroadcastsAlongTheRing) {
  const auto group = make_dry_group("world", 0, 4, kLink);
  group->broadcast(*stream, tensor(1000), 3);
  EXPECT_NEAR(now(), 10e-6 + 3e-6 + 4e-6, 1e-12);
  EXPECT_EQ(group->traffic().at(CollectiveKind::broadcast).messages, 1);
  EXPECT_EQ(group->traffic().at(CollectiveKind::broadcast).ring_bytes, 3000);
  EXPECT_THROW(group->broadcast(*stream, tensor(1), 4), Error);
}

TEST_F(DryGroupTest, OfOneRankSendsNothing) {
  const auto group = make_dry_group("tensor", 0, 1, kLink);
  group->all_reduce(*stream, tensor(8), Reduction::sum);
  group->all_gather(*stream, tensor(8), tensor(8));
  group->reduce_scatter(*stream, tensor(8), tensor(8));
  group->broadcast(*stream, tensor(8), 0);
  EXPECT_TRUE(group->traffic().empty());
  EXPECT_EQ(now(), 0.0);
}

TEST_F(DryGroupTest, RefusesWhatDoesNotFitTogether) {
  const auto group = make_dry_group("shard", 0, 4, kLink);
  EXPECT_THROW(group->all_gather(*stream, tensor(15), tensor(4)), Error);
  EXPECT_THROW(group->reduce_scatter(*stream, tensor(4), tensor(15)), Error);
  EXPECT_THROW(make_dry_group("shard", 4, 4, kLink), Error);
  EXPECT_THROW(make_dry_group("shard", 0, 0, kLink), Error);
}

TEST_F(DryGroupTest, CountsWhatAnObservedGroupCounts) {
  StatusBoard board;
  ObservedGroup observed(std::make_unique<DryGroup>("shard", 2, 3, kLink), board);
  DryGroup group("shard", 2, 3, kLink);
  for (Group* g : {static_cast<Group*>(&observed), static_cast<Group*>(&group)}) {
    g->all_reduce(*stream, tensor(10), Reduction::sum);  // 40 bytes, which three ranks cannot share evenly
    g->all_gather(*stream, tensor(30), tensor(10));
    g->reduce_scatter(*stream, tensor(10), tensor(30));
    g->broadcast(*stream, tensor(10), 1);
  }
  for (const auto& [kind, mine] : group.traffic()) {
    const Traffic::Count theirs = observed.traffic()[kind];
    EXPECT_EQ(mine.calls, theirs.calls) << name(kind);
    EXPECT_EQ(mine.payload_bytes, theirs.payload_bytes) << name(kind);
    EXPECT_EQ(mine.ring_bytes, theirs.ring_bytes) << name(kind);
  }
  EXPECT_EQ(group.traffic().size(), 4U);
}

TEST(RingLink, IsTheSlowestPartOfTheRing) {
  const ClusterLinks links{.within_node = {.bytes_per_second = 300e9, .message_seconds = 2e-6},
                           .between_nodes = {.bytes_per_second = 50e9, .message_seconds = 5e-6},
                           .ranks_per_node = 8};
  const auto speed = [&](std::int64_t stride, std::int64_t size) {
    return ring_link(links, stride, size).bytes_per_second;
  };
  EXPECT_EQ(speed(1, 8), 300e9);
  EXPECT_EQ(speed(4, 2), 300e9);
  EXPECT_EQ(ring_link(links, 1, 4).message_seconds, 2e-6);
  EXPECT_EQ(speed(8, 2), 50e9);  // one rank of each node
  EXPECT_EQ(speed(1024, 16), 50e9);
  EXPECT_EQ(speed(2, 64), 200e9);  // four ranks of each node
  EXPECT_EQ(speed(1, 64), 300e9);  // eight, more than the links within the node carry
  EXPECT_EQ(speed(4, 4), 100e9);
  EXPECT_EQ(ring_link(links, 1, 64).message_seconds, 5e-6);
}

TEST_F(DryGroupTest, HostCollectivesAreThoseOfIdenticalRanks) {
  const auto dry = make_dry_group("world", 1, 3, kLink);
  // A world of three threads with the same values says what is right.
  run_thread_ranks(3, [&](Group& threads) {
    const auto both = [&](const auto& act) {
      const auto expected = act(threads);
      if (threads.rank() == 1) {
        EXPECT_EQ(act(*dry), expected);
      }
      threads.barrier();
    };
    both([](Group& group) {
      double values[] = {2.5, -4.0, 0.0};
      group.host_reduce(std::span<double>(values), Reduction::sum);
      group.host_reduce(std::span<double>(values, 2), Reduction::max);
      return std::vector<double>(std::begin(values), std::end(values));
    });
    both([](Group& group) {
      std::int64_t values[] = {7, -5};
      group.host_reduce(std::span<std::int64_t>(values), Reduction::sum);
      group.host_reduce(std::span<std::int64_t>(values), Reduction::max);
      return std::vector<std::int64_t>(std::begin(values), std::end(values));
    });
    both([](Group& group) {
      std::uint64_t values[] = {std::uint64_t{1} << 63U, 9};  // wraps
      group.host_sum(values);
      return std::vector<std::uint64_t>(std::begin(values), std::end(values));
    });
    both([](Group& group) { return group.host_gather("same"); });
    both([](Group& group) {
      std::string bytes = "own";
      group.host_broadcast(bytes, 2);
      return bytes;
    });
  });
  EXPECT_EQ(dry->next_ticket(), 0);
  EXPECT_EQ(dry->next_ticket(), 1);
  dry->reset_tickets();
  EXPECT_EQ(dry->next_ticket(), 0);
  std::string bytes;
  EXPECT_THROW(dry->host_broadcast(bytes, 3), Error);
}

}  // namespace
}  // namespace trireme
