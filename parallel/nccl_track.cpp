// SPDX-License-Identifier: Apache-2.0
#include "parallel/nccl_track.h"

#include <cuda_runtime.h>

#include <atomic>

#include "core/base/error.h"
#include "parallel/nccl_stream_words.h"

namespace trireme {
namespace {

constexpr std::size_t kRecent = 4096;  // more than a host runs ahead in one stream
constexpr std::size_t kBegun = 0, kEnded = 1, kWords = 2;

std::uint32_t read(const std::uint32_t& word) {
  return std::atomic_ref(const_cast<std::uint32_t&>(word)).load(std::memory_order_acquire);
}

}  // namespace

NcclTrack::NcclTrack() : recent_(kRecent) {
  void* words = nullptr;
  const cudaError_t code = cudaMallocHost(&words, kWords * sizeof(std::uint32_t));
  check(code == cudaSuccess, "no pinned memory for the notes of a stream: {}", cudaGetErrorString(code));
  words_ = static_cast<std::uint32_t*>(words);
  for (std::size_t i = 0; i < kWords; ++i) words_[i] = 0;
}

NcclTrack::~NcclTrack() { static_cast<void>(cudaFreeHost(words_)); }

void NcclTrack::write(void* stream, std::size_t word, std::uint32_t value) const {
  write_word(stream, reinterpret_cast<std::uintptr_t>(words_ + word), value);
}

void NcclTrack::begin(void* stream, const Collective& collective) {
  ++enqueued_;
  {
    const std::lock_guard lock(mutex_);
    recent_[enqueued_ % kRecent] = collective;
  }
  write(stream, kBegun, enqueued_);
}

void NcclTrack::end(void* stream) { write(stream, kEnded, enqueued_); }

LiveCommunicators::Moment NcclTrack::moment() const {
  LiveCommunicators::Moment moment;
  moment.ended = read(words_[kEnded]);
  moment.begun = read(words_[kBegun]);
  const std::lock_guard lock(mutex_);
  if (moment.begun != moment.ended) moment.running = recent_[moment.begun % kRecent];
  if (moment.ended != 0) moment.last = recent_[moment.ended % kRecent];
  return moment;
}

}  // namespace trireme
