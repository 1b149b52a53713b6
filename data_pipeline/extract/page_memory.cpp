// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/extract/page_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace trireme {
namespace {

constexpr std::size_t kSlabBytes = 1u << 20;
constexpr std::size_t kHeader = 16;  // keeps the class of a block and the alignment of what follows

}  // namespace

void* PageMemory::take(std::size_t bytes) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(bytes, 16) + kHeader);
  const auto size_class = static_cast<std::size_t>(std::countr_zero(size));
  if (bytes > left_ || size_class >= kClasses) {
    std::longjmp(full, 1);  // NOLINT: only frames of C lie between here and setjmp
  }
  if (void* block = returned_[size_class]; block != nullptr) {
    std::memcpy(static_cast<void*>(&returned_[size_class]), block, sizeof(void*));
    return block;
  }
  if (size > left_) {
    std::longjmp(full, 1);  // NOLINT
  }
  left_ -= size;
  if (size > free_in_slab_) {
    const std::size_t slab = std::max(size, kSlabBytes);
    slabs_.emplace_back(new (std::nothrow) std::byte[slab]);
    if (slabs_.back() == nullptr) {
      std::longjmp(full, 1);  // NOLINT
    }
    next_ = slabs_.back().get();
    free_in_slab_ = slab;
  }
  std::byte* const block = next_;
  next_ += size;
  free_in_slab_ -= size;
  std::memcpy(block, &size_class, sizeof size_class);
  return block + kHeader;
}

void PageMemory::give_back(void* block) {
  if (block == nullptr) {
    return;
  }
  std::size_t size_class = 0;
  std::memcpy(&size_class, static_cast<std::byte*>(block) - kHeader, sizeof size_class);
  std::memcpy(block, static_cast<const void*>(&returned_[size_class]), sizeof(void*));
  returned_[size_class] = block;
}

}  // namespace trireme
