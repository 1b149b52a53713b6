// SPDX-License-Identifier: Apache-2.0
#include "parallel/block_gradients.h"

#include <algorithm>

#include "parallel/block_slots.h"

namespace trireme {
namespace {

std::size_t index(int block) { return static_cast<std::size_t>(block); }

std::size_t bytes_of(std::int64_t elements, Dtype dtype) { return static_cast<std::size_t>(elements) * size_of(dtype); }

/// Sums over ranks, on a stream of their own while the backward pass goes on.
class Reducer {
 public:
  Reducer(const StoreParts& parts, const ReductionAxes& axes, Dtype dtype) : parts_(parts), axes_(axes), dtype_(dtype) {
    if (parts_.shard == nullptr && axes_.replica == nullptr && axes_.tensor == nullptr) return;
    stream_ = parts_.device.make_stream("reduce");
    done_ = parts_.device.make_event();
    if (parts_.shard == nullptr || dtype_ == Dtype::f32) return;
    std::int64_t largest = 0;
    for (const BlockLayout& layout : parts_.layouts) largest = std::max(largest, layout.elements);
    narrow_ = parts_.device.allocate(bytes_of(largest, dtype_));
  }

  /// None where there is nothing to sum over.
  Stream* stream() const { return stream_.get(); }
  std::size_t buffer_bytes() const { return narrow_.bytes(); }

  /// This rank's piece of the sum of `whole` over the shard axis goes to `piece`, which may be its place in `whole`.
  void over_shards(int block, const Tensor& whole, const Tensor& piece) {
    if (parts_.shard == nullptr) return;
    if (dtype_ == Dtype::f32) {
      parts_.shard->reduce_scatter(*stream_, piece, whole);
      return;
    }
    const std::int64_t part = parts_.piece(block);
    const Tensor narrow = part_of(narrow_, dtype_, 0, whole.shape);
    const Tensor narrow_piece = narrow.rows(parts_.shard_rank() * part, part);
    parts_.ops.run(*stream_, Cast{.y = narrow, .x = whole});
    parts_.shard->reduce_scatter(*stream_, narrow_piece, narrow);
    parts_.ops.run(*stream_, Cast{.y = piece, .x = narrow_piece});
  }

  /// Sums this rank's piece over replicas, and what several ranks of the tensor axis hold over these.
  void over_the_rest(int block, const Tensor& piece) {
    if (axes_.replica != nullptr) axes_.replica->all_reduce(*stream_, piece);
    if (axes_.tensor == nullptr) return;
    const std::int64_t begin = parts_.shard_rank() * parts_.piece(block);
    for (const FlatSegment& segment : parts_.layouts[index(block)].segments) {
      const FlatSegment here = clip(segment, begin, begin + parts_.piece(block));
      Group* const holders = here.held == Held::by_all ? axes_.tensor : axes_.copies;
      if (here.begin == here.end || here.held == Held::alone || holders == nullptr) continue;
      holders->all_reduce(*stream_, piece.rows(here.begin - begin, here.end - here.begin));
    }
  }

  /// An error of the stream passes through the event to whoever waits for it.
  void finish(Stream& compute) {
    if (!stream_) return;
    stream_->record(*done_);
    compute.wait(*done_);
  }

 private:
  const StoreParts parts_;
  const ReductionAxes axes_;
  Dtype dtype_;
  Buffer narrow_;  // the largest block in the reduction's dtype
  std::unique_ptr<Event> done_;
  std::unique_ptr<Stream> stream_;
};

class WholeGradients final : public BlockGradients {
 public:
  WholeGradients(const StoreParts& parts, const ReductionAxes& axes, Dtype reduce_dtype)
      : parts_(parts),
        memory_(parts.device.allocate(bytes_of(parts.whole_elements(), Dtype::f32))),
        reducer_(parts, axes, reduce_dtype) {
    std::int64_t at = 0;
    for (const BlockLayout& layout : parts_.layouts) {
      wholes_.push_back(part_of(memory_, Dtype::f32, at, {layout.elements}));
      views_.push_back(views_of(layout, wholes_.back()));
      complete_.push_back(parts_.device.make_event());
      at += layout.elements;
    }
  }

  Tensor piece(int block) override {
    const std::int64_t part = parts_.piece(block);
    return wholes_[index(block)].rows(parts_.shard_rank() * part, part);
  }
  void begin_step(Stream& compute) override { parts_.device.zero(compute, memory_.data(), memory_.bytes()); }
  Weights gradients(Stream& /*compute*/, int block) override { return Weights(views_.at(index(block))); }

  void reduce(Stream& compute, int block, bool last) override {
    if (!last || reducer_.stream() == nullptr) return;
    Event& complete = *complete_.at(index(block));
    compute.record(complete);
    reducer_.stream()->wait(complete);
    reducer_.over_shards(block, wholes_[index(block)], piece(block));
    reducer_.over_the_rest(block, piece(block));
  }
  void finish(Stream& compute) override { reducer_.finish(compute); }

