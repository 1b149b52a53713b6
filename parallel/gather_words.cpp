// SPDX-License-Identifier: Apache-2.0
#include "parallel/gather_words.h"

#include <chrono>
#include <thread>

namespace trireme {
namespace {

constexpr std::size_t kSigns = 2;
constexpr std::uint32_t kFarAhead = 1U << 30U;  // of any gather that may follow, and less than half way around
constexpr std::chrono::milliseconds kAgain{2};  // others that still go on write their words over the released ones

}  // namespace

std::size_t GatherWords::bytes_for(int ranks) {
  const auto n = static_cast<std::size_t>(ranks);
  return n * kLanes * kSigns * n * sizeof(std::uint32_t);
}

GatherWords::GatherWords(std::shared_ptr<NodeMemory> memory, int rank, int ranks)
    : memory_(std::move(memory)), rank_(rank), ranks_(ranks), numbers_(kLanes) {}

std::size_t GatherWords::offset(std::size_t lane, GatherSign sign, int reader, int writer) const {
  const auto n = static_cast<std::size_t>(ranks_);
  const std::size_t row = (static_cast<std::size_t>(reader) * kLanes + lane) * kSigns + static_cast<std::size_t>(sign);
  return (row * n + static_cast<std::size_t>(writer)) * sizeof(std::uint32_t);
}

std::uint32_t GatherWords::next(std::size_t lane) { return ++numbers_[lane]; }

void GatherWords::write_released() {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::uint32_t number = numbers_[lane];
    if (number == 0) continue;
    for (const GatherSign sign : {GatherSign::free, GatherSign::sent}) {
      for (int writer = 0; writer < ranks_; ++writer) {
        auto& word = *reinterpret_cast<std::uint32_t*>(memory_->data() + offset(lane, sign, rank_, writer));
        std::atomic_ref(word).store(number + kFarAhead, std::memory_order_release);
      }
    }
  }
}

void GatherWords::release() {
  if (released_.exchange(true)) return;
  write_released();
  std::thread([self = shared_from_this()] {
    for (;;) {
      std::this_thread::sleep_for(kAgain);
      self->write_released();
    }
  }).detach();
}

}  // namespace trireme
