// SPDX-License-Identifier: Apache-2.0
// The dry device: memory that is counted, clocks of streams and events, and the table of machines.
#include "kernels/dry/device.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "kernels/kernels.h"

namespace trireme {
namespace {

/// Round numbers: 1 TFLOP/s of products, 1 GB/s of memory, a launch of 1 us.
Machine round_machine() {
  return {.name = "round",
          .memory_bytes = 1000,
          .bf16_flops_per_second = 2e12,
          .fp32_flops_per_second = 1e12,
          .memory_bytes_per_second = 2e9,
          .host_bytes_per_second = 1e8,
          .launch_seconds = 1e-6,
          .reached = {.product = 0.5, .memory = 0.5}};
}

StreamTimes times_of(const DryDevice& device, const std::string& name) {
  for (const StreamTimes& times : device.counts().streams) {
    if (times.name == name) return times;
  }
  ADD_FAILURE() << "no stream " << name;
  return {};
}

TEST(DryDevice, CountsMemoryNowAtMostAndHowOften) {
  const auto device = make_dry_device(round_machine());
  Buffer kept = device->allocate(1000);
  {
    const Buffer huge = device->allocate(std::size_t{1} << 50U);  // far beyond this host and the machine
    EXPECT_EQ(device->allocated_bytes(MemoryKind::device), 1000 + (std::size_t{1} << 50U));
    const auto a = reinterpret_cast<std::uintptr_t>(kept.data());
    const auto b = reinterpret_cast<std::uintptr_t>(huge.data());
    EXPECT_EQ(a % 256, 0U);
    EXPECT_EQ(b % 256, 0U);
    EXPECT_GE(b, a + 1000);
  }
  EXPECT_EQ(device->allocated_bytes(MemoryKind::device), 1000U);
  EXPECT_EQ(device->peak_bytes(MemoryKind::device), 1000 + (std::size_t{1} << 50U));
  EXPECT_EQ(device->allocations(), 2);
  EXPECT_EQ(device->allocate(0).data(), nullptr);
  EXPECT_EQ(device->allocations(), 2);
  EXPECT_EQ(device->kind(), DeviceKind::dry);
}

TEST(DryDevice, PinnedMemoryIsRealAndZeroed) {
  const auto device = make_dry_device(round_machine());
  const Buffer a = device->allocate(300, MemoryKind::pinned);
  const Buffer b = device->allocate(300, MemoryKind::pinned);
  EXPECT_EQ(device->allocated_bytes(MemoryKind::pinned), 600U);
  EXPECT_EQ(device->allocated_bytes(MemoryKind::device), 0U);
  auto* bytes = static_cast<char*>(a.data());
  for (int i = 0; i < 300; ++i) EXPECT_EQ(bytes[i], 0);
  bytes[7] = 3;
  const auto stream = device->make_stream("s");
  device->copy(*stream, b.data(), a.data(), 300);
  EXPECT_EQ(static_cast<char*>(b.data())[7], 3);
  device->zero(*stream, b.data(), 300);
  EXPECT_EQ(static_cast<char*>(b.data())[7], 0);
}

TEST(DryDevice, TouchingDeviceMemoryIsFatal) {
  const auto device = make_dry_device(round_machine());
  const Buffer buffer = device->allocate(64);
  EXPECT_DEATH(*static_cast<volatile char*>(buffer.data()) = 1, "");
}

TEST(DryDevice, RefusesMoreThanTheAddressSpace) {
  const auto device = make_dry_device(round_machine());
  EXPECT_THROW(device->allocate(SIZE_MAX - 10), Error);
  EXPECT_THROW(device->allocate(std::size_t{1} << 54U), Error);
  EXPECT_THROW(device->allocate(SIZE_MAX - 10, MemoryKind::pinned), Error);
}

TEST(DryDevice, CopiesAndZeroingTakeTheTimeOfTheirBytes) {
  const auto device = make_dry_device(round_machine());
  const auto stream = device->make_stream("s");
  const Buffer a = device->allocate(1000);
  const Buffer b = device->allocate(1000);
  const Buffer host = device->allocate(1000, MemoryKind::pinned);
  device->copy(*stream, a.data(), b.data(), 1000);  // read and written: 2000 bytes at 1 GB/s
  EXPECT_DOUBLE_EQ(times_of(*device, "s").now_seconds, 1e-6 + 2e-6);
  device->zero(*stream, a.data(), 1000);
  EXPECT_DOUBLE_EQ(times_of(*device, "s").now_seconds, 5e-6);
  device->copy(*stream, a.data(), host.data(), 1000);  // 100 MB/s between host and device
  EXPECT_DOUBLE_EQ(times_of(*device, "s").now_seconds, 16e-6);
  const auto counts = device->counts();
  EXPECT_EQ(counts.operations.at("copy").bytes, 2000.0);
  EXPECT_EQ(counts.operations.at("zero").bytes, 1000.0);
  EXPECT_EQ(counts.operations.at("host_copy").bytes, 1000.0);
  EXPECT_EQ(counts.bytes(), 4000.0);
  EXPECT_EQ(counts.flops(), 0.0);
}

TEST(DryDevice, AnOperationTakesTheLongerOfArithmeticAndMemory) {
  const auto device = make_dry_device(round_machine());
  const auto ops = make_dry_ops(*device);
  const auto stream = device->make_stream("s");
  const auto tensor = [](const Buffer& buffer, Dtype dtype, const Shape& shape) {
    return Tensor{buffer.data(), dtype, shape};
  };
  const Buffer memory = device->allocate(1 << 20);
  const Tensor x = tensor(memory, Dtype::bf16, {100, 1000});
  const Tensor w = tensor(memory, Dtype::bf16, {2000, 1000});
  const Tensor y = tensor(memory, Dtype::bf16, {100, 2000});
  // 4e8 FLOPs at half of 2 TFLOP/s are 400 us, 2.3e6 * 2 bytes at half of 2 GB/s are 4600 us.
  ops->run(*stream, Linear{.y = y, .x = x, .weight = w, .bias = {}, .residual = {}});
  EXPECT_NEAR(times_of(*device, "s").now_seconds, 4601e-6, 1e-9);
  auto fast = round_machine();
  fast.memory_bytes_per_second = 2e12;
  const auto other = make_dry_device(fast);
  const auto other_stream = other->make_stream("s");
  make_dry_ops(*other)->run(*other_stream, Linear{.y = y, .x = x, .weight = w, .bias = {}, .residual = {}});
  EXPECT_NEAR(times_of(*other, "s").now_seconds, 401e-6, 1e-9);
}

/// 100 rows of 1000 to 2000 columns: 4e8 FLOPs.
void run_product(const Ops& ops, Stream& stream, const Buffer& memory) {
  const auto tensor = [&](const Shape& shape) { return Tensor{memory.data(), Dtype::bf16, shape}; };
  ops.run(stream, Linear{.y = tensor({100, 2000}),
                         .x = tensor({100, 1000}),
                         .weight = tensor({2000, 1000}),
                         .bias = {},
                         .residual = {}});
}

void run_attention(const Ops& ops, Stream& stream, const Buffer& memory, std::int64_t time) {
  const auto tensor = [&](const Shape& shape) { return Tensor{memory.data(), Dtype::bf16, shape}; };
  const Tensor rows{memory.data(), Dtype::f32, {1, 1, time}};
  ops.run(stream, AttentionBackward{.d_qkv = tensor({1, time, 3, 64}),
                                    .dy = tensor({1, time, 1, 64}),
                                    .y = tensor({1, time, 1, 64}),
                                    .lse = rows,
                                    .qkv = tensor({1, time, 3, 64}),
                                    .document_start = {},
                                    .row_dot = rows,
                                    .heads = 1,
                                    .kv_heads = 1});
}

TEST(DryDevice, AttentionIsSlowerOnShortRowsAndSmallHeads) {
  Machine machine = round_machine();
  machine.memory_bytes_per_second = 1e15;
  machine.reached.attention_backward = {.most = 0.8, .time = 96, .size = 16};
  const auto device = make_dry_device(machine);
  const auto stream = device->make_stream("s");
  const Buffer memory = device->allocate(1 << 20);
  run_attention(*make_dry_ops(*device), *stream, memory, 32);
  // 10 * 64 FLOPs for each of 32^2 / 2 pairs; of 2 TFLOP/s 0.8 * 32/128 * 64/80.
  EXPECT_NEAR(times_of(*device, "s").now_seconds, 1e-6 + 327680.0 / (2e12 * 0.16), 1e-15);
}

TEST(DryDevice, SomeOperationsReachLessOfTheMemorysSpeed) {
  static constexpr std::array<std::pair<std::string_view, double>, 1> kSlow = {{{"zero", 0.25}}};
  Machine machine = round_machine();
  machine.reached.operations = kSlow;
  const auto device = make_dry_device(machine);
  const auto stream = device->make_stream("s");
  const Buffer memory = device->allocate(1000);
  device->zero(*stream, memory.data(), 1000);  // at a quarter of 2 GB/s
  EXPECT_DOUBLE_EQ(times_of(*device, "s").now_seconds, 1e-6 + 2e-6);
  device->copy(*stream, memory.data(), memory.data(), 500);  // at half
  EXPECT_DOUBLE_EQ(times_of(*device, "s").now_seconds, 3e-6 + 2e-6);
}

TEST(DryDevice, ScratchIsThatOfEachStreamsLargestOperation) {
  Machine machine = round_machine();
  const auto take = [&](bool scratch) {
    machine.scratch = scratch;
    const auto device = make_dry_device(machine);
    const auto ops = make_dry_ops(*device, Determinism::always);
    const auto first = device->make_stream("first");
    const auto second = device->make_stream("second");
    const auto third = device->make_stream("third");
    const Buffer memory = device->allocate(1 << 20);
    std::vector<std::size_t> taken;
    const auto note = [&] {
      EXPECT_EQ(device->allocated_bytes(MemoryKind::device), memory.bytes() + device->scratch_bytes());
      taken.push_back(device->scratch_bytes());
    };
    run_product(*ops, *first, memory);
    note();
    run_attention(*ops, *first, memory, 8192);  // 2 * 8192^2 for the scores, 4 * 8192 for the rows, 256
    note();
    run_attention(*ops, *first, memory, 4096);
    run_product(*ops, *second, memory);
    note();
    device->zero(*third, memory.data(), memory.bytes());
    note();
    return taken;
  };
  constexpr std::size_t kLeast = 64U << 20U;
  constexpr std::size_t kScores = 2ULL * 8192 * 8192 + 4ULL * 8192 + 256;
  EXPECT_EQ(take(true), (std::vector<std::size_t>{kLeast, kScores, kScores + kLeast, kScores + kLeast}));
  EXPECT_EQ(take(false), (std::vector<std::size_t>(4, 0)));
}

// A loss of half: beside a collective an operation takes twice as long.
TEST(DryStream, OperationsLoseTimeBesideCollectivesOfOtherStreams) {
  Machine machine = round_machine();
  machine.reached.beside_collectives = 0.5;
  const auto device = make_dry_device(machine);
  const auto compute = device->make_stream("compute");
  const auto gather = device->make_stream("gather");
  const auto reduce = device->make_stream("reduce");
  const Buffer memory = device->allocate(100000);
  const auto work = [&](std::size_t microseconds) {  // alone, launch included
    device->zero(*compute, memory.data(), 1000 * (microseconds - 1));
    return times_of(*device, "compute").now_seconds * 1e6;
  };
  gather->pass_time(10e-6);                     // [0, 10)
  EXPECT_NEAR(work(3), 6.0, 1e-9);              // all of it beside
  EXPECT_NEAR(work(7), 6.0 + 4.0 + 5.0, 1e-9);  // 2 in the 4 that are left, 5 after
  EXPECT_NEAR(work(5), 20.0, 1e-9);             // none
  gather->pass_time(15e-6);                     // [10, 25)
  reduce->pass_time(22e-6);                     // [0, 22), together [0, 25)
  gather->pass_time(2e-6);                      // until 27
  EXPECT_NEAR(work(4), 27.0 + 0.5, 1e-9);       // 3.5 in 7, then half a microsecond
  EXPECT_NEAR(times_of(*device, "reduce").operation_seconds, 0.0, 1e-15);
  compute->pass_time(10e-6);  // its own collectives come before what follows
  EXPECT_NEAR(work(5), 27.5 + 10.0 + 5.0, 1e-9);
}

TEST(DryStream, EventsCarryTheClockFromStreamToStream) {
  const auto device = make_dry_device(round_machine());
  const auto compute = device->make_stream("compute");
  const auto reduce = device->make_stream("reduce");
  const auto complete = device->make_event();
  const auto reduced = device->make_event();
  const auto never = device->make_event();
  const Buffer memory = device->allocate(100000);
  const auto work = [&](std::size_t microseconds) {  // on the compute stream, launch included
    device->zero(*compute, memory.data(), 1000 * (microseconds - 1));
  };
  compute->wait(*never);
  EXPECT_EQ(times_of(*device, "compute").now_seconds, 0.0);

  work(10);
  compute->record(*complete);  // 10 us
  reduce->wait(*complete);
  reduce->pass_time(30e-6);  // until 40
  work(20);                  // meanwhile, until 30
  reduce->record(*reduced);
  compute->wait(*reduced);  // 10 us are not hidden
  const auto computing = times_of(*device, "compute");
  EXPECT_NEAR(computing.now_seconds, 40e-6, 1e-12);
  EXPECT_NEAR(computing.operation_seconds, 30e-6, 1e-12);
  EXPECT_NEAR(computing.waiting_seconds, 10e-6, 1e-12);
  EXPECT_EQ(computing.communication_seconds, 0.0);
  const auto reducing = times_of(*device, "reduce");
  EXPECT_NEAR(reducing.now_seconds, 40e-6, 1e-12);
  EXPECT_NEAR(reducing.communication_seconds, 30e-6, 1e-12);
  EXPECT_NEAR(reducing.waiting_seconds, 10e-6, 1e-12);

  reduce->wait(*complete);  // long past
  EXPECT_NEAR(times_of(*device, "reduce").now_seconds, 40e-6, 1e-12);
  device->clear_counts();
  EXPECT_NEAR(times_of(*device, "compute").now_seconds, 40e-6, 1e-12);
  EXPECT_EQ(times_of(*device, "compute").waiting_seconds, 0.0);
  EXPECT_TRUE(device->counts().operations.empty());
}

TEST(DryStream, HostWorkRunsAtOnceAndItsErrorIsToldBySynchronize) {
  const auto device = make_dry_device(round_machine());
  const auto stream = device->make_stream("s");
  int done = 0;
  stream->call([&] { ++done; });
  EXPECT_EQ(done, 1);
  stream->call([] { fail("boom"); });
  stream->call([&] { ++done; });
  EXPECT_EQ(done, 1);
  EXPECT_THROW(stream->synchronize(), Error);
  stream->synchronize();
  stream->call([&] { ++done; });
  EXPECT_EQ(done, 2);
  EXPECT_EQ(times_of(*device, "s").now_seconds, 0.0);
}

TEST(Machine, EveryOneOfTheTableIsWhole) {
  for (const auto name : machine_names()) {
    const Machine m = find_machine(name, 1);
    EXPECT_EQ(m.name, name);
    EXPECT_GT(m.memory_bytes, std::int64_t{1} << 28) << name;
    EXPECT_LT(m.reserved_bytes, m.memory_bytes / 4) << name;
    EXPECT_GE(m.bf16_flops_per_second, 1e8) << name;
    EXPECT_GE(m.fp32_flops_per_second, 1e8) << name;
    EXPECT_GE(m.memory_bytes_per_second, 1e8) << name;
    EXPECT_GT(m.within_node.bytes_per_second, m.between_nodes.bytes_per_second * 0.5) << name;
    for (const double fraction : {m.reached.product, m.reached.attention.most, m.reached.attention_backward.most,
                                  m.reached.memory, m.reached.within_node, m.reached.between_nodes}) {
      EXPECT_GT(fraction, 0.0) << name;
      EXPECT_LE(fraction, 1.0) << name;
    }
    for (const auto& [operation, fraction] : m.reached.operations) {
      EXPECT_GT(fraction, 0.0) << operation;
      EXPECT_LE(fraction, m.reached.memory) << operation << " faster than a copy";
    }
    EXPECT_LT(m.reached.beside_collectives, 1.0) << name;
  }
}

TEST(Machine, AnUnknownOneIsRefusedWithTheList) {
  try {
    find_machine("tpu", 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("a100, b200, cpu, h100, h200"), std::string::npos) << e.what();
  }
}

TEST(DryOps, NeedADryDevice) {
  const auto device = make_cpu_device({});
  EXPECT_THROW(make_dry_ops(*device), Error);
}

}  // namespace
}  // namespace trireme
