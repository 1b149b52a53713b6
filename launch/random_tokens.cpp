// SPDX-License-Identifier: Apache-2.0
#include "launch/random_tokens.h"

#include "core/base/error.h"

namespace trireme {

RandomTokens::RandomTokens(Device& device, std::int64_t rows, std::int64_t time, std::int64_t vocabulary)
    : time_(time), vocabulary_(vocabulary) {
  const auto bytes = static_cast<std::size_t>(rows * time) * sizeof(std::int32_t);
  for (auto* tensor : {&batch_.tokens, &batch_.targets, &batch_.positions}) {
    buffers_.push_back(device.allocate(bytes, MemoryKind::pinned));
    *tensor = {buffers_.back().data(), Dtype::i32, {rows, time}};
  }
}

const Batch& RandomTokens::read(std::int64_t first, std::int64_t count) {
  check(count <= batch_.tokens.shape[0], "{} samples asked for, {} planned", count, batch_.tokens.shape[0]);
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t t = 0; t < time_; ++t) {
      const auto at = row * time_ + t;
      batch_.tokens.as<std::int32_t>()[at] = token((first + row) * (time_ + 1) + t);
      batch_.targets.as<std::int32_t>()[at] = token((first + row) * (time_ + 1) + t + 1);
      batch_.positions.as<std::int32_t>()[at] = static_cast<std::int32_t>(t);
    }
  }
  batch_.target_count = count * time_;
  return batch_;
}

std::int32_t RandomTokens::token(std::int64_t index) const {
  return static_cast<std::int32_t>(
      random_.below(static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(vocabulary_)));
}

}  // namespace trireme
