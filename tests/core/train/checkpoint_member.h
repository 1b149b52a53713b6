// SPDX-License-Identifier: Apache-2.0
// One rank of a small model whose parameters lie in one of several ways, for the tests of checkpoints.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/train/checkpoint.h"
#include "kernels/kernels.h"
#include "parallel/parallel.h"

namespace trireme {

/// How a test's store lays parameters out: whole on every rank, or cut into rows or columns of which each rank has
/// some.
enum class Lay { replicated, rows, columns };

/// A store that holds one box of every parameter, or none of it where there are more ranks than rows.
class CutStore final : public ParamStore {
 public:
  CutStore(const ParamTable& table, Lay lay, const Group& group) {
    for (const auto& block : table.blocks()) {
      for (const ParamSpec& spec : block) {
        const int dim = lay == Lay::columns ? spec.shape.rank() - 1 : 0;
        const std::int64_t begin = spec.shape[dim] * group.rank() / group.size();
        const std::int64_t end = spec.shape[dim] * (group.rank() + 1) / group.size();
        if (begin == end) continue;
        NamedSlice slice{.name = spec.name,
                         .global = spec.shape,
                         .origin = {},
                         .extent = {},
                         .master = {},
                         .first = {},
                         .second = {}};
        std::vector<std::int64_t> extent;
        extent.reserve(static_cast<std::size_t>(spec.shape.rank()));
        for (int d = 0; d < spec.shape.rank(); ++d) extent.push_back(d == dim ? end - begin : spec.shape[d]);
        slice.origin[static_cast<std::size_t>(dim)] = begin;
        slice.extent = Shape(extent);
        for (Tensor* array : {&slice.master, &slice.first, &slice.second}) {
          memory_.push_back(std::make_unique<std::vector<float>>(slice.extent.elements()));
          *array = {memory_.back()->data(), Dtype::f32, slice.extent};
        }
        slices_.push_back(slice);
      }
    }
  }
  void begin_step(Stream& /*compute*/) override {}
  void prefetch(int /*block*/) override {}
  Weights acquire(Stream& /*compute*/, int /*block*/) override { return {}; }
  void release(Stream& /*compute*/, int /*block*/) override {}
  Weights gradients(Stream& /*compute*/, int /*block*/) override { return {}; }
  void reduce(Stream& /*compute*/, int /*block*/, bool /*last*/) override {}
  void finish_reduce(Stream& /*compute*/) override {}
  void sum_over_ranges(Stream& /*compute*/, const Tensor& /*scalar*/) override {}
  std::span<const FlatRange> ranges() override { return {}; }
  void publish(Stream& /*compute*/) override {}
  void refresh(Stream& /*compute*/) override { ++refreshed; }
  std::vector<NamedSlice> slices(SliceKind /*kind*/) override { return slices_; }
  std::vector<std::pair<std::string, std::size_t>> memory() const override { return {}; }

  int refreshed = 0;

 private:
  std::vector<NamedSlice> slices_;
  std::vector<std::unique_ptr<std::vector<float>>> memory_;
};

inline ParamTable checkpoint_table() {
  ParamTable table;
  table.add(0, {.name = "embedding.weight", .shape = {61, 24}, .init = {}, .decay = true, .cut = {}});
  table.add(1, {.name = "blocks.0.norm.weight", .shape = {24}, .init = {}, .decay = false, .cut = {}});
  table.add(1, {.name = "blocks.0.qkv.weight", .shape = {3, 8, 24}, .init = {}, .decay = true, .cut = {}});
  table.add(1, {.name = "blocks.0.up.weight", .shape = {50, 24}, .init = {}, .decay = true, .cut = {}});
  table.add(2, {.name = "norm.bias", .shape = {1}, .init = {}, .decay = false, .cut = {}});
  return table;
}

struct CheckpointMember {
  CheckpointMember(Group& g, Lay lay, const ParamTable& t = checkpoint_table())
      : group(g),
        table(t),
        device(make_cpu_device({.threads = 1, .inline_streams = true})),
        ops(make_cpu_ops(*device)),
        stream(device->make_stream("compute")) {
    if (lay == Lay::replicated) {
      store = make_params(table, *device, *ops, Dtype::f32, {.replica = &group});
    } else {
      store = std::make_unique<CutStore>(table, lay, group);
    }
  }

  CheckpointParts parts() { return {table, *store, *device, *stream, group}; }

  /// Calls f(element, expected) for every element of every array: a pure function of name, index, kind and salt. The
  /// bits of some are those of NaN: they too must come back.
  template <class F>
  void each(std::uint64_t salt, const F& f) {
    for (const NamedSlice& slice : store->slices(SliceKind::held)) {
      const Tensor* arrays[] = {&slice.master, &slice.first, &slice.second};
      for (std::uint64_t kind = 0; kind < 3; ++kind) {
        const Random random(salt * 3 + kind, slice.name);
        for (std::int64_t e = 0; e < slice.extent.elements(); ++e) {
          std::int64_t rest = e;
          std::int64_t index = 0;
          std::int64_t stride = 1;
          for (int d = slice.extent.rank() - 1; d >= 0; --d) {
            index += (slice.origin[static_cast<std::size_t>(d)] + rest % slice.extent[d]) * stride;
            stride *= slice.global[d];
            rest /= slice.extent[d];
          }
          f(slice, arrays[kind]->as<float>()[e],
            static_cast<std::uint32_t>(random.bits(static_cast<std::uint64_t>(index))));
        }
      }
    }
  }
  void fill(std::uint64_t salt) {
    each(salt, [](const NamedSlice&, float& element, std::uint32_t bits) { element = std::bit_cast<float>(bits); });
  }
  /// The number of elements that are not what fill(salt) would write.
  std::int64_t wrong(std::uint64_t salt) {
    std::int64_t count = 0;
    each(salt, [&](const NamedSlice&, float& element, std::uint32_t bits) {
      count += std::bit_cast<std::uint32_t>(element) != bits ? 1 : 0;
    });
    return count;
  }

  Group& group;
  ParamTable table;
  std::unique_ptr<Device> device;
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<ParamStore> store;
};

inline TrainState state_at(std::int64_t step) { return {.step = step, .position = 8 * step, .tokens = 800 * step}; }

}  // namespace trireme
