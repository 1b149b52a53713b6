// SPDX-License-Identifier: Apache-2.0
// The parameter store: masters and moments of this rank's piece of every block, with weights and gradients that are
// resident or leased as the ZeRO stage says.
#include <algorithm>
#include <cassert>
#include <memory>

#include "core/base/error.h"
#include "parallel/block_gradients.h"
#include "parallel/block_weights.h"
#include "parallel/flat_boxes.h"
#include "parallel/flat_layout.h"
#include "parallel/parallel.h"
#include "parallel/rank_order.h"

namespace trireme {
namespace {

int rank_of(const Group* axis) { return axis == nullptr ? 0 : axis->rank(); }
int ranks_of(const Group* axis) { return axis == nullptr ? 1 : axis->size(); }
/// An axis of one rank is none.
Group* wide(Group* axis) { return ranks_of(axis) == 1 ? nullptr : axis; }

/// Elements [begin, end) of all these slices, counted one after another.
std::vector<NamedSlice> elements_of(const std::vector<NamedSlice>& slices, std::int64_t begin, std::int64_t end) {
  std::vector<NamedSlice> parts;
  std::int64_t counted = 0;
  for (const NamedSlice& whole : slices) {
    const std::int64_t size = whole.extent.elements();
    const std::int64_t from = std::clamp<std::int64_t>(begin - counted, 0, size);
    const std::int64_t to = std::clamp<std::int64_t>(end - counted, 0, size);
    for (const FlatBox& box : flat_boxes(whole.extent, from, to)) {
      NamedSlice part = whole;
      part.extent = box.extent;
      for (std::size_t d = 0; d < part.origin.size(); ++d) part.origin[d] += box.origin[d];
      const auto within = [&](const Tensor& t) {
        return t.reshape({size}).rows(box.begin, box.extent.elements()).reshape(box.extent);
      };
      part.master = within(whole.master);
      part.first = within(whole.first);
      part.second = within(whole.second);
      parts.push_back(std::move(part));
    }
    counted += size;
  }
  return parts;
}

class Params final : public ParamStore {
 public:
  Params(const ParamTable& table, Device& device, const Ops& ops, Dtype compute, const ParamAxes& axes,
         const ShardingOptions& options)
      : table_(table),
        axes_{wide(axes.replica), wide(axes.shard), wide(axes.tensor), wide(axes.copies)},
        layouts_(layouts_of(table, axes_)),
        parts_{layouts_, table.ends_tied(), device, ops, compute, axes_.shard} {
    check(compute == Dtype::f32 || compute == Dtype::bf16, "parameters cannot be computed with in {}: fp32 or bf16 can",
          name(compute));
    check(options.reduce_dtype == Dtype::f32 || options.reduce_dtype == Dtype::bf16,
          "gradients cannot be summed in {}: fp32 or bf16 can", name(options.reduce_dtype));
    const bool sharded = axes_.shard != nullptr;
    const bool gathered = sharded && options.stage == ZeroStage::parameters;
    const bool leased = sharded && options.stage != ZeroStage::optimizer && options.reduce == ReduceEvery::micro_step;
    weights_ = gathered ? make_gathered_weights(parts_) : make_resident_weights(parts_);
    const ReductionAxes rest{axes_.replica, axes_.tensor, axes_.copies};
    gradients_ = leased ? make_leased_gradients(parts_, rest, options.reduce_dtype)
                        : make_whole_gradients(parts_, rest, options.reduce_dtype);
    const auto bytes = static_cast<std::size_t>(parts_.piece_elements()) * sizeof(float);
    firsts_ = device.allocate(bytes);
    seconds_ = device.allocate(bytes);
    std::int64_t at = 0;
    for (int block = 0; block < blocks(); ++block) {
      begins_.push_back(at);
      add_ranges(block);
      at += parts_.piece(block);
    }
  }

  void begin_step(Stream& compute) override { gradients_->begin_step(compute); }
  void prefetch(int block) override { weights_->prefetch(block); }
  Weights acquire(Stream& compute, int block) override { return weights_->acquire(compute, block); }
  void release(Stream& compute, int block) override { weights_->release(compute, block); }
  Weights gradients(Stream& compute, int block) override { return gradients_->gradients(compute, block); }
  void reduce(Stream& compute, int block, bool last) override { gradients_->reduce(compute, block, last); }
  void finish_reduce(Stream& compute) override { gradients_->finish(compute); }

