// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/scratch.h"

#include <atomic>
#include <cstdlib>
#include <memory>

#include "core/base/error.h"

namespace trireme::cpu {
namespace {

constexpr std::size_t kAlignment = 256;
std::atomic<std::int64_t> growth_count{0};

struct Free {
  void operator()(void* data) const { std::free(data); }
};

thread_local std::unique_ptr<void, Free> block;
thread_local std::size_t block_size = 0;

}  // namespace

void* thread_scratch(std::size_t bytes) {
  if (bytes > block_size) {
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    block.reset();
    block_size = 0;
    block.reset(std::aligned_alloc(kAlignment, rounded));
    check(block != nullptr, "no memory for {} bytes of a kernel's scratch: use a smaller micro-batch or sequence",
          rounded);
    block_size = rounded;
    growth_count.fetch_add(1, std::memory_order_relaxed);
  }
  return block.get();
}

std::int64_t scratch_allocations() { return growth_count.load(std::memory_order_relaxed); }

}  // namespace trireme::cpu
