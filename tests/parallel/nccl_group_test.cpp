// SPDX-License-Identifier: Apache-2.0
// Groups over NCCL, a GPU for each rank, held against the host's oracle. Under mpirun.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "parallel/parallel.h"
#include "tests/kernels/test_device.h"
#include "tests/parallel/group_oracle.h"
#include "tests/parallel/mpi_main.h"

namespace trireme {
namespace {

/// Shows tensors of the host to a group of GPUs: each collective goes there and back before its call returns.
class Staged final : public Group {
 public:
  Staged(Group& group, Device& device) : group_(group), device_(device), stream_(device.make_stream("staged")) {}

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  std::string_view name() const override { return group_.name(); }

  void all_reduce(Stream& /*stream*/, const Tensor& t, Reduction reduction) override {
    const Buffer memory = device_.allocate(t.bytes());
    const Tensor there = at(memory, 0, t);
    up(there, t);
    group_.all_reduce(*stream_, there, reduction);
    down(t, there);
  }
  /// Into memory that is not shared and, where it can be, into memory that is.
  void all_gather(Stream& /*stream*/, const Tensor& out, const Tensor& in) override {
    for (const bool shares : {true, false}) {
      shares_ = shares && in.bytes() > 0;
      with_both(out, in, true, [&](const Tensor& o, const Tensor& i) { group_.all_gather(*stream_, o, i); });
    }
    shares_ = false;
  }
  void reduce_scatter(Stream& /*stream*/, const Tensor& out, const Tensor& in) override {
    with_both(in, out, false, [&](const Tensor& i, const Tensor& o) { group_.reduce_scatter(*stream_, o, i); });
  }
  void broadcast(Stream& /*stream*/, const Tensor& t, int root) override {
    const Buffer memory = device_.allocate(t.bytes());
    const Tensor there = at(memory, 0, t);
    up(there, t);
    group_.broadcast(*stream_, there, root);
    down(t, there);
  }

  void barrier() override { group_.barrier(); }
  void host_reduce(std::span<double> values, Reduction reduction) override { group_.host_reduce(values, reduction); }
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override {
    group_.host_reduce(values, reduction);
  }
  void host_sum(std::span<std::uint64_t> values) override { group_.host_sum(values); }
  void host_broadcast(std::string& bytes, int root) override { group_.host_broadcast(bytes, root); }
  std::vector<std::string> host_gather(const std::string& bytes) override { return group_.host_gather(bytes); }
  std::int64_t next_ticket() override { return group_.next_ticket(); }
  void reset_tickets() override { group_.reset_tickets(); }

 private:
  static Tensor at(const Buffer& memory, std::size_t begin, const Tensor& like) {
    return {static_cast<std::byte*>(memory.data()) + begin, like.dtype, like.shape};
  }
  void up(const Tensor& to, const Tensor& from) { device_.copy(*stream_, to.data, from.data, from.bytes()); }
  void down(const Tensor& to, const Tensor& from) {
    device_.copy(*stream_, to.data, from.data, from.bytes());
    stream_->synchronize();
  }
  /// A tensor and the smaller one that lies in it, or elsewhere: as they lie on the host, so on the device.
  template <class Call>
  void with_both(const Tensor& whole, const Tensor& part, bool whole_is_result, const Call& call) {
    const auto* begin = static_cast<const std::byte*>(whole.data);
    const auto* place = static_cast<const std::byte*>(part.data);
    const bool within = place >= begin && place < begin + whole.bytes();
    constexpr std::size_t kAlign = 256;
    const std::size_t apart = (whole.bytes() + kAlign - 1) / kAlign * kAlign;
    const Buffer memory = device_.allocate(apart + part.bytes());
    const auto shared = shares_ ? group_.share(memory) : nullptr;
    const Tensor there = at(memory, 0, whole);
    const Tensor part_there = at(memory, within ? static_cast<std::size_t>(place - begin) : apart, part);
    up(there, whole);
    up(part_there, part);
    call(there, part_there);
    if (whole_is_result) {
      down(whole, there);
    } else {
      down(part, part_there);
    }
  }

  Group& group_;
  Device& device_;
  std::unique_ptr<Stream> stream_;
  bool shares_ = false;
};

/// All ranks as one group, and where there are four or more also as pairs.
class NcclGroup : public testing::Test {
 protected:
  void SetUp() override {
    if (!tests_on_cuda()) GTEST_SKIP() << "for GPUs: TRIREME_TEST_DEVICE=cuda";
  }

