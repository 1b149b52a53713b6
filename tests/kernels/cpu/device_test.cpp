// SPDX-License-Identifier: Apache-2.0
// The CPU device: memory, streams, events, errors from work, and that a repeated step allocates nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "core/base/error.h"
#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

TEST(CpuDevice, MemoryIsAlignedZeroedAndCounted) {
  const auto device = make_cpu_device({.threads = test_threads(2)});
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{1000}, std::size_t{9} << 20U}) {
    const std::int64_t before = device->allocations();
    const Buffer buffer = device->allocate(bytes);
    EXPECT_EQ(device->allocations(), before + 1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 256, 0U);
    EXPECT_EQ(buffer.bytes(), bytes);
    for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(static_cast<const char*>(buffer.data())[i], 0) << i;
  }
  EXPECT_EQ(device->allocate(0).data(), nullptr);
  EXPECT_NE(device->description().find(test_threads(2) == 2 ? "2 threads" : "1 thread"), std::string::npos);
}

TEST(CpuDevice, KnowsTheBytesThatAreHeld) {
  const auto device = make_cpu_device({});
  Buffer kept;
  {
    const Buffer buffer = device->allocate(1000);
    kept = device->allocate(70, MemoryKind::pinned);
    EXPECT_EQ(device->allocated_bytes(MemoryKind::device), 1000U);
    EXPECT_EQ(device->allocated_bytes(MemoryKind::pinned), 70U);
  }
  EXPECT_EQ(device->allocated_bytes(MemoryKind::device), 0U);
  EXPECT_EQ(device->allocated_bytes(MemoryKind::pinned), 70U);
}

TEST(CpuDevice, RefusesWhatDoesNotFitAndSaysHowMuchIsFree) {
  const auto device = make_cpu_device({});
  for (const std::size_t bytes : {std::size_t{1} << 50U, SIZE_MAX - 10}) {
    try {
      device->allocate(bytes);
      FAIL() << "allocated " << bytes;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("free"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(make_cpu_device({.threads = 0}), Error);
}

TEST(CpuDevice, PeakIsMeasuredOnce) {
  const auto device = make_cpu_device({.threads = 1});
  const double peak = device->peak_flops(Dtype::f32);
  EXPECT_GT(peak, 1e8);
  EXPECT_EQ(peak, device->peak_flops(Dtype::f32));
  EXPECT_GT(device->peak_flops(Dtype::bf16), 1e8);
}

class StreamTest : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Device> device = make_cpu_device({.threads = 1, .inline_streams = GetParam()});
  std::unique_ptr<Stream> stream = device->make_stream("a");
};

TEST_P(StreamTest, DoesMoreThanItsQueueHoldsInOrder) {
  std::vector<int> done;
  for (int i = 0; i < 1000; ++i) stream->call([&done, i] { done.push_back(i); });
  stream->synchronize();
  ASSERT_EQ(done.size(), 1000U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(done[static_cast<std::size_t>(i)], i);
}

TEST_P(StreamTest, CopiesAndZeroesInOrder) {
  const std::size_t bytes = (std::size_t{3} << 20U) + 5;
  const Buffer a = device->allocate(bytes);
  const Buffer b = device->allocate(bytes, MemoryKind::pinned);
  for (std::size_t i = 0; i < bytes; ++i) {
    static_cast<unsigned char*>(b.data())[i] = static_cast<unsigned char>(i % 251);
  }
  device->copy(*stream, a.data(), b.data(), bytes);
  device->zero(*stream, b.data(), bytes);
  stream->synchronize();
  for (std::size_t i = 0; i < bytes; ++i) {
    ASSERT_EQ(static_cast<unsigned char*>(a.data())[i], i % 251);
    ASSERT_EQ(static_cast<unsigned char*>(b.data())[i], 0);
  }
}

TEST_P(StreamTest, AnErrorSkipsWhatFollowsUntilItWasRethrown) {
  bool ran = false;
  stream->call([] { fail("first"); });
  stream->call([] { fail("second"); });
  stream->call([&] { ran = true; });
  try {
    stream->synchronize();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "first");
  }
  EXPECT_FALSE(ran);
  stream->call([&] { ran = true; });
  stream->synchronize();
  EXPECT_TRUE(ran);
}

TEST_P(StreamTest, WaitsForTheEventOfAnotherStream) {
  const auto other = device->make_stream("b");
  const auto event = device->make_event();
  event->synchronize();  // nothing recorded: at once
  int value = 0;         // not atomic: the event alone orders its uses
  for (int round = 0; round < 200; ++round) {
    stream->call([&] { value += 1; });
    stream->record(*event);
    other->wait(*event);
    other->call([&] { value *= 2; });
    other->record(*event);
    stream->wait(*event);
    stream->call([&] { value %= 1000; });
  }
  stream->synchronize();
  int expected = 0;
  for (int round = 0; round < 200; ++round) expected = (expected + 1) * 2 % 1000;
  EXPECT_EQ(value, expected);
}

TEST_P(StreamTest, AnEventOfAFailedStreamIsReachedAndFailsWhoWaits) {
  const auto other = device->make_stream("b");
  const auto event = device->make_event();
  bool ran = false;
  stream->call([] { fail("lost"); });
  stream->record(*event);
  EXPECT_THROW(event->synchronize(), Error);
  other->wait(*event);
  other->call([&] { ran = true; });
  EXPECT_THROW(other->synchronize(), Error);
  EXPECT_FALSE(ran);
  EXPECT_THROW(stream->synchronize(), Error);
  stream->record(*event);
  event->synchronize();
  other->wait(*event);
  other->call([&] { ran = true; });
  other->synchronize();
  EXPECT_TRUE(ran);
}

TEST_P(StreamTest, EventsMayDieBeforeTheyAreReached) {
  {
    const auto event = device->make_event();
    stream->call([] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); });
    stream->record(*event);
    stream->wait(*event);
  }
  stream->synchronize();
}

