// SPDX-License-Identifier: Apache-2.0
// Parameters of which every rank holds all; gradients are summed over the replicas, block by block, on a stream of
// their own while the backward pass goes on.
#include <algorithm>
#include <cassert>
#include <memory>

#include "core/base/error.h"
#include "parallel/flat_boxes.h"
#include "parallel/parallel.h"
#include "parallel/rank_order.h"

namespace trireme {
namespace {

// Every parameter starts at a multiple of this many elements (256 bytes in fp32): aligned loads. The padding holds
// zeros in masters, moments and gradients, and the optimizer keeps it so.
constexpr std::int64_t kAlign = 64;

std::int64_t align_up(std::int64_t elements) { return (elements + kAlign - 1) / kAlign * kAlign; }

/// Where one block's parameters lie in the flat memory: decayed ones first, then the others, without a gap between.
struct BlockLayout {
  std::int64_t begin = 0;
  std::int64_t decayed_end = 0;
  std::int64_t end = 0;
  std::vector<std::int64_t> offsets;  // by parameter, from the beginning of the flat memory
};

class ReplicatedParams final : public ParamStore {
 public:
  ReplicatedParams(const ParamTable& table, Device& device, const Ops& ops, Dtype compute, Group& replicas)
      : table_(table), device_(device), ops_(ops), compute_(compute), replicas_(replicas) {
    check(compute == Dtype::f32 || compute == Dtype::bf16, "parameters cannot be computed with in {}: fp32 or bf16 can",
          name(compute));
    lay_out();
    const std::size_t bytes = static_cast<std::size_t>(elements_) * sizeof(float);
    masters_ = device.allocate(bytes);
    firsts_ = device.allocate(bytes);
    seconds_ = device.allocate(bytes);
    gradients_ = device.allocate(bytes);
    if (compute_ != Dtype::f32) copies_ = device.allocate(static_cast<std::size_t>(elements_) * size_of(compute_));
    make_views();
    if (replicas_.size() > 1) {
      communication_ = device.make_stream("reduce");
      reduced_ = device.make_event();
      for (std::size_t b = 0; b < layout_.size(); ++b) complete_.push_back(device.make_event());
    }
  }

  void begin_step(Stream& compute) override { device_.zero(compute, gradients_.data(), gradients_.bytes()); }
  void prefetch(int /*block*/) override {}
  Weights acquire(Stream& /*compute*/, int block) override { return Weights(weight_views_.at(index(block))); }
  void release(Stream& /*compute*/, int /*block*/) override {}
  Weights gradients(Stream& /*compute*/, int block) override { return Weights(gradient_views_.at(index(block))); }

  void reduce(Stream& compute, int block, bool last) override {
    if (!last || !communication_) return;
    const BlockLayout& layout = layout_.at(index(block));
    Event& complete = *complete_.at(index(block));
    compute.record(complete);
    communication_->wait(complete);
    replicas_.all_reduce(*communication_, flat(gradients_, Dtype::f32, layout.begin, layout.end), Reduction::sum);
  }

  void finish_reduce(Stream& compute) override {
    if (!communication_) return;
    // An error of the communication stream passes through the event to whoever waits for it.
    communication_->record(*reduced_);
    compute.wait(*reduced_);
  }

  void sum_over_ranges(Stream& /*compute*/, const Tensor& /*scalar*/) override {}
  std::span<const FlatRange> ranges() override { return ranges_; }
  void publish(Stream& /*compute*/) override {}

  void refresh(Stream& compute) override {
    if (compute_ == Dtype::f32 || elements_ == 0) return;
    ops_.run(compute, Cast{.y = flat(copies_, compute_, 0, elements_), .x = flat(masters_, Dtype::f32, 0, elements_)});
  }

  std::vector<NamedSlice> slices(SliceKind kind) override {
    // Of the model's elements, counted parameter by parameter, this rank is to write an even part.
    const std::int64_t total = table_.count();
    const std::int64_t first = kind == SliceKind::held ? 0 : part_begin(total, replicas_.rank(), replicas_.size());
    const std::int64_t last =
        kind == SliceKind::held ? total : part_begin(total, replicas_.rank() + 1, replicas_.size());
    std::vector<NamedSlice> slices;
    std::int64_t counted = 0;
    for (std::size_t b = 0; b < layout_.size(); ++b) {
      for (std::size_t i = 0; i < table_.blocks()[b].size(); ++i) {
        const ParamSpec& spec = table_.blocks()[b][i];
        const std::int64_t size = spec.shape.elements();
        const std::int64_t begin = std::clamp<std::int64_t>(first - counted, 0, size);
        const std::int64_t end = std::clamp<std::int64_t>(last - counted, 0, size);
        for (const FlatBox& box : flat_boxes(spec.shape, begin, end)) {
          const std::int64_t at = layout_[b].offsets[i] + box.begin;
          slices.push_back({.name = spec.name,
                            .global = spec.shape,
                            .origin = box.origin,
                            .extent = box.extent,
                            .master = tensor(masters_, Dtype::f32, at, box.extent),
                            .first = tensor(firsts_, Dtype::f32, at, box.extent),
                            .second = tensor(seconds_, Dtype::f32, at, box.extent)});
        }
        counted += size;
      }
    }
    return slices;
  }

