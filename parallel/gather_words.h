// SPDX-License-Identifier: Apache-2.0
// The words by which GPUs of one node tell each other how far their gathers are. They lie in memory of the host: a word
// outlives whoever writes it, and this process can release its own GPU's waits without asking the GPU.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "parallel/node_memory.h"

namespace trireme {

/// What a rank tells another one of a gather: the memory to fill is free; all has been sent.
enum class GatherSign : std::uint8_t { free, sent };

/// Gathers of one stream are a lane, counted from 1; a word holds the number of the last gather of which it tells, and
/// is compared around the wrap of 32 bits.
class GatherWords : public std::enable_shared_from_this<GatherWords> {
 public:
  static constexpr std::size_t kLanes = 256;
  static std::size_t bytes_for(int ranks);

  /// `memory`: of bytes_for(ranks), zeroed.
  GatherWords(std::shared_ptr<NodeMemory> memory, int rank, int ranks);
  GatherWords(const GatherWords&) = delete;
  GatherWords& operator=(const GatherWords&) = delete;

  /// Bytes from the start of the memory to the word that `writer` writes and `reader` waits for.
  std::size_t offset(std::size_t lane, GatherSign sign, int reader, int writer) const;
  /// The number of the lane's next gather.
  std::uint32_t next(std::size_t lane);
  const NodeMemory& memory() const { return *memory_; }

  /// Lets all that this rank's GPU waits for or will wait for go on, now and as long as the process lives, whatever the
  /// others still write; theirs are left alone. From any thread; for the end of a failed job.
  void release();
  bool released() const { return released_; }

 private:
  void write_released();

  const std::shared_ptr<NodeMemory> memory_;
  const int rank_, ranks_;
  std::vector<std::atomic<std::uint32_t>> numbers_;  // by lane
  std::atomic<bool> released_{false};
};

}  // namespace trireme
