// SPDX-License-Identifier: Apache-2.0
// What passes through a group is counted, noted while it runs, and passed on unchanged.
#include "parallel/observed_group.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <future>
#include <vector>

#include "parallel/parallel.h"
#include "tests/parallel/queue_stream.h"

namespace trireme {
namespace {

Tensor floats(std::vector<float>& values) {
  return {.data = values.data(), .dtype = Dtype::f32, .shape = {static_cast<std::int64_t>(values.size())}};
}

TEST(ObservedGroup, CountsWhatTheTextOfTrafficSays) {
  run_thread_ranks(3, [](Group& inner) {
    StatusBoard board;
    ObservedGroup group(inner, board);
    QueueStream stream;
    std::vector<float> one(6, 1.0F);
    std::vector<float> all(18, 1.0F);
    group.all_reduce(stream, floats(one), Reduction::sum);   // 24 bytes, of which 2 * 2 / 3 move
    group.all_gather(stream, floats(all), floats(one));      // 72 bytes, of which 2 / 3
    group.reduce_scatter(stream, floats(one), floats(all));  // 72 bytes
    group.broadcast(stream, floats(one), 1);                 // 24 bytes, of which 2 / 3
    group.broadcast(stream, floats(one), 2);
    stream.synchronize();
    EXPECT_EQ(one[0], 9.0F);
    const auto traffic = group.traffic();
    const auto expect = [&](CollectiveKind kind, std::int64_t calls, std::int64_t payload, std::int64_t ring) {
      EXPECT_EQ(traffic[kind].calls, calls) << name(kind);
      EXPECT_EQ(traffic[kind].payload_bytes, payload) << name(kind);
      EXPECT_EQ(traffic[kind].ring_bytes, ring) << name(kind);
    };
    expect(CollectiveKind::all_reduce, 1, 24, 32);
    expect(CollectiveKind::all_gather, 1, 72, 48);
    expect(CollectiveKind::reduce_scatter, 1, 72, 48);
    expect(CollectiveKind::broadcast, 2, 48, 32);
    EXPECT_EQ(traffic.tensors().calls, 5);
    EXPECT_EQ(traffic.tensors().ring_bytes, 160);
    EXPECT_EQ(traffic[CollectiveKind::barrier].calls, 0);
  });
}

TEST(ObservedGroup, CountsHostCallsApart) {
  run_thread_ranks(2, [](Group& inner) {
    StatusBoard board;
    ObservedGroup group(inner, board);
    std::array<double, 3> values{1, 2, 3};
    group.barrier();
    group.host_reduce(std::span<double>(values), Reduction::sum);
    EXPECT_EQ(values[2], 6);
    std::string text = group.rank() == 1 ? "seven b" : "";
    group.host_broadcast(text, 1);
    EXPECT_EQ(text, "seven b");
    EXPECT_EQ(group.host_gather(std::string(static_cast<std::size_t>(group.rank()) + 1, 'x')).size(), 2U);
    const auto traffic = group.traffic();
    EXPECT_EQ(traffic[CollectiveKind::host_reduce].payload_bytes, 24);
    EXPECT_EQ(traffic[CollectiveKind::host_broadcast].payload_bytes, 7);
    EXPECT_EQ(traffic[CollectiveKind::host_gather].payload_bytes, 3);
    EXPECT_EQ(traffic[CollectiveKind::barrier].calls, 1);
    EXPECT_EQ(traffic.tensors().calls, 0);
    EXPECT_TRUE(board.snapshot().running.empty());
  });
}

TEST(ObservedGroup, NotesACollectiveWhileTheStreamIsInIt) {
  std::promise<void> gone_on;
  auto go = gone_on.get_future().share();
  run_thread_ranks(2, [&](Group& inner) {
    StatusBoard board;
    ObservedGroup group(inner, board, 4);
    QueueStream stream;
    std::vector<float> one(2, 1.0F);
    stream.call([go] { go.wait(); });  // the collective is enqueued, and has not begun
    group.all_reduce(stream, floats(one), Reduction::sum);
    EXPECT_TRUE(board.snapshot().running.empty());
    inner.barrier();
    if (inner.rank() == 0) gone_on.set_value();
    stream.synchronize();
    group.all_reduce(stream, floats(one), Reduction::sum);
    stream.synchronize();
    const auto seen = board.snapshot();
    EXPECT_TRUE(seen.running.empty());
    EXPECT_EQ(seen.last_ended.number, 2U);
    EXPECT_EQ(seen.last_ended.first, 4);
    EXPECT_EQ(seen.last_ended.size, 2);
    EXPECT_EQ(seen.last_ended.bytes, 8U);
    inner.barrier();
    if (inner.rank() == 0) {  // this rank comes first, and waits
      group.all_reduce(stream, floats(one), Reduction::sum);
      while (board.snapshot().running.empty()) std::this_thread::yield();
      EXPECT_EQ(board.snapshot().running.at(0).collective.number, 3U);
      EXPECT_EQ(board.snapshot().running.at(0).collective.kind, CollectiveKind::all_reduce);
      inner.barrier();
    } else {
      inner.barrier();
      group.all_reduce(stream, floats(one), Reduction::sum);
    }
    stream.synchronize();
    EXPECT_TRUE(board.snapshot().running.empty());
  });
}

TEST(ObservedGroup, OfOneRankCountsAndMovesNothing) {
  StatusBoard board;
  ObservedGroup group(make_self_group("alone"), board);
  QueueStream stream;
  std::vector<float> one(4, 1.0F);
  group.all_reduce(stream, floats(one), Reduction::sum);
  stream.synchronize();
  EXPECT_EQ(group.traffic()[CollectiveKind::all_reduce].payload_bytes, 16);
  EXPECT_EQ(group.traffic()[CollectiveKind::all_reduce].ring_bytes, 0);
  EXPECT_FALSE(board.snapshot().any_ended);
}

TEST(ObservedGroup, IsWhatTrafficOfReads) {
  StatusBoard board;
  const auto plain = make_self_group("alone");
  EXPECT_EQ(traffic_of(*plain).tensors().calls, 0);
  ObservedGroup group(*plain, board);
  group.barrier();
  EXPECT_EQ(traffic_of(group)[CollectiveKind::barrier].calls, 1);
}

}  // namespace
}  // namespace trireme
