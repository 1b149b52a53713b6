// SPDX-License-Identifier: Apache-2.0
// Which collective a stream of a GPU is at, for the watchdog: told by the GPU itself, which writes into the host's
// memory. Work of the host in the stream would tell the same, and hold the GPU up for it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/status_board.h"
#include "parallel/live_communicators.h"

namespace trireme {

/// For devices of which stream_writes_work() is true (parallel/nccl_stream_words.h).
class NcclTrack {
 public:
  /// On the current device of the calling thread.
  NcclTrack();
  ~NcclTrack();
  NcclTrack(const NcclTrack&) = delete;
  NcclTrack& operator=(const NcclTrack&) = delete;

  /// In stream order (`stream`: Stream::native()): the collective starts here; the one that started last ends here.
  void begin(void* stream, const Collective& collective);
  void end(void* stream);
  /// From any thread.
  LiveCommunicators::Moment moment() const;

 private:
  void write(void* stream, std::size_t word, std::uint32_t value) const;

  std::uint32_t* words_ = nullptr;  // begun and ended: numbers of collectives, written by the GPU
  std::uint32_t enqueued_ = 0;
  mutable std::mutex mutex_;
  std::vector<Collective> recent_;  // by number, around
};

}  // namespace trireme
