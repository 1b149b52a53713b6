// SPDX-License-Identifier: Apache-2.0
// Gathers into memory that the ranks of a node share: what they move, in which order, beside what else, and how they
// end when a rank does not come. Under mpirun. Ranks that share one GPU do all of it but what needs NCCL, which refuses
// them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "parallel/live_communicators.h"
#include "parallel/parallel.h"
#include "tests/kernels/test_device.h"
#include "tests/parallel/mpi_main.h"

namespace trireme {
namespace {

/// What byte i of a rank's piece is in a round: no two rounds, ranks or near places are alike.
std::uint8_t value(std::int64_t round, int rank, std::size_t i) {
  std::uint64_t x = static_cast<std::uint64_t>(round) * 0x9E3779B97F4A7C15U + static_cast<std::uint64_t>(rank) * 977U +
                    static_cast<std::uint64_t>(i);
  x *= 0xD6E8FEB86659FD93U;
  return static_cast<std::uint8_t>(x >> 56U);
}

class CopyGather : public testing::Test {
 protected:
  void SetUp() override {
    if (!tests_on_cuda()) GTEST_SKIP() << "for GPUs: TRIREME_TEST_DEVICE=cuda";
    World& world = test_world();
    device_ = make_test_gpu(world.local_rank() % cuda_device_count());
    group_ = world.split("shard", 0, world.rank(), *device_, {.gather = GatherRoad::copy});
    stream_ = device_->make_stream("gather");
  }

