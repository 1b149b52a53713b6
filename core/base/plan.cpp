// SPDX-License-Identifier: Apache-2.0
#include "core/base/plan.h"

#include <algorithm>
#include <cassert>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kAlignment = 256;

std::size_t aligned_bytes(Dtype dtype, const Shape& shape) {
  std::size_t bytes = size_of(dtype);
  for (int i = 0; i < shape.rank(); ++i) {
    check(!__builtin_mul_overflow(bytes, static_cast<std::size_t>(shape[i]), &bytes),
          "a tensor of shape {} is larger than the address space", to_string(shape));
  }
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Slot Plan::add(Entry::Lifetime lifetime, const std::string& name, Dtype dtype, const Shape& shape, std::size_t offset) {
  assert(buffer_.data() == nullptr && "declarations end at commit()");
  entries_.push_back({lifetime, name, Tensor{nullptr, dtype, shape}, offset});
  return {static_cast<std::int32_t>(entries_.size()) - 1};
}

Slot Plan::stream(const std::string& name, Dtype dtype, const Shape& shape) {
  const auto offset = stream_bytes_;
  stream_bytes_ += aligned_bytes(dtype, shape);
  return add(Entry::Lifetime::stream, name, dtype, shape, offset);
}

Slot Plan::keep(const std::string& name, Dtype dtype, const Shape& shape) {
  assert(in_block_);
  const auto offset = keep_used_;
  keep_used_ += aligned_bytes(dtype, shape);
  keep_bytes_ = std::max(keep_bytes_, keep_used_);
  return add(Entry::Lifetime::keep, name, dtype, shape, offset);
}

Slot Plan::scratch(const std::string& name, Dtype dtype, const Shape& shape) {
  const auto offset = scratch_used_;
  scratch_used_ += aligned_bytes(dtype, shape);
  scratch_bytes_ = std::max(scratch_bytes_, scratch_used_);
  return add(Entry::Lifetime::scratch, name, dtype, shape, offset);
}

void Plan::begin_block() {
  assert(!in_block_);
  in_block_ = true;
  if (saving_ == Saving::recompute || saving_ == Saving::none) keep_used_ = 0;
}

void Plan::end_block() {
  assert(in_block_);
  in_block_ = false;
}

void Plan::commit(Device& device) {
  buffer_ = device.allocate(std::max<std::size_t>(bytes(), kAlignment));
  auto* base = static_cast<std::byte*>(buffer_.data());
  for (auto& entry : entries_) {
    std::size_t start = 0;
    if (entry.lifetime == Entry::Lifetime::keep) start = stream_bytes_;
    if (entry.lifetime == Entry::Lifetime::scratch) start = stream_bytes_ + keep_bytes_;
    entry.tensor.data = base + start + entry.offset;
  }
}

Tensor Plan::operator[](Slot slot) const {
  assert(slot);
  return entries_[static_cast<std::size_t>(slot.index)].tensor;
}

}  // namespace trireme
