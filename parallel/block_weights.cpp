// SPDX-License-Identifier: Apache-2.0
#include "parallel/block_weights.h"

#include "parallel/block_slots.h"

namespace trireme {
namespace {

std::size_t index(int block) { return static_cast<std::size_t>(block); }

std::size_t bytes_of(std::int64_t elements, Dtype dtype) { return static_cast<std::size_t>(elements) * size_of(dtype); }

class ResidentWeights final : public BlockWeights {
 public:
  explicit ResidentWeights(const StoreParts& parts)
      : parts_(parts), whole_(parts.device.allocate(bytes_of(parts.whole_elements(), parts.compute))) {
    if (parts_.compute != Dtype::f32) masters_ = parts_.device.allocate(bytes_of(parts_.piece_elements(), Dtype::f32));
    std::int64_t at = 0;
    for (const BlockLayout& layout : parts_.layouts) {
      begins_.push_back(at);
      views_.push_back(views_of(layout, part_of(whole_, parts_.compute, at, {layout.elements})));
      at += layout.elements;
    }
    if (parts_.shard == nullptr) return;
    gather_ = parts_.device.make_stream("gather");
    shared_ = parts_.shard->share(whole_);
    updated_ = parts_.device.make_event();
    for (std::size_t b = 0; b < begins_.size(); ++b) ready_.push_back(parts_.device.make_event());
  }

  Tensor master(int block) override {
    if (!masters_.data()) return piece(block);
    return part_of(masters_, Dtype::f32, begins_[index(block)] / parts_.shard_ranks(), {parts_.piece(block)});
  }
  Tensor copy(int block) override { return masters_.data() ? piece(block) : Tensor{}; }

  void prefetch(int /*block*/) override {}
  Weights acquire(Stream& compute, int block) override {
    if (gather_) compute.wait(*ready_.at(index(block)));
    return Weights(views_.at(index(block)));
  }
  void release(Stream& /*compute*/, int /*block*/) override {}

  void publish(Stream& compute) override {
    if (!gather_) return;
    compute.record(*updated_);
    gather_->wait(*updated_);
    for (int block = 0; block < static_cast<int>(begins_.size()); ++block) {
      const std::int64_t elements = parts_.layouts[index(block)].elements;
      parts_.shard->all_gather(*gather_, part_of(whole_, parts_.compute, begins_[index(block)], {elements}),
                               piece(block));
      gather_->record(*ready_[index(block)]);
    }
  }

  void settle() override {
    if (gather_) gather_->synchronize();
  }

  std::size_t copy_bytes() const override {
    return masters_.data() ? whole_.bytes()
                           : whole_.bytes() - whole_.bytes() / static_cast<std::size_t>(parts_.shard_ranks());
  }
  std::size_t buffer_bytes() const override { return 0; }

 private:
  Tensor piece(int block) const {
    const std::int64_t elements = parts_.piece(block);
    return part_of(whole_, parts_.compute, begins_[index(block)] + parts_.shard_rank() * elements, {elements});
  }

  const StoreParts parts_;
  Buffer whole_;    // in the compute dtype
  Buffer masters_;  // in fp32 they are this rank's pieces of `whole_`
  std::vector<std::int64_t> begins_;
  std::vector<std::vector<Tensor>> views_;
  std::unique_ptr<Event> updated_;
  std::vector<std::unique_ptr<Event>> ready_;  // by block
  std::shared_ptr<void> shared_;               // whole_, with the other shards
  std::unique_ptr<Stream> gather_;             // destroyed first: its work still uses the rest
};

class GatheredWeights final : public BlockWeights {
 public:
  explicit GatheredWeights(const StoreParts& parts)
      : parts_(parts),
        slots_(parts.layouts, parts.ends_tied),
        masters_(parts.device.allocate(bytes_of(parts.piece_elements(), Dtype::f32))) {
    if (parts_.compute != Dtype::f32) {
      copies_ = parts_.device.allocate(bytes_of(parts_.piece_elements(), parts_.compute));
    }
    for (std::size_t s = 0; s < slots_.count(); ++s) {
      Place place;
      place.memory = parts_.device.allocate(bytes_of(slots_.elements(s), parts_.compute));
      place.shared = parts_.shard->share(place.memory);
      place.ready = parts_.device.make_event();
      place.released = parts_.device.make_event();
      places_.push_back(std::move(place));
    }
    std::int64_t at = 0;
    for (std::size_t b = 0; b < parts_.layouts.size(); ++b) {
      const BlockLayout& layout = parts_.layouts[b];
      begins_.push_back(at);
      const Place& place = places_[slots_.of(static_cast<int>(b))];
      views_.push_back(views_of(layout, part_of(place.memory, parts_.compute, 0, {layout.elements})));
      at += layout.elements / parts_.shard_ranks();
    }
    updated_ = parts_.device.make_event();
    gather_ = parts_.device.make_stream("gather");
  }