  static bool nccl_works() { return cuda_device_count() >= test_world().size(); }
  Buffer host(std::size_t bytes) { return device_->allocate(bytes, MemoryKind::pinned); }
  static std::uint8_t* bytes_of(const Buffer& buffer) { return static_cast<std::uint8_t*>(buffer.data()); }
  static Tensor tensor(const Buffer& buffer, std::size_t begin, Dtype dtype, std::int64_t elements) {
    return {static_cast<std::byte*>(buffer.data()) + begin, dtype, {elements}};
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<Group> group_;
  std::unique_ptr<Stream> stream_;
};

/// Every dtype, odd sizes, unaligned places, in place and from elsewhere; nothing around is touched.
TEST_F(CopyGather, MovesWhatItShould) {
  constexpr std::size_t kBytes = 3000017;
  const auto n = static_cast<std::size_t>(group_->size());
  const int me = group_->rank();
  const Buffer memory = device_->allocate(kBytes);
  const Buffer elsewhere = device_->allocate(kBytes);
  const auto shared = group_->share(memory);
  ASSERT_NE(shared, nullptr);
  const Buffer before = host(kBytes);
  const Buffer after = host(kBytes);
  std::int64_t round = 0;
  for (const Dtype dtype : {Dtype::u8, Dtype::bf16, Dtype::f32}) {
    const std::size_t size = size_of(dtype);
    for (const std::size_t elements : {std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{1023},
                                       std::size_t{70001}, (kBytes - 64) / (size * n)}) {
      for (const bool in_place : {true, false}) {
        ++round;
        const std::size_t piece = elements * size;
        const std::size_t begin = size * static_cast<std::size_t>(round % 7);
        ASSERT_LE(begin + n * piece, kBytes);
        std::memset(before.data(), 0xA5, kBytes);
        const std::size_t own = in_place ? begin + static_cast<std::size_t>(me) * piece : size;
        for (std::size_t i = 0; i < piece; ++i) bytes_of(before)[own + i] = value(round, me, i);
        device_->copy(*stream_, in_place ? memory.data() : elsewhere.data(), before.data(), kBytes);
        if (!in_place) {
          std::memset(after.data(), 0xA5, kBytes);
          device_->copy(*stream_, memory.data(), after.data(), kBytes);
        }
        const auto count = static_cast<std::int64_t>(elements);
        group_->all_gather(*stream_, tensor(memory, begin, dtype, static_cast<std::int64_t>(n) * count),
                           tensor(in_place ? memory : elsewhere, own, dtype, count));
        stream_->synchronize();
        device_->copy(*stream_, after.data(), memory.data(), kBytes);
        stream_->synchronize();
        for (std::size_t i = 0; i < kBytes; ++i) {
          const bool within = i >= begin && i < begin + n * piece;
          const std::size_t at = within ? i - begin : 0;
          const std::uint8_t want = within ? value(round, static_cast<int>(at / piece), at % piece) : 0xA5;
          ASSERT_EQ(bytes_of(after)[i], want) << name(dtype) << " x " << elements << ", byte " << i;
        }
        group_->barrier();
      }
    }
  }
}

/// A thousand gathers into one place without a wait of the host: each is read on another stream before the next one may
/// overwrite it, whichever rank is late.
TEST_F(CopyGather, KeepsTheOrderWithoutTheHost) {
  constexpr std::int64_t kRounds = 1000;
  constexpr std::size_t kPiece = 20011;
  const auto n = static_cast<std::size_t>(group_->size());
  const auto me = static_cast<std::size_t>(group_->rank());
  const std::size_t whole = n * kPiece;
  const Buffer memory = device_->allocate(whole);
  const auto shared = group_->share(memory);
  ASSERT_NE(shared, nullptr);
  const Buffer pieces = host(kRounds * kPiece);
  const Buffer read = host(kRounds * whole);
  for (std::int64_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kPiece; ++i) {
      bytes_of(pieces)[static_cast<std::size_t>(round) * kPiece + i] = value(round, static_cast<int>(me), i);
    }
  }
  const auto compute = device_->make_stream("compute");
  const auto gathered = device_->make_event();
  const auto released = device_->make_event();
  group_->barrier();
  for (std::int64_t round = 0; round < kRounds; ++round) {
    const auto r = static_cast<std::size_t>(round);
    if (round % 50 == static_cast<std::int64_t>(me)) {
      Stream& late = round % 100 < 50 ? *compute : *stream_;
      late.call([] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
    }
    stream_->wait(*released);
    device_->copy(*stream_, static_cast<std::byte*>(memory.data()) + me * kPiece, bytes_of(pieces) + r * kPiece,
                  kPiece);
    group_->all_gather(*stream_, tensor(memory, 0, Dtype::u8, static_cast<std::int64_t>(whole)),
                       tensor(memory, me * kPiece, Dtype::u8, kPiece));
    stream_->record(*gathered);
    compute->wait(*gathered);
    device_->copy(*compute, bytes_of(read) + r * whole, memory.data(), whole);
    compute->record(*released);
  }
  stream_->synchronize();
  compute->synchronize();
  for (std::int64_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < whole; ++i) {
      ASSERT_EQ(bytes_of(read)[static_cast<std::size_t>(round) * whole + i],
                value(round, static_cast<int>(i / kPiece), i % kPiece))
          << "round " << round << ", byte " << i;
    }
  }
}

/// Two groups, gathers on two streams each, and reductions by NCCL on a third, all at once.
TEST_F(CopyGather, WorksBesideOthers) {
  World& world = test_world();
  const auto other = world.split("other", 0, -world.rank(), *device_, {.gather = GatherRoad::copy});
  Group* const groups[] = {group_.get(), other.get()};
  constexpr std::int64_t kRounds = 120;
  constexpr std::size_t kLargest = 1 << 20;
  const auto n = static_cast<std::size_t>(world.size());
  const Buffer memories[] = {device_->allocate(2 * n * kLargest), device_->allocate(2 * n * kLargest)};
  const std::shared_ptr<void> shared[] = {groups[0]->share(memories[0]), groups[1]->share(memories[1])};
  for (const auto& each : shared) ASSERT_NE(each, nullptr);
  const std::unique_ptr<Stream> streams[] = {device_->make_stream("a"), device_->make_stream("b")};
  const auto reduce = device_->make_stream("reduce");
  const Buffer sums = device_->allocate(kLargest);
  const Buffer source = host(kRounds * kLargest);
  const Buffer read = host(kRounds * n * 64);
  group_->barrier();
  const auto size_in = [](std::int64_t round) { return static_cast<std::size_t>(64 + round * 7919 % (1 << 19)); };
  for (std::int64_t round = 0; round < kRounds; ++round) {
    const auto r = static_cast<std::size_t>(round);
    Group& group = *groups[r % 2];
    const std::size_t half = r / 2 % 2;
    Stream& stream = *streams[half];
    const auto me = static_cast<std::size_t>(group.rank());
    const std::size_t piece = size_in(round);
    for (std::size_t i = 0; i < piece; ++i) bytes_of(source)[r * kLargest + i] = value(round, group.rank(), i);
    const std::size_t begin = half * n * kLargest;
    auto* out = static_cast<std::byte*>(memories[r % 2].data()) + begin;
    device_->copy(stream, out + me * piece, bytes_of(source) + r * kLargest, piece);
    group.all_gather(stream, tensor(memories[r % 2], begin, Dtype::u8, static_cast<std::int64_t>(n * piece)),
                     tensor(memories[r % 2], begin + me * piece, Dtype::u8, static_cast<std::int64_t>(piece)));
    for (std::size_t p = 0; p < n; ++p) {
      device_->copy(stream, bytes_of(read) + (r * n + p) * 64, out + (p + 1) * piece - 64, 64);
    }
    if (round % 3 == 0 && nccl_works())
      group.all_reduce(*reduce, tensor(sums, 0, Dtype::f32, kLargest / sizeof(float)));
  }
  for (Stream* stream : {streams[0].get(), streams[1].get(), reduce.get()}) stream->synchronize();
  for (std::int64_t round = 0; round < kRounds; ++round) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t i = 0; i < 64; ++i) {
        ASSERT_EQ(bytes_of(read)[(static_cast<std::size_t>(round) * n + p) * 64 + i],
                  value(round, static_cast<int>(p), size_in(round) - 64 + i))
            << "round " << round << ", piece " << p;
      }
    }
  }
}