  std::vector<std::pair<std::string, std::size_t>> memory() const override {
    return {{"masters", masters_.bytes()},
            {"moments", firsts_.bytes() + seconds_.bytes()},
            {"gradients", gradients_.bytes()},
            {"copies", copies_.bytes()},
            {"buffers", 0}};
  }

 private:
  static std::size_t index(int block) { return static_cast<std::size_t>(block); }

  static Tensor tensor(const Buffer& buffer, Dtype dtype, std::int64_t offset, const Shape& shape) {
    return {static_cast<std::byte*>(buffer.data()) + static_cast<std::size_t>(offset) * size_of(dtype), dtype, shape};
  }
  static Tensor flat(const Buffer& buffer, Dtype dtype, std::int64_t begin, std::int64_t end) {
    return tensor(buffer, dtype, begin, {end - begin});
  }

  void lay_out() {
    for (const auto& block : table_.blocks()) {
      BlockLayout layout;
      layout.begin = elements_;
      layout.offsets.resize(block.size());
      for (const bool decay : {true, false}) {
        for (std::size_t i = 0; i < block.size(); ++i) {
          if (block[i].decay != decay) continue;
          layout.offsets[i] = elements_;
          elements_ += align_up(block[i].shape.elements());
        }
        if (decay) layout.decayed_end = elements_;
      }
      layout.end = elements_;
      layout_.push_back(std::move(layout));
    }
  }

  void make_views() {
    const Buffer& weights = compute_ == Dtype::f32 ? masters_ : copies_;
    for (std::size_t b = 0; b < layout_.size(); ++b) {
      std::vector<Tensor> weight_views;
      std::vector<Tensor> gradient_views;
      for (std::size_t i = 0; i < layout_[b].offsets.size(); ++i) {
        const Shape& shape = table_.blocks()[b][i].shape;
        weight_views.push_back(tensor(weights, compute_, layout_[b].offsets[i], shape));
        gradient_views.push_back(tensor(gradients_, Dtype::f32, layout_[b].offsets[i], shape));
      }
      weight_views_.push_back(std::move(weight_views));
      gradient_views_.push_back(std::move(gradient_views));
      add_range(layout_[b].begin, layout_[b].decayed_end, true);
      add_range(layout_[b].decayed_end, layout_[b].end, false);
    }
  }

  void add_range(std::int64_t begin, std::int64_t end, bool decay) {
    if (begin == end) return;
    ranges_.push_back({.master = flat(masters_, Dtype::f32, begin, end),
                       .first = flat(firsts_, Dtype::f32, begin, end),
                       .second = flat(seconds_, Dtype::f32, begin, end),
                       .gradient = flat(gradients_, Dtype::f32, begin, end),
                       .copy = compute_ == Dtype::f32 ? Tensor{} : flat(copies_, compute_, begin, end),
                       .decay = decay});
  }

  const ParamTable table_;
  Device& device_;
  const Ops& ops_;
  Dtype compute_;
  Group& replicas_;
  std::int64_t elements_ = 0;
  std::vector<BlockLayout> layout_;
  Buffer masters_, firsts_, seconds_, gradients_, copies_;
  std::vector<std::vector<Tensor>> weight_views_, gradient_views_;  // by block, by parameter
  std::vector<FlatRange> ranges_;
  // Destroyed first: its work still reads the buffers.
  std::unique_ptr<Event> reduced_;
  std::vector<std::unique_ptr<Event>> complete_;  // by block: its gradients are complete
  std::unique_ptr<Stream> communication_;
};

}  // namespace

std::unique_ptr<ParamStore> make_replicated_params(const ParamTable& table, Device& device, const Ops& ops,
                                                   Dtype compute, Group& replicas) {
  return std::make_unique<ReplicatedParams>(table, device, ops, compute, replicas);
}

}  // namespace trireme