INSTANTIATE_TEST_SUITE_P(InlineOrQueued, StreamTest, ::testing::Bool());

TEST(CpuStream, ReturnsBeforeTheWorkIsDone) {
  const auto device = make_cpu_device({});
  const auto stream = device->make_stream("a");
  std::atomic<bool> go = false;
  std::atomic<bool> done = false;
  stream->call([&] {
    while (!go) std::this_thread::yield();
    done = true;
  });
  EXPECT_FALSE(done);
  go = true;
  stream->synchronize();
  EXPECT_TRUE(done);
}

TEST(CpuStream, FinishesItsWorkBeforeItGoes) {
  const auto device = make_cpu_device({});
  int done = 0;
  {
    const auto stream = device->make_stream("a");
    for (int i = 0; i < 50; ++i) stream->call([&] { ++done; });
  }
  EXPECT_EQ(done, 50);
}

/// A few operations of every kind of memory use: oneDNN's scratch, attention's, none.
void small_step(Machine& machine, const Held& x, const Held& w, const Held& y, const Held& qkv, const Held& lse) {
  machine.ops().run(machine.stream(),
                    Linear{.y = y.tensor, .x = x.tensor, .weight = w.tensor, .bias = {}, .residual = {}});
  machine.ops().run(machine.stream(),
                    LinearBackwardWeight{.d_weight = w.tensor, .d_bias = {}, .dy = y.tensor, .x = x.tensor});
  const Tensor out = {y.tensor.data, Dtype::f32, {2, 64, 2, 16}};
  machine.ops().run(machine.stream(), Attention{.y = out,
                                                .lse = lse.tensor,
                                                .qkv = qkv.tensor,
                                                .document_start = {},
                                                .heads = 2,
                                                .kv_heads = 1,
                                                .scale = 0.25F});
  machine.ops().run(machine.stream(), Gelu{.y = y.tensor, .x = y.tensor});
}

TEST(CpuOps, QueuedIsInlineBitForBitAndNothingAllocatesOnceWarm) {
  std::string first;
  for (const bool inline_streams : {true, false}) {
    Machine machine({.threads = 1, .inline_streams = inline_streams});
    Values x = normal(std::size_t{128} * 48, 1), w = normal(std::size_t{32} * 48, 2),
           qkv = normal(std::size_t{2} * 64 * 4 * 16, 3);
    const Held tx = machine.put(Dtype::f32, {128, 48}, x), tw = machine.put(Dtype::f32, {32, 48}, w);
    const Held tq = machine.put(Dtype::f32, {2, 64, 4, 16}, qkv), lse = machine.make(Dtype::f32, {2, 2, 64});
    const Held y = machine.make(Dtype::f32, {128, 32});
    std::int64_t warm = 0;
    for (int step = 0; step < 3; ++step) {
      small_step(machine, tx, tw, y, tq, lse);
      machine.stream().synchronize();
      if (step == 0) warm = machine.device().allocations();
    }
    EXPECT_EQ(machine.device().allocations(), warm);
    const std::string result = bits(y.tensor) + bits(tw.tensor);
    if (inline_streams) first = result;
    EXPECT_EQ(result, first);
  }
}

TEST(CpuOps, DevicesOfSeveralThreadsWorkAtOnce) {
  std::vector<std::string> results(3);
  std::vector<std::thread> ranks;
  ranks.reserve(results.size());
  for (std::string& result : results) {
    ranks.emplace_back([&result] {
      Machine machine({.threads = 1, .inline_streams = false});
      Values x = normal(std::size_t{128} * 48, 1), w = normal(std::size_t{32} * 48, 2),
             qkv = normal(std::size_t{2} * 64 * 4 * 16, 3);
      const Held tx = machine.put(Dtype::f32, {128, 48}, x), tw = machine.put(Dtype::f32, {32, 48}, w);
      const Held tq = machine.put(Dtype::f32, {2, 64, 4, 16}, qkv), lse = machine.make(Dtype::f32, {2, 2, 64});
      const Held y = machine.make(Dtype::f32, {128, 32});
      for (int step = 0; step < 5; ++step) small_step(machine, tx, tw, y, tq, lse);
      machine.stream().synchronize();
      result = bits(y.tensor) + bits(tw.tensor);
    });
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace trireme::kernel_test