/// Memory that is shared, let go of and freed, again and again: an address that comes back is not what it was.
TEST_F(CopyGather, SharesAnew) {
  const auto n = static_cast<std::size_t>(group_->size());
  const auto me = static_cast<std::size_t>(group_->rank());
  for (std::int64_t round = 0; round < 12; ++round) {
    const std::size_t piece = std::size_t{1000} << static_cast<std::size_t>(round);
    const Buffer aside = device_->allocate((static_cast<std::size_t>(round) + me) % 3 * 5000000 + 1);  // moves the next
    const Buffer memory = device_->allocate(n * piece);
    const auto shared = group_->share(memory);
    ASSERT_NE(shared, nullptr);
    const Buffer there = host(n * piece);
    for (std::size_t i = 0; i < piece; ++i) bytes_of(there)[me * piece + i] = value(round, group_->rank(), i);
    device_->copy(*stream_, memory.data(), there.data(), n * piece);
    group_->all_gather(*stream_, tensor(memory, 0, Dtype::u8, static_cast<std::int64_t>(n * piece)),
                       tensor(memory, me * piece, Dtype::u8, static_cast<std::int64_t>(piece)));
    device_->copy(*stream_, there.data(), memory.data(), n * piece);
    stream_->synchronize();
    for (std::size_t i = 0; i < n * piece; ++i) {
      ASSERT_EQ(bytes_of(there)[i], value(round, static_cast<int>(i / piece), i % piece)) << round << ", byte " << i;
    }
  }
}

TEST_F(CopyGather, IsNotTheRoadOfWhatIsNotShared) {
  const auto group = test_world().split("shard", 0, test_world().rank(), *device_, {.gather = GatherRoad::nccl});
  const Buffer memory = device_->allocate(4096);
  EXPECT_EQ(group->share(memory), nullptr);
  EXPECT_EQ(group_->share(Buffer()), nullptr);
  const auto as_usual = test_world().split("shard", 0, test_world().rank(), *device_, {});
  EXPECT_EQ(as_usual->share(memory), nullptr) << "copies are asked for, so far";
  if (!nccl_works()) return;
  for (Group* each : {group.get(), group_.get()}) {  // by NCCL
    each->all_gather(*stream_, tensor(memory, 0, Dtype::u8, 16 * each->size()), tensor(memory, 2048, Dtype::u8, 16));
    stream_->synchronize();
  }
}

