// SPDX-License-Identifier: Apache-2.0
#include "core/model/batch_memory.h"

#include <cstring>

#include "core/base/error.h"

namespace trireme {

void BatchMemory::plan(Plan& plan, const PassShape& shape) {
  shape_ = shape;
  const Shape rows{shape.batch, shape.time};
  tokens_ = plan.stream("batch.tokens", Dtype::i32, rows);
  targets_ = plan.stream("batch.targets", Dtype::i32, rows);
  positions_ = plan.stream("batch.positions", Dtype::i32, rows);
  if (shape.document_mask) document_start_ = plan.stream("batch.document_start", Dtype::i32, rows);
  no_targets_ = plan.stream("batch.no_targets", Dtype::i32, rows);
}

void BatchMemory::load_constants(Device& device, Stream& stream, const Plan& plan) {
  const Tensor none = plan[no_targets_];
  const Buffer host = device.allocate(none.bytes(), MemoryKind::pinned);
  std::memset(host.data(), 0xff, none.bytes());  // every byte of -1
  device.copy(stream, none.data, host.data(), none.bytes());
  stream.synchronize();
}

void BatchMemory::upload(Device& device, Stream& stream, const Plan& plan, const Batch& batch) {
  const Shape& found = batch.tokens.shape;
  check(found.rank() == 2 && found[0] >= 1 && found[0] <= shape_.batch && found[1] == shape_.time,
        "a batch of {} came from the data, expected at most {} rows of {} tokens", to_string(found), shape_.batch,
        shape_.time);
  check(!shape_.document_mask || batch.document_start,
        "data.document_mask is on, but the data came without document boundaries");
  if (shape_.document_mask) {
    documents_ = document_lengths(batch.document_start);
    const auto filled_up = static_cast<std::int32_t>(shape_.batch - found[0]);  // rows, each a document
    documents_.counts[static_cast<std::size_t>(DocumentLengths::index(shape_.time))] += filled_up;
  }
  const auto copy = [&](Slot slot, const Tensor& from) {
    const Tensor to = plan[slot];
    device.copy(stream, to.data, from.data, from.bytes());
    if (from.bytes() == to.bytes()) return;
    void* rest = static_cast<std::byte*>(to.data) + from.bytes();
    if (slot.index == targets_.index) {
      device.copy(stream, rest, plan[no_targets_].data, to.bytes() - from.bytes());
    } else {
      device.zero(stream, rest, to.bytes() - from.bytes());
    }
  };
  copy(tokens_, batch.tokens);
  copy(targets_, batch.targets);
  copy(positions_, batch.positions);
  if (shape_.document_mask) copy(document_start_, batch.document_start);
}

DeviceBatch BatchMemory::view(const Plan& plan) const {
  return {.tokens = plan[tokens_],
          .targets = plan[targets_],
          .positions = plan[positions_],
          .document_start = shape_.document_mask ? plan[document_start_] : Tensor{},
          .documents = documents_};
}

}  // namespace trireme