  Tensor master(int block) override {
    return part_of(masters_, Dtype::f32, begins_[index(block)], {parts_.piece(block)});
  }
  Tensor copy(int block) override {
    if (!copies_.data()) return {};
    return part_of(copies_, parts_.compute, begins_[index(block)], {parts_.piece(block)});
  }

  void prefetch(int block) override {
    Place& place = places_[slots_.of(block)];
    if (place.block == block) return;
    gather_->wait(*place.released);
    gather_->wait(*updated_);
    parts_.shard->all_gather(*gather_,
                             part_of(place.memory, parts_.compute, 0, {parts_.layouts[index(block)].elements}),
                             copies_.data() ? copy(block) : master(block));
    gather_->record(*place.ready);
    place.block = block;
  }
  Weights acquire(Stream& compute, int block) override {
    prefetch(block);
    compute.wait(*places_[slots_.of(block)].ready);
    return Weights(views_.at(index(block)));
  }
  void release(Stream& compute, int block) override { compute.record(*places_[slots_.of(block)].released); }

  void publish(Stream& compute) override {
    compute.record(*updated_);
    for (Place& place : places_) place.block = -1;
  }
  void settle() override { gather_->synchronize(); }

  std::size_t copy_bytes() const override { return copies_.bytes(); }
  std::size_t buffer_bytes() const override {
    std::size_t bytes = 0;
    for (const Place& place : places_) bytes += place.memory.bytes();
    return bytes;
  }

 private:
  struct Place {
    Buffer memory;
    std::shared_ptr<void> shared;            // with the other shards
    int block = -1;                          // whose weights lie here
    std::unique_ptr<Event> ready, released;  // gathered; read for the last time
  };

  const StoreParts parts_;
  const BlockSlots slots_;
  Buffer masters_, copies_;
  std::vector<Place> places_;
  std::vector<std::int64_t> begins_;  // of pieces, by block
  std::vector<std::vector<Tensor>> views_;
  std::unique_ptr<Event> updated_;
  std::unique_ptr<Stream> gather_;  // destroyed first: its work still uses the rest
};

}  // namespace

std::int64_t StoreParts::whole_elements() const {
  std::int64_t elements = 0;
  for (const BlockLayout& layout : layouts) elements += layout.elements;
  return elements;
}

Tensor part_of(const Buffer& buffer, Dtype dtype, std::int64_t begin, const Shape& shape) {
  return {static_cast<std::byte*>(buffer.data()) + bytes_of(begin, dtype), dtype, shape};
}

std::vector<Tensor> views_of(const BlockLayout& layout, const Tensor& flat) {
  std::vector<Tensor> views;
  for (std::size_t i = 0; i < layout.params.size(); ++i) {
    const Shape& shape = layout.params[i].shape;
    views.push_back(flat.rows(layout.offsets[i], shape.elements()).reshape(shape));
  }
  return views;
}

std::unique_ptr<BlockWeights> make_resident_weights(const StoreParts& parts) {
  return std::make_unique<ResidentWeights>(parts);
}
std::unique_ptr<BlockWeights> make_gathered_weights(const StoreParts& parts) {
  return std::make_unique<GatheredWeights>(parts);
}

}  // namespace trireme