  void each(const std::function<void(Group&)>& body) {
    World& world = test_world();
    const auto device = make_test_gpu(world.local_rank());
    std::vector<std::unique_ptr<Group>> groups;
    groups.push_back(world.split("world", 0, world.rank(), *device, {.gather = GatherRoad::copy}));
    if (world.size() >= 4) {
      groups.push_back(
          world.split("shard", world.rank() / 2, -world.rank(), *device, {.channels = 4, .gather = GatherRoad::copy}));
      groups.push_back(world.split("tensor", world.rank() % 2, world.rank(), *device, {}));
    }
    for (const auto& group : groups) {
      Staged staged(*group, *device);
      body(staged);
    }
    for (const auto& group : groups) EXPECT_GT(traffic_of(*group).tensors().calls, 0) << "not observed";
  }
};

TEST_F(NcclGroup, Reduces) {
  each([](Group& g) { expect_reductions(g, {.each_bf16_addition = true, .nan_in_maximum = false}); });
}
TEST_F(NcclGroup, Gathers) { each(expect_gathers); }
TEST_F(NcclGroup, Broadcasts) { each(expect_broadcasts); }
TEST_F(NcclGroup, HandsOutTickets) { each(expect_tickets); }
TEST_F(NcclGroup, TakesHostCalls) {
  each([](Group& g) {
    expect_host_calls(g);
    expect_gathers(g);
  });
}

/// Collectives of two groups on three streams that run out of step, while nothing waits on the host.
TEST_F(NcclGroup, WorksFromManyStreams) {
  World& world = test_world();
  const auto device = make_test_gpu(world.local_rank());
  const auto shard = world.split("shard", 0, world.rank(), *device, {.channels = 2});
  const auto tensor = world.split("tensor", 0, world.rank(), *device, {});
  const std::unique_ptr<Stream> streams[] = {device->make_stream("compute"), device->make_stream("gather"),
                                             device->make_stream("reduce")};
  constexpr std::int64_t kRounds = 60;
  constexpr std::int64_t kLargest = 300007;
  constexpr std::size_t kBytes = kLargest * sizeof(std::int32_t);
  std::vector<Buffer> host, there;
  for (std::int64_t i = 0; i < kRounds; ++i) {
    host.push_back(device->allocate(kBytes, MemoryKind::pinned));
    there.push_back(device->allocate(kBytes));
    auto* values = static_cast<std::int32_t*>(host.back().data());
    std::iota(values, values + kLargest, static_cast<std::int32_t>(1000 * world.rank() + i));
  }
  for (std::int64_t i = 0; i < kRounds; ++i) {
    Stream& stream = *streams[i % 3];
    Group& group = i % 2 == 0 ? *shard : *tensor;
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t size = 1 + i * i * (kLargest - 1) / (kRounds * kRounds);
    if (i % 5 == world.rank()) stream.call([] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); });
    device->copy(stream, there[at].data(), host[at].data(), kBytes);
    group.all_reduce(stream, {there[at].data(), Dtype::i32, {size}});
    device->copy(stream, host[at].data(), there[at].data(), kBytes);
  }
  for (const auto& stream : streams) stream->synchronize();
  for (std::int64_t i = 0; i < kRounds; ++i) {
    const std::int64_t size = 1 + i * i * (kLargest - 1) / (kRounds * kRounds);
    const auto* values = static_cast<const std::int32_t*>(host[static_cast<std::size_t>(i)].data());
    const int n = world.size();
    for (std::int64_t e = 0; e < kLargest; ++e) {
      const std::int64_t want = e < size ? 1000 * n * (n - 1) / 2 + n * (i + e) : 1000 * world.rank() + i + e;
      ASSERT_EQ(values[e], want) << "round " << i << ", element " << e;
    }
  }
}

/// A stream that is gone and one made in its place are not the same to a group, wherever the new one lies.
TEST_F(NcclGroup, OutlivesStreams) {
  World& world = test_world();
  const auto device = make_test_gpu(world.local_rank());
  const auto group = world.split("data", 0, world.rank(), *device, {});
  const Buffer memory = device->allocate(sizeof(float));
  const Buffer host = device->allocate(sizeof(float), MemoryKind::pinned);
  auto* value = static_cast<float*>(host.data());
  for (int i = 0; i < 3; ++i) {
    const auto stream = device->make_stream("short");
    *value = static_cast<float>(world.rank() + i);
    device->copy(*stream, memory.data(), value, sizeof(float));
    group->all_reduce(*stream, {memory.data(), Dtype::f32, {1}}, Reduction::max);
    device->copy(*stream, value, memory.data(), sizeof(float));
    stream->synchronize();
    EXPECT_EQ(*value, static_cast<float>(world.size() - 1 + i));
  }
}

TEST_F(NcclGroup, RefusesWhatItCannotDo) {
  World& world = test_world();
  const auto device = make_test_gpu(world.local_rank());
  const auto group = world.split("world", 0, world.rank(), *device, {});
  const auto stream = device->make_stream("compute");
  const Buffer memory = device->allocate(1024);
  const Tensor five{memory.data(), Dtype::f32, {5}};
  const Tensor other{memory.data(), Dtype::f32, {5 * world.size() + 1}};
  EXPECT_THROW(group->all_gather(*stream, other, five), Error);
  EXPECT_THROW(group->reduce_scatter(*stream, five, other), Error);
  EXPECT_THROW(group->broadcast(*stream, five, world.size()), Error);
  EXPECT_THROW(group->broadcast(*stream, five, -1), Error);
  const auto cpu = make_cpu_device({});
  const auto elsewhere = cpu->make_stream("compute");
  EXPECT_THROW(group->all_reduce(*elsewhere, five), Error);
  elsewhere->synchronize();
}

}  // namespace
}  // namespace trireme
