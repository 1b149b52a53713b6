// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

ParamTable small_table() {
  ParamTable table;
  table.add(0, {.name = "embedding", .shape = {11, 7}, .init = {}, .decay = true, .cut = {}});
  table.add(1, {.name = "norm", .shape = {7}, .init = {}, .decay = false, .cut = {}});
  table.add(1, {.name = "up", .shape = {13, 7}, .init = {}, .decay = true, .cut = {}});
  table.add(1, {.name = "bias", .shape = {13}, .init = {}, .decay = false, .cut = {}});
  table.add(1, {.name = "down", .shape = {7, 13}, .init = {}, .decay = true, .cut = {}});
  table.add(2, {.name = "last", .shape = {7}, .init = {}, .decay = false, .cut = {}});
  return table;
}

struct Rank {
  Rank(Group& group, Dtype compute)
      : device(make_cpu_device({})),
        ops(make_cpu_ops(*device)),
        stream(device->make_stream("compute")),
        table(small_table()),
        store(make_params(table, *device, *ops, compute, {.replica = &group})) {}

  std::unique_ptr<Device> device;
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Stream> stream;
  ParamTable table;
  std::unique_ptr<ParamStore> store;
};

class OnRanks : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, OnRanks, testing::Values(1, 2, 3, 4));

TEST_P(OnRanks, GradientsAreSummedWhileTheNextBlockIsComputed) {
  run_thread_ranks(GetParam(), [](Group& group) {
    Rank r(group, Dtype::f32);
    const int n = group.size();
    for (int step = 0; step < 3; ++step) {
      r.store->begin_step(*r.stream);
      for (int micro = 0; micro < 2; ++micro) {
        for (int block = 2; block >= 0; --block) {
          const Weights gradients = r.store->gradients(*r.stream, block);
          const auto count = static_cast<int>(r.table.blocks()[static_cast<std::size_t>(block)].size());
          r.stream->call([=, &group] {
            if (group.rank() == block) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            for (int i = 0; i < count; ++i) {
              const Tensor t = gradients[{block, i}];
              for (std::int64_t e = 0; e < t.elements(); ++e) {
                t.as<float>()[e] += static_cast<float>(e + 100 * i + step + group.rank());
              }
            }
          });
          r.store->reduce(*r.stream, block, micro == 1);
        }
      }
      r.store->finish_reduce(*r.stream);
      r.stream->call([&] {
        for (int block = 0; block < 3; ++block) {
          const Weights gradients = r.store->gradients(*r.stream, block);
          const auto& specs = r.table.blocks()[static_cast<std::size_t>(block)];
          for (int i = 0; i < static_cast<int>(specs.size()); ++i) {
            const Tensor t = gradients[{block, i}];
            ASSERT_EQ(t.shape, specs[static_cast<std::size_t>(i)].shape);
            for (std::int64_t e = 0; e < t.elements(); ++e) {  // two micro-steps, all ranks
              const auto want = static_cast<float>(2 * (n * (e + 100 * i + step) + n * (n - 1) / 2));
              ASSERT_EQ(t.as<float>()[e], want) << block << " " << i << " " << e;
            }
          }
        }
      });
      r.stream->synchronize();
    }
  });
}

TEST(ReplicatedParams, RangesHoldEveryParameterOnceWithItsDecay) {
  const auto group = make_self_group("replica");
  Rank r(*group, Dtype::f32);
  std::int64_t covered = 0;
  for (int block = 0; block < 3; ++block) {
    const Weights weights = r.store->acquire(*r.stream, block);
    const Weights gradients = r.store->gradients(*r.stream, block);
    const auto& specs = r.table.blocks()[static_cast<std::size_t>(block)];
    for (int i = 0; i < static_cast<int>(specs.size()); ++i) {
      const Tensor weight = weights[{block, i}];
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(weight.data) % 256, 0U);
      int found = 0;
      for (const FlatRange& range : r.store->ranges()) {
        const std::int64_t at = weight.as<float>() - range.master.as<float>();
        if (at < 0 || at + weight.elements() > range.master.elements()) continue;
        ++found;
        EXPECT_EQ(range.decay, specs[static_cast<std::size_t>(i)].decay);
        EXPECT_EQ((gradients[{block, i}].as<float>()), range.gradient.as<float>() + at);
        EXPECT_FALSE(range.copy) << "fp32 needs no copy";
      }
      EXPECT_EQ(found, 1);
      covered += weight.elements();
    }
  }
  EXPECT_EQ(covered, r.table.count());
  EXPECT_EQ(r.store->ranges().size(), 4U) << "one per block and decay: 1 + 2 + 1";
}