/// Weights that a store gathers, after an update or block by block, are everyone's masters.
TEST_F(CopyGather, GathersTheWeightsOfAStore) {
  ParamTable table;
  constexpr int kBlocks = 6;
  for (int block = 0; block < kBlocks; ++block) {
    for (const char* name : {"a", "b"}) {
      table.add(block, {.name = fmt::format("{}{}", name, block),
                        .shape = {100003 + 1000 * block},
                        .init = {},
                        .decay = true,
                        .cut = {}});
    }
  }
  // Whole numbers that bf16 holds.
  const auto want = [](std::int64_t round, const std::string& name, std::int64_t i) {
    return static_cast<float>((round * 5 + name[0] * 7 + name[1] * 11 + i) % 251);
  };
  const auto ops = make_test_ops(*device_);
  const auto compute = device_->make_stream("compute");
  for (const ZeroStage stage : {ZeroStage::optimizer, ZeroStage::parameters}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
      const auto store = make_params(table, *device_, *ops, dtype, {.shard = group_.get()}, {.stage = stage});
      for (std::int64_t round = 0; round < 3; ++round) {
        for (const NamedSlice& slice : store->slices(SliceKind::owned)) {
          const std::int64_t size = slice.extent.elements();
          const Buffer values = host(slice.master.bytes());
          for (std::int64_t i = 0; i < size; ++i) {
            static_cast<float*>(values.data())[i] = want(round, slice.name, slice.origin[0] + i);
          }
          device_->copy(*compute, slice.master.data, values.data(), values.bytes());
          compute->synchronize();
        }
        store->refresh(*compute);
        for (int block = 0; block < kBlocks; ++block) {
          if (block + 1 < kBlocks) store->prefetch(block + 1);
          const Weights weights = store->acquire(*compute, block);
          for (int i = 0; i < 2; ++i) {
            const Tensor t = weights[{block, i}];
            const Buffer wide = device_->allocate(static_cast<std::size_t>(t.elements()) * sizeof(float));
            const Tensor floats{wide.data(), Dtype::f32, t.shape};
            if (dtype == Dtype::bf16) ops->run(*compute, Cast{.y = floats, .x = t});
            const Buffer there = host(wide.bytes());
            device_->copy(*compute, there.data(), dtype == Dtype::bf16 ? floats.data : t.data, wide.bytes());
            compute->synchronize();
            const auto name = fmt::format("{}{}", i == 0 ? 'a' : 'b', block);
            for (std::int64_t e = 0; e < t.elements(); ++e) {
              ASSERT_EQ(static_cast<const float*>(there.data())[e], want(round, name, e)) << name << ", " << e;
            }
          }
          store->release(*compute, block);
        }
      }
    }
  }
}

/// The others wait for a rank that does not come; an abort lets each of them go. The last test: nothing is shared
/// after.
TEST_F(CopyGather, ZEndsWhenARankDoesNotCome) {
  const auto n = group_->size();
  const Buffer memory = device_->allocate(static_cast<std::size_t>(n) << 20U);
  auto shared = group_->share(memory);
  ASSERT_NE(shared, nullptr);
  const Tensor out = tensor(memory, 0, Dtype::u8, std::int64_t{n} << 20U);
  const Tensor in = out.rows(std::int64_t{group_->rank()} << 20U, std::int64_t{1} << 20U);
  group_->all_gather(*stream_, out, in);
  stream_->synchronize();
  group_->barrier();
  if (group_->rank() != 0) {
    for (int i = 0; i < 3; ++i) group_->all_gather(*stream_, out, in);
    const auto ended = device_->make_event();
    stream_->record(*ended);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto moments = live_communicators().moments();
    bool waits = false;
    for (const auto& [number, moment] : moments) waits = waits || moment.running.has_value();
    EXPECT_TRUE(waits) << "the watchdog sees it";
  }
  const auto start = std::chrono::steady_clock::now();
  live_communicators().abort_all();
  stream_->synchronize();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 10.0);
  shared.reset();
  test_world().group().barrier();
}

}  // namespace
}  // namespace trireme