  void sum_over_ranges(Stream& compute, const Tensor& scalar) override {
    if (axes_.shard != nullptr) axes_.shard->all_reduce(compute, scalar);
    if (axes_.tensor != nullptr) axes_.tensor->all_reduce(compute, scalar);
  }
  std::span<const FlatRange> ranges() override { return ranges_; }
  void publish(Stream& compute) override { weights_->publish(compute); }

  void refresh(Stream& compute) override {
    for (int block = 0; block < blocks(); ++block) {
      const Tensor copy = weights_->copy(block);
      if (copy) parts_.ops.run(compute, Cast{.y = copy, .x = weights_->master(block)});
    }
    weights_->publish(compute);
  }

  std::vector<NamedSlice> slices(SliceKind kind) override {
    weights_->settle();
    std::vector<NamedSlice> slices;
    std::int64_t total = 0;
    for (int block = 0; block < blocks(); ++block) {
      const auto b = static_cast<std::size_t>(block);
      const std::int64_t piece = parts_.piece(block);
      const std::int64_t begin = parts_.shard_rank() * piece;
      for (auto& placed :
           slices_within(table_.blocks()[b], layouts_[b], begin, begin + piece, kind == SliceKind::owned)) {
        const std::int64_t at = placed.at - begin;
        const Shape& shape = placed.slice.extent;
        placed.slice.master = weights_->master(block).rows(at, shape.elements()).reshape(shape);
        placed.slice.first = part_of(firsts_, Dtype::f32, begins_[b] + at, shape);
        placed.slice.second = part_of(seconds_, Dtype::f32, begins_[b] + at, shape);
        total += shape.elements();
        slices.push_back(std::move(placed.slice));
      }
    }
    if (kind == SliceKind::held || axes_.replica == nullptr) return slices;
    // Replicas hold the same: each is to write an even part.
    const std::int64_t replicas = axes_.replica->size();
    return elements_of(slices, part_begin(total, axes_.replica->rank(), replicas),
                       part_begin(total, axes_.replica->rank() + 1, replicas));
  }

  std::vector<std::pair<std::string, std::size_t>> memory() const override {
    return {{"masters", firsts_.bytes()},
            {"moments", firsts_.bytes() + seconds_.bytes()},
            {"gradients", gradients_->bytes()},
            {"copies", weights_->copy_bytes()},
            {"buffers", weights_->buffer_bytes() + gradients_->buffer_bytes()}};
  }

 private:
  static std::vector<BlockLayout> layouts_of(const ParamTable& table, const ParamAxes& axes) {
    std::vector<BlockLayout> layouts;
    for (const auto& block : table.blocks()) {
      layouts.push_back(lay_out(block, rank_of(axes.tensor), ranks_of(axes.tensor), ranks_of(axes.shard)));
    }
    return layouts;
  }

  int blocks() const { return static_cast<int>(layouts_.size()); }

  /// What the optimizer sees of this rank's piece of the block.
  void add_ranges(int block) {
    const auto b = static_cast<std::size_t>(block);
    const std::int64_t piece = parts_.piece(block);
    const std::int64_t begin = parts_.shard_rank() * piece;
    for (const FlatSegment& segment : layouts_[b].segments) {
      const FlatSegment here = clip(segment, begin, begin + piece);
      const std::int64_t size = here.end - here.begin;
      if (size == 0) continue;
      const std::int64_t at = here.begin - begin;
      const Tensor copy = weights_->copy(block);
      ranges_.push_back({.master = weights_->master(block).rows(at, size),
                         .first = part_of(firsts_, Dtype::f32, begins_[b] + at, {size}),
                         .second = part_of(seconds_, Dtype::f32, begins_[b] + at, {size}),
                         .gradient = gradients_->piece(block).rows(at, size),
                         .copy = copy ? copy.rows(at, size) : Tensor{},
                         .decay = here.decay,
                         .lr_scale = here.lr_scale,
                         .counted = here.first});
    }
  }

  const ParamTable table_;
  const ParamAxes axes_;
  const std::vector<BlockLayout> layouts_;
  const StoreParts parts_;
  Buffer firsts_, seconds_;           // pieces, by block
  std::vector<std::int64_t> begins_;  // of a block's piece
  std::vector<FlatRange> ranges_;
  std::unique_ptr<BlockWeights> weights_;
  std::unique_ptr<BlockGradients> gradients_;
};

}  // namespace

std::unique_ptr<ParamStore> make_params(const ParamTable& table, Device& device, const Ops& ops, Dtype compute,
                                        const ParamAxes& axes, const ShardingOptions& options) {
  return std::make_unique<Params>(table, device, ops, compute, axes, options);
}

}  // namespace trireme