TEST(ReplicatedParams, Bf16CopiesFollowTheMasters) {
  const auto group = make_self_group("replica");
  Rank r(*group, Dtype::bf16);
  for (const NamedSlice& slice : r.store->slices(SliceKind::held)) {
    for (std::int64_t e = 0; e < slice.master.elements(); ++e) {
      slice.master.as<float>()[e] = 1.0F + 0.0071F * static_cast<float>(e);
    }
  }
  r.store->refresh(*r.stream);
  r.stream->synchronize();
  for (int block = 0; block < 3; ++block) {
    const Weights weights = r.store->acquire(*r.stream, block);
    const auto& specs = r.table.blocks()[static_cast<std::size_t>(block)];
    for (int i = 0; i < static_cast<int>(specs.size()); ++i) {
      const Tensor t = weights[{block, i}];
      ASSERT_EQ(t.dtype, Dtype::bf16);
      for (std::int64_t e = 0; e < t.elements(); ++e) {
        EXPECT_EQ(t.as<Bf16>()[e].bits, Bf16(1.0F + 0.0071F * static_cast<float>(e)).bits);
      }
    }
  }
  for (const FlatRange& range : r.store->ranges()) {
    EXPECT_EQ(range.copy.dtype, Dtype::bf16);
    EXPECT_EQ(range.copy.elements(), range.master.elements());
  }
}

TEST_P(OnRanks, OwnedSlicesShareTheModelOutEvenly) {
  std::mutex mutex;
  std::map<std::string, std::vector<int>> owners;
  std::vector<std::int64_t> shares;
  run_thread_ranks(GetParam(), [&](Group& group) {
    Rank r(group, Dtype::f32);
    std::map<std::string, float*> whole;
    std::int64_t held = 0;
    for (const NamedSlice& slice : r.store->slices(SliceKind::held)) {
      EXPECT_EQ(slice.extent, slice.global);
      whole[slice.name] = slice.master.as<float>();
      held += slice.extent.elements();
    }
    EXPECT_EQ(held, r.table.count());
    std::int64_t share = 0;
    const std::lock_guard lock(mutex);
    for (const NamedSlice& slice : r.store->slices(SliceKind::owned)) {
      share += slice.extent.elements();
      auto& of_tensor = owners[slice.name];
      of_tensor.resize(static_cast<std::size_t>(slice.global.elements()));
      const std::int64_t columns = slice.global.rank() == 2 ? slice.global[1] : 1;
      for (std::int64_t e = 0; e < slice.extent.elements(); ++e) {
        const std::int64_t row = slice.origin[0] + (slice.extent.rank() == 2 ? e / slice.extent[1] : e);
        const std::int64_t column = slice.extent.rank() == 2 ? slice.origin[1] + e % slice.extent[1] : 0;
        ++of_tensor[static_cast<std::size_t>(row * columns + column)];
        EXPECT_EQ(slice.master.as<float>() + e, whole[slice.name] + row * columns + column);
      }
    }
    shares.push_back(share);
  });
  EXPECT_EQ(owners.size(), 6U);
  for (const auto& [name, counts] : owners) EXPECT_EQ(counts, std::vector<int>(counts.size(), 1)) << name;
  const auto [low, high] = std::minmax_element(shares.begin(), shares.end());
  EXPECT_LE(*high - *low, 1);
}

TEST(ReplicatedParams, SaysWhatItHolds) {
  const auto group = make_self_group("replica");
  Rank r(*group, Dtype::bf16);
  std::map<std::string, std::size_t> memory;
  for (const auto& [name, bytes] : r.store->memory()) memory[name] = bytes;
  EXPECT_GE(memory["masters"], static_cast<std::size_t>(r.table.count()) * 4);
  EXPECT_EQ(memory["moments"], 2 * memory["masters"]);
  EXPECT_EQ(memory["gradients"], memory["masters"]);
  EXPECT_EQ(memory["copies"], memory["masters"] / 2);
  EXPECT_THROW(make_params(r.table, *r.device, *r.ops, Dtype::i32, {}), Error);
}

TEST(ReplicatedParams, AFailedReductionReachesTheComputeStream) {
  try {
    run_thread_ranks(2, [](Group& group) {
      Rank r(group, Dtype::f32);
      if (group.rank() == 1) throw std::runtime_error("boom");
      r.store->begin_step(*r.stream);
      r.store->reduce(*r.stream, 0, true);
      r.store->finish_reduce(*r.stream);
      bool went_on = false;
      r.stream->call([&] { went_on = true; });
      EXPECT_THROW(r.stream->synchronize(), Error);
      EXPECT_FALSE(went_on);
    });
    FAIL() << "no error";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "boom");
  }
}

}  // namespace
}  // namespace trireme