  std::size_t bytes() const override { return memory_.bytes(); }
  std::size_t buffer_bytes() const override { return reducer_.buffer_bytes(); }

 private:
  const StoreParts parts_;
  Buffer memory_;
  std::vector<Tensor> wholes_;
  std::vector<std::vector<Tensor>> views_;
  std::vector<std::unique_ptr<Event>> complete_;
  Reducer reducer_;  // destroyed first: its work still uses the rest
};

class LeasedGradients final : public BlockGradients {
 public:
  LeasedGradients(const StoreParts& parts, const ReductionAxes& axes, Dtype reduce_dtype)
      : parts_(parts),
        slots_(parts.layouts, parts.ends_tied),
        sums_(parts.device.allocate(bytes_of(parts.piece_elements(), Dtype::f32))),
        summed_(parts.layouts.size()),
        reducer_(parts, axes, reduce_dtype) {
    for (std::size_t s = 0; s < slots_.count(); ++s) {
      Place place;
      place.memory = parts_.device.allocate(bytes_of(slots_.elements(s), Dtype::f32));
      place.complete = parts_.device.make_event();
      place.free = parts_.device.make_event();
      places_.push_back(std::move(place));
    }
    std::int64_t at = 0;
    std::int64_t largest = 0;
    for (std::size_t b = 0; b < parts_.layouts.size(); ++b) {
      const BlockLayout& layout = parts_.layouts[b];
      views_.push_back(views_of(layout, whole(static_cast<int>(b))));
      begins_.push_back(at);
      at += layout.elements / parts_.shard_ranks();
      largest = std::max(largest, layout.elements / parts_.shard_ranks());
    }
    added_ = parts_.device.allocate(bytes_of(largest, Dtype::f32));
  }

  Tensor piece(int block) override { return part_of(sums_, Dtype::f32, begins_[index(block)], {parts_.piece(block)}); }
  void begin_step(Stream& /*compute*/) override { std::fill(summed_.begin(), summed_.end(), false); }

  Weights gradients(Stream& compute, int block) override {
    Place& place = places_[slots_.of(block)];
    if (place.block != block) {
      compute.wait(*place.free);
      const Tensor memory = whole(block);
      parts_.device.zero(compute, memory.data, memory.bytes());
      place.block = block;
    }
    return Weights(views_.at(index(block)));
  }

  void reduce(Stream& compute, int block, bool last) override {
    gradients(compute, block);  // zeros where nobody had any
    Place& place = places_[slots_.of(block)];
    compute.record(*place.complete);
    reducer_.stream()->wait(*place.complete);
    const Tensor sum = piece(block);
    const bool first = !summed_[index(block)];
    const Tensor part = first ? sum : part_of(added_, Dtype::f32, 0, sum.shape);
    reducer_.over_shards(block, whole(block), part);
    reducer_.stream()->record(*place.free);
    if (!first) parts_.ops.run(*reducer_.stream(), Add{.y = sum, .a = sum, .b = part});
    place.block = -1;
    summed_[index(block)] = true;
    if (last) reducer_.over_the_rest(block, sum);
  }
  void finish(Stream& compute) override { reducer_.finish(compute); }

  std::size_t bytes() const override { return sums_.bytes(); }
  std::size_t buffer_bytes() const override {
    std::size_t bytes = added_.bytes() + reducer_.buffer_bytes();
    for (const Place& place : places_) bytes += place.memory.bytes();
    return bytes;
  }

 private:
  struct Place {
    Buffer memory;
    int block = -1;                         // whose gradients are being added up here
    std::unique_ptr<Event> complete, free;  // written for the last time; read for the last time
  };
  Tensor whole(int block) const {
    const Buffer& memory = places_[slots_.of(block)].memory;
    return part_of(memory, Dtype::f32, 0, {parts_.layouts[index(block)].elements});
  }

  const StoreParts parts_;
  const BlockSlots slots_;
  Buffer sums_;   // pieces, by block
  Buffer added_;  // a later micro-step's piece on its way to the sum
  std::vector<bool> summed_;
  std::vector<std::int64_t> begins_;
  std::vector<Place> places_;
  std::vector<std::vector<Tensor>> views_;
  Reducer reducer_;  // destroyed first: its work still uses the rest
};

}  // namespace

std::unique_ptr<BlockGradients> make_whole_gradients(const StoreParts& parts, const ReductionAxes& axes,
                                                     Dtype reduce_dtype) {
  return std::make_unique<WholeGradients>(parts, axes, reduce_dtype);
}
std::unique_ptr<BlockGradients> make_leased_gradients(const StoreParts& parts, const ReductionAxes& axes,
                                                      Dtype reduce_dtype) {
  return std::make_unique<LeasedGradients>(parts, axes, reduce_dtype);
}

}  // namespace trireme
