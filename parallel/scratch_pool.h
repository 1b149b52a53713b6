// SPDX-License-Identifier: Apache-2.0
// Host memory that collectives borrow while they run; it is kept, so that a training step allocates nothing new.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace trireme {

/// Buffers that are lent to one thread at a time. The pool outlives its leases.
class ScratchPool {
 public:
  class Lease {
   public:
    Lease(ScratchPool& pool, std::vector<std::byte> memory) : pool_(pool), memory_(std::move(memory)) {}
    ~Lease() { pool_.give_back(std::move(memory_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    std::byte* data() { return memory_.data(); }

   private:
    ScratchPool& pool_;
    std::vector<std::byte> memory_;
  };

  /// At least `bytes`, aligned for every element type.
  Lease lease(std::size_t bytes);

 private:
  void give_back(std::vector<std::byte> memory) noexcept;

  std::mutex mutex_;
  std::vector<std::vector<std::byte>> free_;
};

}  // namespace trireme
