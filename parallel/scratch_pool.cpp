// SPDX-License-Identifier: Apache-2.0
#include "parallel/scratch_pool.h"

namespace trireme {

ScratchPool::Lease ScratchPool::lease(std::size_t bytes) {
  std::vector<std::byte> memory;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      memory = std::move(free_.back());
      free_.pop_back();
    }
    free_.reserve(free_.size() + 1);  // so that giving back cannot fail
  }
  if (memory.size() < bytes) memory = std::vector<std::byte>(bytes);
  return {*this, std::move(memory)};
}

void ScratchPool::give_back(std::vector<std::byte> memory) noexcept {
  const std::lock_guard lock(mutex_);
  if (free_.size() < free_.capacity()) free_.push_back(std::move(memory));
}

}  // namespace trireme
